/* sites - see sites.h. */
#include "actors/arcade_gateway/sites.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/dialect_arcade.h"
#include "actors/arcade_gateway/dialect_mcp.h"
#include "actors/arcade_gateway/dialect_model.h"
#include "actors/arcade_gateway/dialect_web.h"
#include "actors/arcade_gateway/url.h"
#include "actors/runtime/settings.h"

#define SECTION "arcade_gateway"

/* Those that every gateway knows; MCP servers come from a list. */
static const struct {
    const char *name, *url_key, *file_key, *variable;
    const struct dialect *dialect;
} rows[] = {
    {"Arcade", "arcade_url", "arcade_key_file", "ARCADE_API_KEY", &dialect_arcade},
    {"Anthropic", "anthropic_url", "anthropic_key_file", "ANTHROPIC_API_KEY", &dialect_model},
    {"OpenAI", "openai_url", "openai_key_file", "OPENAI_API_KEY", &dialect_model},
};

static bool refuse(char *reason, size_t size, const char *key, const char *text, const char *why)
{
    (void)snprintf(reason, size, SECTION ".%s: '%.100s' %s", key, text, why);
    return false;
}

/* A key must not travel where others can read it: plain HTTP goes to this machine alone. */
static bool is_private(const char *text)
{
    struct url url;
    const char *reason;
    return url_read(text, &url, &reason) && (url.is_https || url_is_loopback(&url));
}

static bool take_url(struct site *site, const char *key, const char *text, char *reason,
                     size_t size)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    if (length >= sizeof site->remote.url)
        return refuse(reason, size, key, text, "is too long");
    (void)snprintf(site->remote.url, sizeof site->remote.url, "%.*s", (int)length, text);
    if (strchr(text, '@') != NULL)
        return refuse(reason, size, key, "...", "has a user part: keys come from files");
    if (!is_private(site->remote.url))
        return refuse(reason, size, key, text, "is no https:// address (http:// only to loopback)");
    return true;
}

static struct site *add(struct sites *self, const char *name, const struct dialect *dialect,
                        struct imports *imports)
{
    assert(self->count < SITES_MAX);
    struct site *site = &self->list[self->count++];
    (void)snprintf(site->remote.name, sizeof site->remote.name, "%s", name);
    site->dialect = dialect;
    site->remote.imports = imports;
    site->remote.memory = calloc(1, dialect->memory_bytes > 0 ? dialect->memory_bytes : 1);
    assert(site->remote.memory != NULL);
    target_init(&site->target, &self->rule);
    return site;
}

static void take_toolkits(struct site *site, const struct settings *settings)
{
    struct arcade_server *server = site->remote.memory;
    (void)snprintf(server->toolkits, sizeof server->toolkits, "%s",
                   settings_text(settings, SECTION, "arcade_toolkits"));
}

/* A model that runs on this machine may want no key; if there is one, it gets it. */
static bool has_local_model(const struct site *site)
{
    struct url url;
    const char *reason;
    return site->dialect == &dialect_model && url_read(site->remote.url, &url, &reason) &&
           url_is_loopback(&url);
}

static bool add_rows(struct sites *self, const struct settings *settings, struct imports *imports,
                     char *reason, size_t size)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *url = settings_text(settings, SECTION, rows[i].url_key);
        if (url[0] == '\0')
            continue; /* it is not wanted */
        struct site *site = add(self, rows[i].name, rows[i].dialect, imports);
        if (!take_url(site, rows[i].url_key, url, reason, size))
            return false;
        (void)snprintf(site->secret.path, sizeof site->secret.path, "%s",
                       settings_text(settings, SECTION, rows[i].file_key));
        site->secret.variable = rows[i].variable;
        site->needs_key = !has_local_model(site);
        if (rows[i].dialect == &dialect_arcade)
            take_toolkits(site, settings);
    }
    return true;
}

/* Whether a name stands in a list of names between blanks or commas. */
static bool is_listed(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(list, name); at != NULL; at = strstr(at + 1, name))
        if ((at == list || strchr(" ,", at[-1]) != NULL) && strchr(" ,", at[size]) != NULL)
            return true;
    return false;
}

static bool is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t size = strlen(text);
    return size > 0 && size < REMOTE_SOURCE_BYTES_MAX && strspn(text, letters) == size &&
           strchr("0123456789", text[0]) == NULL;
}

