/* allow_list - see allow_list.h. The text is cut up where it lies, and sorted by key. */
#include "actors/runtime/allow_list.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"
#define BIT(number) (UINT32_C(1) << (number))
#define EVERY_CLASS (BIT(CLASS_COUNT) - 1)

struct allow_list {
    uint32_t count;
    struct allowed entries[ALLOWED_MAX]; /* by key, rising */
    char *text;
};

struct word {
    const char *name;
    uint32_t number;
};

static const struct word roles[] = {
    {"driver", ROLE_DRIVER},
    {"cache_partition", ROLE_CACHE_PARTITION},
    {"tool_executor", ROLE_TOOL_EXECUTOR},
    {"arcade_gateway", ROLE_ARCADE_GATEWAY},
    {"broker", ROLE_BROKER},
    {"autoscaler", ROLE_AUTOSCALER},
    {"console", ROLE_CONSOLE},
    {NULL, 0},
};

static const struct word classes[] = {
    {"0", CLASS_CRITICAL_PLUS},
    {"1", CLASS_CRITICAL},
    {"2", CLASS_SHEDDABLE_PLUS},
    {"3", CLASS_SHEDDABLE},
    {NULL, 0},
};

static const char *const kinds[KEY_KIND_COUNT] = {
    [KEY_CLIENT] = "client", [KEY_WORKER] = "worker", [KEY_OPERATOR] = "operator"};

const char *key_kind_name(enum key_kind kind)
{
    assert(kind < KEY_KIND_COUNT);
    return kinds[kind];
}

