/* imports - see imports.h. Each tool is a piece of memory of its own, so that a call that runs can
 * hold one that is not offered any more. */
#include "actors/arcade_gateway/imports.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/http.h"
#include "protocol/canonical.h"
#include "protocol/key.h"
#include "protocol/schema.h"

#define DIGITS 8u               /* of a name's hash */
#define OVERHEAD_BYTES 128u     /* of a definition beside its texts and schemas */
#define NAME_OVERHEAD_BYTES 40u /* of a method in READY beside its texts */

struct entry {
    struct remote_tool tool; /* first: what is lent is this */
    char *memory;            /* of schemas and extra */
    unsigned holders;        /* calls, and the table */
    bool is_listed;          /* by the list that is being read */
    bool is_named;           /* no list held it: it was asked for by name */
    size_t bytes;            /* it takes of IMPORTS_BYTES_MAX */
};

struct imports {
    struct entry *list[REMOTE_TOOLS_MAX]; /* by name */
    size_t count, bytes, names_bytes, named;
    bool changed; /* since the list was begun */
    uint64_t generation;
};

struct imports *imports_new(void)
{
    struct imports *self = calloc(1, sizeof *self);
    assert(self != NULL);
    return self;
}

static void release(struct entry *entry)
{
    assert(entry->holders > 0);
    if (--entry->holders > 0)
        return;
    free(entry->memory);
    free(entry);
}

void imports_destroy(struct imports **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        release((*self)->list[i]);
    free(*self);
    *self = NULL;
}

void imports_hold(const struct remote_tool *tool)
{
    ((struct entry *)(uintptr_t)tool)->holders++;
}

void imports_release(const struct remote_tool **tool)
{
    if (*tool != NULL)
        release((struct entry *)(uintptr_t)*tool);
    *tool = NULL;
}

static size_t name_bytes_of(const struct remote_tool *tool)
{
    return strlen(tool->name) + strlen(tool->version) + NAME_OVERHEAD_BYTES;
}

