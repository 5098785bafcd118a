/* visits - see visits.h. */
#include "actors/arcade_gateway/visits.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"

#define VISIT_MS 30000 /* how long one may take */
#define KEY_LOOK_US US_PER_S
#define AUTH "UPSTREAM_AUTH"

void visits_show_tools(const struct visits *self, struct context *context, const struct site *site)
{
    const char *name = site->remote.name;
    double count = (double)imports_count_of(self->imports, name);
    metrics_set(context->metrics, METRIC_GATEWAY_TOOLS, LABELS(name), count);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("remote_tools"),
                (double)imports_count(self->imports) / REMOTE_TOOLS_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("definitions"),
                (double)imports_bytes(self->imports) / IMPORTS_BYTES_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("named_tools"),
                (double)imports_named(self->imports) / NAMED_TOOLS_MAX);
}

static int64_t retry_us(const struct visits *self, const struct site *site)
{
    int64_t us = self->retry_us;
    for (unsigned i = 1; i < site->failures && us < self->every_us; i++)
        us *= 2;
    return us < self->every_us ? us : self->every_us;
}

/* Whether its trouble has this code already. */
static bool is_known(const struct site *site, const char *code)
{
    size_t size = strlen(code);
    return strncmp(site->trouble, code, size) == 0 && site->trouble[size] == ':';
}

static void show_up(struct context *context, const struct site *site, bool is_up)
{
    metrics_set(context->metrics, METRIC_GATEWAY_UP, LABELS(site->remote.name), is_up);
}

/* One whose list failed is asked for its health before it is asked for all that again, where that
 * is less. */
static void note_trouble(struct visits *self, struct context *context, struct site *site,
                         const struct failure *failure)
{
    const char *name = site->remote.name;
    site->failures++;
    site->retry_at = context->now_at + retry_us(self, site);
    site->visit_at = site->retry_at;
    site->key_is_new = false;
    site->next_visit = site->dialect->has_health ? DIALOGUE_HEALTH : DIALOGUE_LIST;
    show_up(context, site, false);
    if (!is_known(site, failure->code)) {
        log_event(EVENT_REMOTE_DOWN, log_text("site", name), log_text("code", failure->code),
                  log_text("message", failure->message));
        if (strcmp(failure->code, AUTH) == 0)
            log_event(EVENT_KEY_REFUSED, log_text("site", name));
    }
    (void)snprintf(site->trouble, sizeof site->trouble, "%.40s: %.150s", failure->code,
                   failure->message);
}

static void note_good(struct visits *self, struct context *context, struct site *site)
{
    if (site->trouble[0] != '\0')
        log_event(EVENT_REMOTE_UP, log_text("site", site->remote.name));
    site->failures = 0;
    site->trouble[0] = '\0';
    site->next_visit = DIALOGUE_LIST;
    site->visit_at = context->now_at + self->every_us;
    show_up(context, site, true);
}

static void note_list(struct visits *self, struct context *context, struct site *site)
{
    size_t count = imports_count_of(self->imports, site->remote.name);
    if (site->dialect->has_tools && (!site->listed || site->tools_seen != count))
        log_event(EVENT_TOOLS_LISTED, log_text("site", site->remote.name), log_u64("tools", count));
    site->tools_seen = count;
    site->listed = site->dialect->has_tools;
    visits_show_tools(self, context, site);
}

static void ended(struct visits *self, struct context *context, struct site *site,
                  enum dialogue_purpose purpose, uint32_t exchanges)
{
    bool is_list = purpose == DIALOGUE_LIST;
    bool was_down = site->failures > 0;
    if (is_list)
        note_list(self, context, site);
    if (is_list && exchanges == 0 && !site->is_foreign) {
        site->next_visit = DIALOGUE_HEALTH; /* nobody was asked */
        site->visit_at = context->now_at;
        return;
    }
    note_good(self, context, site);
    if (!is_list && was_down && site->dialect->has_tools)
        site->visit_at = context->now_at; /* the list that it owes */
}

void visits_ended(struct visits *self, struct context *context, const struct remote_call *call,
                  const struct failure *failure)
{
    struct site *site = call->site;
    assert(site->visiting);
    site->visiting = false;
    if (failure != NULL)
        note_trouble(self, context, site, failure);
    else
        ended(self, context, site, call->dialogue.purpose, call->dialogue.attempts);
}

/* Without a key nothing is asked; it is looked for again each second, for it may come. */
static bool lacks_key(struct context *context, struct site *site)
{
    bool said = strncmp(site->trouble, "no key: ", 8) == 0;
    if (site_has_key(site, context->now_at))
        return false;
    site->visit_at = context->now_at + KEY_LOOK_US;
    (void)snprintf(site->trouble, sizeof site->trouble, "no key: %.100s or %s in the environment",
                   site->secret.path[0] != '\0' ? site->secret.path : "its key file",
                   site->secret.variable != NULL ? site->secret.variable : "nothing");
    show_up(context, site, false);
    if (!said)
        log_event(EVENT_KEY_MISSING, log_text("site", site->remote.name),
                  log_text("file", site->secret.path), log_text("variable", site->secret.variable));
    return true;
}

/* One that did not take our key is not asked sooner for that, unless there is another one. */
static bool awaits_key(struct context *context, struct site *site)
{
    if (!is_known(site, AUTH) || site->key_is_new || site->retry_at <= context->now_at)
        return false;
    int64_t look_at = context->now_at + KEY_LOOK_US;
    site->visit_at = look_at < site->retry_at ? look_at : site->retry_at;
    return true;
}

static void visit(struct visits *self, struct context *context, struct site *site)
{
    struct failure failure;
    struct remote_call_wish wish = {.site = site,
                                    .purpose = site->next_visit,
                                    .deadline_at = context->now_at + VISIT_MS * US_PER_MS};
    if (lacks_key(context, site) || awaits_key(context, site))
        return;
    site->visiting = true;
    if (remote_calls_begin(self->calls, context, &wish, &failure) == STATUS_OK)
        return;
    site->visiting = false;
    note_trouble(self, context, site, &failure);
}

void visits_begin(struct visits *self, struct context *context)
{
    for (size_t i = 0; i < self->sites->count; i++) {
        struct site *site = &self->sites->list[i];
        site->next_visit = DIALOGUE_LIST;
        site->visit_at = context->now_at;
    }
}

int64_t visits_due_at(const struct visits *self)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < self->sites->count; i++) {
        const struct site *site = &self->sites->list[i];
        if (!site->visiting && site->visit_at < at)
            at = site->visit_at;
    }
    return at;
}

void visits_tick(struct visits *self, struct context *context)
{
    for (size_t i = 0; i < self->sites->count; i++) {
        struct site *site = &self->sites->list[i];
        if (!site->visiting && site->visit_at <= context->now_at)
            visit(self, context, site);
    }
}