/* Where it stands, for the reason. */
struct place {
    const char *source;
    unsigned line;
    char *reason;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct place *place,
                                                       const char *format, ...)
{
    va_list arguments;
    int size =
        snprintf(place->reason, ALLOW_REASON_BYTES, "%.200s:%u: ", place->source, place->line);
    va_start(arguments, format);
    (void)vsnprintf(place->reason + size, ALLOW_REASON_BYTES - (size_t)size, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_word(const struct word *word, const char *text, size_t size)
{
    return strlen(word->name) == size && memcmp(word->name, text, size) == 0;
}

/* "driver,tool_executor" as bits. */
static bool read_bits(const struct place *place, const struct word *words, const char *text,
                      uint32_t *ret)
{
    uint32_t bits = 0;
    for (;; text++) {
        size_t size = strcspn(text, ","), i = 0;
        while (words[i].name != NULL && !is_word(&words[i], text, size))
            i++;
        if (words[i].name == NULL)
            return fail(place, "there is no '%.*s'; there are %s", (int)(size < 32 ? size : 32),
                        text,
                        words == roles ? "driver, cache_partition, tool_executor, arcade_gateway, "
                                         "broker, autoscaler and console"
                                       : "the classes 0, 1, 2 and 3");
        bits |= BIT(words[i].number);
        text += size;
        if (*text == '\0')
            break;
    }
    *ret = bits;
    return true;
}

/* Names with commas, none of them empty. */
static bool read_names(const struct place *place, const char *text, const char **ret)
{
    *ret = text;
    for (;; text++) {
        size_t size = strcspn(text, ",");
        if (size == 0 || size > NAME_BYTES_MAX)
            return fail(place, "a name of 1 to %u bytes is missing in '%.64s'", NAME_BYTES_MAX,
                        *ret);
        text += size;
        if (*text == '\0')
            return true;
    }
}

/* The value of name=value; NULL: it is another word. */
static const char *value_of(const char *word, const char *name)
{
    size_t size = strlen(name);
    return strncmp(word, name, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

static bool read_grant(const struct place *place, const char *word, struct allowed *entry)
{
    const char *value;
    if ((value = value_of(word, "roles")) != NULL)
        return read_bits(place, roles, value, &entry->roles);
    if (entry->kind == KEY_CLIENT && (value = value_of(word, "classes")) != NULL)
        return read_bits(place, classes, value, &entry->classes);
    if (entry->kind == KEY_CLIENT && (value = value_of(word, "tenants")) != NULL)
        return read_names(place, value, &entry->tenants);
    if (entry->kind == KEY_CLIENT && (value = value_of(word, "methods")) != NULL)
        return read_names(place, value, &entry->methods);
    if (entry->kind == KEY_CLIENT && strcmp(word, "admin") == 0) {
        entry->admin = true;
        return true;
    }
    return fail(place, "'%.64s' is no grant of %s; %s", word, kinds[entry->kind],
                entry->kind == KEY_CLIENT
                    ? "there are roles=, classes=, tenants=, methods= and admin"
                    : "there is roles=");
}

static bool read_kind(const struct place *place, const char *word, struct allowed *entry)
{
    static const struct allowed defaults[KEY_KIND_COUNT] = {
        [KEY_CLIENT] = {.roles = BIT(ROLE_DRIVER), .classes = EVERY_CLASS & ~BIT(0)},
        [KEY_WORKER] = {.classes = EVERY_CLASS},
        [KEY_OPERATOR] = {.roles = BIT(ROLE_COUNT) - 1, .classes = EVERY_CLASS, .admin = true}};
    for (unsigned kind = 0; kind < KEY_KIND_COUNT; kind++)
        if (strcmp(word, kinds[kind]) == 0) {
            *entry = defaults[kind];
            entry->kind = (enum key_kind)kind;
            return true;
        }
    return fail(place, "'%.32s': a line begins with client, worker or operator", word);
}

/* One line, cut up by this: KIND NAME KEY [GRANT ...]. */
static bool read_line(const struct place *place, char *line, struct allowed *entry)
{
    char *rest = NULL;
    const char *kind = strtok_r(line, BLANKS, &rest);
    const char *name = strtok_r(NULL, BLANKS, &rest);
    const char *key = strtok_r(NULL, BLANKS, &rest);
    if (!read_kind(place, kind, entry))
        return false;
    if (key == NULL)
        return fail(place, "a line is KIND NAME KEY and grants");
    if (strlen(name) > NAME_BYTES_MAX)
        return fail(place, "a name has at most %u bytes", NAME_BYTES_MAX);
    if (!curve_key_is_sound(bytes_of(key)))
        return fail(place, "the third word is no key; see fact keys show");
    entry->name = name;
    entry->key = key;
    for (const char *word; (word = strtok_r(NULL, BLANKS, &rest)) != NULL;)
        if (!read_grant(place, word, entry))
            return false;
    if (entry->kind == KEY_WORKER && entry->roles == 0)
        return fail(place, "a worker's line names its roles, as roles=tool_executor");
    return true;
}

static int by_key(const void *left, const void *right)
{
    return memcmp(((const struct allowed *)left)->key, ((const struct allowed *)right)->key,
                  CURVE_KEY_BYTES);
}

static bool read_all(struct allow_list *self, struct place *place)
{
    for (char *line = self->text, *next; line != NULL; line = next) {
        place->line++;
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (strlen(line) > ALLOW_LINE_BYTES_MAX)
            return fail(place, "a line has at most %u bytes", ALLOW_LINE_BYTES_MAX);
        line += strspn(line, BLANKS);
        if (*line == '\0' || *line == '#')
            continue;
        if (self->count == ALLOWED_MAX)
            return fail(place, "there are at most %u keys", ALLOWED_MAX);
        if (!read_line(place, line, &self->entries[self->count]))
            return false;
        self->count++;
    }
    qsort(self->entries, self->count, sizeof self->entries[0], by_key);
    for (uint32_t i = 1; i < self->count; i++)
        if (by_key(&self->entries[i - 1], &self->entries[i]) == 0) {
            (void)snprintf(place->reason, ALLOW_REASON_BYTES, "%.200s: '%s' and '%s' have one key",
                           place->source, self->entries[i - 1].name, self->entries[i].name);
            return false;
        }
    return true;
}

struct allow_list *allow_list_read(struct bytes text, const char *source, char *reason)
{
    struct place place = {source, 0, reason};
    if (text.size > ALLOW_LIST_BYTES_MAX ||
        (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
        (void)snprintf(reason, ALLOW_REASON_BYTES, "%.200s: is no text of at most %u bytes", source,
                       ALLOW_LIST_BYTES_MAX);
        return NULL;
    }
    struct allow_list *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->text = malloc(text.size + 1);
    assert(self->text != NULL);
    if (text.size > 0)
        memcpy(self->text, text.data, text.size);
    self->text[text.size] = '\0';
    if (!read_all(self, &place))
        allow_list_destroy(&self);
    return self;
}

void allow_list_destroy(struct allow_list **self_p)
{
    if (*self_p == NULL)
        return;
    free((*self_p)->text);
    free(*self_p);
    *self_p = NULL;
}

const struct allowed *allow_list_find(const struct allow_list *self, struct bytes key)
{
    if (key.size != CURVE_KEY_BYTES)
        return NULL;
    struct allowed wanted = {.key = key.data};
    return bsearch(&wanted, self->entries, self->count, sizeof self->entries[0], by_key);
}

uint32_t allow_list_count(const struct allow_list *self)
{
    return self->count;
}

const struct allowed *allow_list_at(const struct allow_list *self, uint32_t index)
{
    assert(index < self->count);
    return &self->entries[index];
}

bool allowed_serves(const struct allowed *self, uint32_t role)
{
    return self->kind == KEY_WORKER && role < ROLE_COUNT && (self->roles & BIT(role)) != 0;
}

bool allowed_is_same(const struct allowed *self, const struct allowed *before)
{
    return self->kind == before->kind && self->roles == before->roles;
}

bool allow_names(const char *list, struct bytes text)
{
    if (list == NULL)
        return true;
    for (;; list++) {
        size_t size = strcspn(list, ",");
        bool open = size > 0 && list[size - 1] == '*';
        size_t wanted = open ? size - 1 : size;
        if ((open ? text.size >= wanted : text.size == wanted) && text.size > 0 &&
            memcmp(list, text.data, wanted) == 0)
            return true;
        list += size;
        if (*list == '\0')
            return false;
    }
}