/* Where this name is, or belongs. */
static size_t place_of(const struct imports *self, const char *name)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(self->list[middle]->tool.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *entry_of(const struct imports *self, const char *name)
{
    size_t place = place_of(self, name);
    bool found = place < self->count && strcmp(self->list[place]->tool.name, name) == 0;
    return found ? self->list[place] : NULL;
}

static void take_out(struct imports *self, size_t place)
{
    struct entry *entry = self->list[place];
    self->bytes -= entry->bytes;
    self->names_bytes -= name_bytes_of(&entry->tool);
    self->named -= entry->is_named;
    self->count--;
    for (size_t i = place; i < self->count; i++)
        self->list[i] = self->list[i + 1];
    release(entry);
    self->changed = true;
}

static bool is_of(const struct entry *entry, const char *source)
{
    return strcmp(entry->tool.source, source) == 0;
}

void imports_begin(struct imports *self, const char *source)
{
    self->changed = false;
    for (size_t i = 0; i < self->count; i++)
        if (is_of(self->list[i], source))
            self->list[i]->is_listed = false;
}

bool imports_end(struct imports *self, const char *source)
{
    for (size_t i = self->count; i-- > 0;)
        if (is_of(self->list[i], source) && !self->list[i]->is_listed && !self->list[i]->is_named)
            take_out(self, i);
    self->generation += self->changed;
    return self->changed;
}

/* A remote name as one of ours; cut, with the hash of the whole at its end, if it is too long or
 * wants to be told from another. */
static void map_name(const char *source, const char *remote_name, bool with_hash, char *out)
{
    char text[REMOTE_SOURCE_BYTES_MAX + REMOTE_NAME_BYTES_MAX + 1];
    size_t size = (size_t)snprintf(text, sizeof text, "%s_%s", source, remote_name);
    uint64_t hash = canonical_hash((struct bytes){text, size});
    for (size_t i = strlen(source) + 1; i < size; i++)
        if (strspn(text + i, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
            0)
            text[i] = '_';
    if (!with_hash && size <= METHOD_BYTES_MAX) {
        memcpy(out, text, size + 1);
        return;
    }
    size_t kept = METHOD_BYTES_MAX - DIGITS - 1;
    if (size < kept)
        kept = size;
    (void)snprintf(out, METHOD_BYTES_MAX + 1, "%.*s_%08x", (int)kept, text, (unsigned)hash);
}

/* The name that this tool gets or has. Two remote names may read the same once they are mapped: the
 * second gets its hash. */
static bool choose_name(const struct imports *self, const char *source, const char *remote_name,
                        char *out)
{
    for (int with_hash = 0; with_hash <= 1; with_hash++) {
        map_name(source, remote_name, with_hash != 0, out);
        const struct entry *entry = entry_of(self, out);
        if (entry == NULL ||
            (is_of(entry, source) && strcmp(entry->tool.remote_name, remote_name) == 0))
            return true;
        if (is_of(entry, source) && !entry->is_listed && !entry->is_named)
            return true; /* it was another's, who has gone */
    }
    return false;
}

static bool refuse(char *reason, const char *why, const char *more)
{
    (void)snprintf(reason, HTTP_REASON_BYTES, "%s: %.200s", why, more);
    return false;
}

/* A schema in canonical form, behind what the writer has; false: it is none that we can check. */
static bool write_schema(struct bytes schema, const char *which, struct writer *memory,
                         struct bytes *ret, char *reason)
{
    struct fault fault;
    size_t start = memory->used;
    *ret = (struct bytes){0};
    if (schema.data == NULL)
        return true;
    if (canonical_value(schema, memory, &fault) != STATUS_OK)
        return refuse(reason, which, memory->full ? "too large" : fault.reason);
    *ret = (struct bytes){memory->data + start, memory->used - start};
    if (ret->size > REMOTE_SCHEMA_BYTES_MAX)
        return refuse(reason, which, "too large");
    if (schema_check(*ret, &fault) != STATUS_OK)
        return refuse(reason, which, fault.reason);
    return true;
}

/* Schemas and the dialect's own. */
static bool fill_bytes(struct entry *entry, const struct remote_tool *given, char *reason)
{
    size_t size = (size_t)2 * REMOTE_SCHEMA_BYTES_MAX + given->extra.size + 1;
    struct remote_tool *tool = &entry->tool;
    struct writer memory;
    entry->memory = malloc(size);
    assert(entry->memory != NULL);
    writer_init(&memory, entry->memory, size);
    if (!write_schema(given->parameters, "parameters", &memory, &tool->parameters, reason) ||
        !write_schema(given->result, "result", &memory, &tool->result, reason))
        return false;
    tool->extra = (struct bytes){0};
    if (given->extra.data != NULL) {
        tool->extra = (struct bytes){entry->memory + memory.used, given->extra.size};
        writer_raw(&memory, given->extra);
    }
    return !memory.full || refuse(reason, "too large", given->remote_name);
}

static bool hash_it(struct remote_tool *tool, char *reason)
{
    char room[2 * REMOTE_SCHEMA_BYTES_MAX + 1024];
    struct writer writer;
    struct fault fault;
    struct definition definition = {bytes_of(tool->name), bytes_of(tool->version), tool->parameters,
                                    tool->result};
    writer_init(&writer, room, sizeof room);
    if (canonical_definition(&definition, &writer, &fault) != STATUS_OK)
        return refuse(reason, "definition", fault.reason);
    tool->schema = canonical_hash(writer_bytes(&writer));
    return true;
}

/* A new entry from what a source says; NULL: it is no sound tool. */
static struct entry *entry_new(const char *source, const char *name,
                               const struct remote_tool *given, char *reason)
{
    char resolved_name[METHOD_BYTES_MAX];
    struct bytes resolved;
    if (!key_tool_name(bytes_of(name), resolved_name, &resolved) || given->version[0] == '\0') {
        (void)refuse(reason, "no name or version of a tool", given->remote_name);
        return NULL;
    }
    struct entry *entry = calloc(1, sizeof *entry);
    assert(entry != NULL);
    entry->tool = *given;
    (void)snprintf(entry->tool.name, sizeof entry->tool.name, "%s", name);
    (void)snprintf(entry->tool.source, sizeof entry->tool.source, "%s", source);
    entry->holders = 1;
    entry->is_listed = true;
    bool good = fill_bytes(entry, given, reason) && hash_it(&entry->tool, reason);
    entry->bytes = entry->tool.parameters.size + entry->tool.result.size +
                   strlen(entry->tool.description) + name_bytes_of(&entry->tool) + OVERHEAD_BYTES;
    if (good)
        return entry;
    release(entry);
    return NULL;
}

static bool is_same(const struct remote_tool *left, const struct remote_tool *right)
{
    return left->schema == right->schema && strcmp(left->remote_name, right->remote_name) == 0 &&
           strcmp(left->description, right->description) == 0 &&
           left->timeout_ms == right->timeout_ms && left->ttl_ms == right->ttl_ms &&
           strcmp(left->scope, right->scope) == 0 && left->cacheable == right->cacheable &&
           left->read_only == right->read_only && left->idempotent == right->idempotent &&
           left->needs_authorization == right->needs_authorization &&
           bytes_equal(left->extra, right->extra);
}

static void put_in(struct imports *self, struct entry *entry)
{
    size_t place = place_of(self, entry->tool.name);
    for (size_t i = self->count; i > place; i--)
        self->list[i] = self->list[i - 1];
    self->list[place] = entry;
    self->count++;
    self->bytes += entry->bytes;
    self->names_bytes += name_bytes_of(&entry->tool);
    self->changed = true;
}

static void set_named(struct imports *self, struct entry *entry, bool is_named)
{
    self->named += is_named;
    self->named -= entry->is_named;
    entry->is_named = is_named;
}

bool imports_add(struct imports *self, const char *source, const struct remote_tool *tool,
                 char *reason)
{
    char name[METHOD_BYTES_MAX + 1];
    assert(tool->scope != NULL);
    if (!choose_name(self, source, tool->remote_name, name))
        return refuse(reason, "its name is taken", tool->remote_name);
    struct entry *entry = entry_new(source, name, tool, reason);
    if (entry == NULL)
        return false;
    struct entry *before = entry_of(self, name);
    if (before != NULL && is_same(&before->tool, &entry->tool)) {
        before->is_listed = true;
        set_named(self, before, false);
        release(entry);
        return true;
    }
    if (before != NULL)
        take_out(self, place_of(self, name));
    if (self->count == REMOTE_TOOLS_MAX || self->bytes + entry->bytes > IMPORTS_BYTES_MAX ||
        self->names_bytes + name_bytes_of(&entry->tool) > IMPORTS_NAMES_BYTES_MAX) {
        release(entry);
        return refuse(reason, "there is no room for more tools", tool->remote_name);
    }
    put_in(self, entry);
    return true;
}

/* The entry of a source's own name for it; NULL: none. */
static struct entry *entry_of_remote(const struct imports *self, const char *source,
                                     const char *remote_name)
{
    for (size_t i = 0; i < self->count; i++)
        if (is_of(self->list[i], source) &&
            strcmp(self->list[i]->tool.remote_name, remote_name) == 0)
            return self->list[i];
    return NULL;
}

const struct remote_tool *imports_put(struct imports *self, const char *source,
                                      const struct remote_tool *tool, char *reason)
{
    struct entry *entry = entry_of_remote(self, source, tool->remote_name);
    bool is_named = entry == NULL || entry->is_named;
    if (entry == NULL && self->named == NAMED_TOOLS_MAX) {
        (void)refuse(reason, "no more tools can be offered by name alone", tool->remote_name);
        return NULL;
    }
    self->changed = false;
    bool is_taken = imports_add(self, source, tool, reason);
    self->generation += self->changed;
    if (!is_taken)
        return NULL;
    entry = entry_of_remote(self, source, tool->remote_name);
    assert(entry != NULL);
    set_named(self, entry, is_named);
    return &entry->tool;
}

void imports_drop(struct imports *self, const char *source, const char *remote_name)
{
    const struct entry *entry = entry_of_remote(self, source, remote_name);
    if (entry == NULL)
        return;
    take_out(self, place_of(self, entry->tool.name));
    self->generation++;
}

enum status imports_write_definition(const struct remote_tool *tool, struct writer *writer)
{
    struct msg_tool_definition definition = {.name = bytes_of(tool->name),
                                             .version = bytes_of(tool->version),
                                             .description = bytes_of(tool->description),
                                             .parameters = tool->parameters,
                                             .result = tool->result,
                                             .schema = tool->schema,
                                             .timeout_ms = tool->timeout_ms,
                                             .scope = bytes_of(tool->scope),
                                             .cacheable = tool->cacheable,
                                             .ttl_ms = tool->ttl_ms,
                                             .read_only = tool->read_only,
                                             .idempotent = tool->idempotent};
    return message_write(MSG_TOOL_DEFINITION, &definition, writer);
}

const struct remote_tool *imports_find(const struct imports *self, struct bytes name)
{
    char text[METHOD_BYTES_MAX + 1];
    if (name.size > METHOD_BYTES_MAX)
        return NULL;
    (void)snprintf(text, sizeof text, "%.*s", (int)name.size, name.data == NULL ? "" : name.data);
    const struct entry *entry = entry_of(self, text);
    return entry == NULL ? NULL : &entry->tool;
}

size_t imports_count(const struct imports *self)
{
    return self->count;
}

size_t imports_bytes(const struct imports *self)
{
    return self->bytes;
}

size_t imports_named(const struct imports *self)
{
    return self->named;
}

uint64_t imports_generation(const struct imports *self)
{
    return self->generation;
}

size_t imports_count_of(const struct imports *self, const char *source)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += is_of(self->list[i], source);
    return count;
}

const struct remote_tool *imports_at(const struct imports *self, size_t index)
{
    assert(index < self->count);
    return &self->list[index]->tool;
}