/* A name becomes the beginning of our tools' names; it must be nobody's yet. */
static bool take_name(struct sites *self, const char *text, char *source, char *reason, size_t size)
{
    if (!is_name(text))
        return refuse(reason, size, "mcp_servers", text, "is no name: letters and digits");
    (void)snprintf(source, REMOTE_SOURCE_BYTES_MAX, "%s", text);
    if (source[0] >= 'a')
        source[0] = (char)(source[0] - 'a' + 'A');
    if (sites_find(self, source) != NULL)
        return refuse(reason, size, "mcp_servers", text, "is there twice, or a name of ours");
    return self->count < SITES_MAX || refuse(reason, size, "mcp_servers", text, "is one too many");
}

/* name=url; its key, if there is one, is in a file of its name. */
static bool add_mcp_server(struct sites *self, const struct settings *settings,
                           struct imports *imports, char *text, char *reason, size_t size)
{
    char source[REMOTE_SOURCE_BYTES_MAX];
    const char *folder = settings_text(settings, SECTION, "mcp_key_dir");
    char *url = strchr(text, '=');
    if (url == NULL || url == text || url[1] == '\0')
        return refuse(reason, size, "mcp_servers", text, "is not name=url");
    *url++ = '\0';
    if (!take_name(self, text, source, reason, size))
        return false;
    struct site *site = add(self, source, &dialect_mcp, imports);
    site->remote.is_trusted = is_listed(settings_text(settings, SECTION, "mcp_trusted"), text);
    if (folder[0] != '\0' && (size_t)snprintf(site->secret.path, sizeof site->secret.path, "%s/%s",
                                              folder, text) >= sizeof site->secret.path)
        return refuse(reason, size, "mcp_key_dir", folder, "is too long");
    return take_url(site, "mcp_servers", url, reason, size);
}

static bool add_mcp_servers(struct sites *self, const struct settings *settings,
                            struct imports *imports, char *reason, size_t size)
{
    char *list = strdup(settings_text(settings, SECTION, "mcp_servers"));
    char *rest = NULL;
    bool good = true;
    assert(list != NULL);
    for (char *text = strtok_r(list, " ,", &rest); text != NULL && good;
         text = strtok_r(NULL, " ,", &rest))
        good = add_mcp_server(self, settings, imports, text, reason, size);
    free(list);
    return good;
}

static bool read_rule(struct sites *self, const struct settings *settings, char *reason,
                      size_t size)
{
    enum breaker_profile profile;
    const char *name = settings_text(settings, SECTION, "breaker");
    uint64_t calls = settings_u64(settings, SECTION, "concurrency");
    uint64_t rate = settings_u64(settings, SECTION, "rate_per_minute");
    if (!breaker_profile_find(name, &profile))
        return refuse(reason, size, "breaker", name,
                      "is none of default, development, standard, production, high_traffic");
    self->rule.breaker = breaker_rule(profile);
    self->rule.rate = rate_of((uint32_t)rate, 60 * US_PER_S, (uint32_t)rate);
    self->rule.calls_max = calls > 1 ? (uint32_t)(calls / 2) : 1;
    return true;
}

bool sites_read(struct sites *self, const struct settings *settings, struct imports *imports,
                char *reason, size_t reason_size)
{
    if (!read_rule(self, settings, reason, reason_size))
        return false;
    if (settings_bool(settings, SECTION, "web_tools")) {
        struct site *web = add(self, "Web", &dialect_web, imports);
        web->is_foreign = true;
        web->target.is_many = true; /* one that fails must not shut the others off */
        (void)breaker_set_force(&web->target.breaker, BREAKER_FORCE_CLOSED);
    }
    return add_rows(self, settings, imports, reason, reason_size) &&
           add_mcp_servers(self, settings, imports, reason, reason_size);
}

void sites_fini(struct sites *self)
{
    for (size_t i = 0; i < self->count; i++) {
        struct remote *remote = &self->list[i].remote;
        target_fini(&self->list[i].target);
        if (remote->forget != NULL)
            remote->forget(remote->memory);
        free(remote->memory);
        secret_wipe(remote->secret, sizeof remote->secret);
    }
    self->count = 0;
}

struct site *sites_find(struct sites *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->list[i].remote.name, name) == 0)
            return &self->list[i];
    return NULL;
}

bool site_has_key(struct site *self, int64_t now_at)
{
    if (secret_refresh(&self->secret, now_at, self->remote.secret, sizeof self->remote.secret))
        self->key_is_new = true;
    return !self->needs_key || self->remote.secret[0] != '\0';
}
