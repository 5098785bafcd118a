/* registry - see registry.h. */
#include "actors/driver/registry.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/schema.h"

#define DISTANCE_MAX 3u /* of a name that is suggested */

#define BUCKETS 1024u /* a power of two */
#define NOTHING UINT16_MAX

struct registry {
    struct tool tools[REGISTRY_TOOLS_MAX];
    size_t count;
    uint16_t first[BUCKETS];           /* tools by their names: chains of indices */
    uint16_t next[REGISTRY_TOOLS_MAX]; /* of the same bucket */
    uint64_t taken;                    /* definitions, ever */
    bool has_executors;
    uint64_t
        remote[METHODS_KNOWN_MAX]; /* tools that only gateways have, by a hash: see remote_key */
    size_t remote_count;
};

struct registry *registry_new(void)
{
    struct registry *self = calloc(1, sizeof *self);
    for (size_t i = 0; self != NULL && i < BUCKETS; i++)
        self->first[i] = NOTHING;
    return self;
}

static void free_texts(struct tool *tool)
{
    free((void *)(uintptr_t)tool->parameters.data);
    free((void *)(uintptr_t)tool->description.data);
}

void registry_destroy(struct registry **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        free_texts(&(*self)->tools[i]);
    free(*self);
    *self = NULL;
}

static size_t bucket_of(struct bytes name)
{
    return key_hash(0, name) & (BUCKETS - 1);
}

static struct tool *find(struct registry *self, struct bytes name, struct bytes version)
{
    for (size_t i = self->first[bucket_of(name)]; i != NOTHING; i = self->next[i])
        if (bytes_are(name, self->tools[i].name) && bytes_are(version, self->tools[i].version))
            return &self->tools[i];
    return NULL;
}

/* A version that was not stated is an empty text. */
static struct bytes stated(struct bytes version)
{
    return version.data == NULL ? bytes_of("") : version;
}

static size_t add_instance(struct name_text *instances, size_t count, struct bytes name)
{
    if (name.size == 0 || name.size > NAME_BYTES_MAX || count == WORKERS_MAX)
        return count;
    for (size_t i = 0; i < count; i++)
        if (bytes_are(name, instances[i].text))
            return count;
    memcpy(instances[count].text, name.data, name.size);
    instances[count].text[name.size] = '\0';
    return count + 1;
}

/* Of name and version. */
static uint64_t remote_key(struct bytes name, struct bytes version)
{
    char text[METHOD_BYTES_MAX + 1 + NAME_BYTES_MAX] = {0};
    size_t name_size = name.size < METHOD_BYTES_MAX ? name.size : METHOD_BYTES_MAX;
    size_t version_size = version.size < NAME_BYTES_MAX ? version.size : NAME_BYTES_MAX;
    memcpy(text, name.data, name_size);
    if (version_size > 0)
        memcpy(text + METHOD_BYTES_MAX + 1, version.data, version_size);
    return key_hash(0, (struct bytes){text, sizeof text});
}

static enum role role_of(const struct registry *self, struct bytes name, struct bytes version)
{
    uint64_t key = remote_key(name, version);
    for (size_t i = 0; i < self->remote_count; i++)
        if (self->remote[i] == key)
            return ROLE_ARCADE_GATEWAY;
    return ROLE_TOOL_EXECUTOR;
}

/* What has a version is a tool; a gateway has other methods, too. */
static bool is_tool(const struct msg_directory_method *method)
{
    bool is_remote = method->role == ROLE_ARCADE_GATEWAY && method->version.size > 0;
    return (method->role == ROLE_TOOL_EXECUTOR || is_remote) && method->workers > 0;
}

/* Which tools gateways have, and no executor: what is there goes before what is far. */
static void take_roles(struct registry *self, struct bytes methods)
{
    struct bytes element;
    struct msg_directory_method method;
    self->remote_count = 0;
    struct values values = values_over(methods);
    while (values_next(&values, &element) && self->remote_count < METHODS_KNOWN_MAX)
        if (message_decode(MSG_DIRECTORY_METHOD, element, &method) == STATUS_OK &&
            is_tool(&method) && method.role == ROLE_ARCADE_GATEWAY)
            self->remote[self->remote_count++] = remote_key(method.name, method.version);
    values = values_over(methods);
    while (values_next(&values, &element)) {
        if (message_decode(MSG_DIRECTORY_METHOD, element, &method) != STATUS_OK ||
            !is_tool(&method) || method.role != ROLE_TOOL_EXECUTOR || self->remote_count == 0)
            continue;
        uint64_t key = remote_key(method.name, stated(method.version));
        for (size_t i = 0; i < self->remote_count; i++)
            if (self->remote[i] == key)
                self->remote[i] = self->remote[--self->remote_count];
    }
}

size_t registry_take_directory(struct registry *self, const struct msg_directory *directory,
                               struct name_text *ret_unknown)
{
    size_t unknown = 0;
    struct values values = values_over(directory->methods);
    struct bytes element;
    struct msg_directory_method method;
    self->has_executors = false;
    take_roles(self, directory->methods);
    for (size_t i = 0; i < self->count; i++) {
        struct tool *tool = &self->tools[i];
        tool->served = false;
        tool->role = role_of(self, bytes_of(tool->name), bytes_of(tool->version));
    }
    while (values_next(&values, &element)) {
        if (message_decode(MSG_DIRECTORY_METHOD, element, &method) != STATUS_OK ||
            !is_tool(&method))
            continue;
        self->has_executors = true;
        struct tool *tool = find(self, method.name, stated(method.version));
        if (tool != NULL && tool->schema == method.schema)
            tool->served = true;
        else
            unknown = add_instance(ret_unknown, unknown, method.instance);
    }
    return unknown;
}

size_t registry_count(const struct registry *self)
{
    return self->count;
}

bool registry_has_executors(const struct registry *self)
{
    return self->has_executors;
}

/* A place for this tool: its own if it is known, else a new one; NULL: there is no room. */
static struct tool *place(struct registry *self, struct bytes name, struct bytes version)
{
    struct tool *tool = find(self, name, version);
    if (tool != NULL)
        return tool;
    if (self->count == REGISTRY_TOOLS_MAX)
        return NULL;
    size_t bucket = bucket_of(name);
    self->next[self->count] = self->first[bucket];
    self->first[bucket] = (uint16_t)self->count;
    return &self->tools[self->count++];
}
_Static_assert(REGISTRY_TOOLS_MAX < NOTHING, "an index is none");

static bool is_sound(const struct msg_tool_definition *definition)
{
    char name[METHOD_BYTES_MAX];
    struct bytes resolved;
    struct fault fault;
    if (!key_tool_name(definition->name, name, &resolved) ||
        !bytes_equal(resolved, definition->name) || definition->version.size > NAME_BYTES_MAX)
        return false;
    return definition->parameters.data == NULL || value_kind(definition->parameters) == KIND_NIL ||
           schema_check(definition->parameters, &fault) == STATUS_OK;
}

/* An absent or unknown scope is tenant, which is narrow enough for what a tool may not say. */
static enum key_scope_kind scope_of(const struct msg_tool_definition *definition)
{
    enum key_scope_kind scope;
    return key_scope_kind_of(definition->scope, &scope) ? scope : KEY_TENANT;
}

/* A copy; what is absent, nil or empty stays absent. returns  false: there is no memory */
static bool copy(struct bytes from, struct bytes *ret)
{
    *ret = (struct bytes){0};
    if (from.data == NULL || from.size == 0)
        return true;
    char *memory = malloc(from.size);
    if (memory == NULL)
        return false;
    memcpy(memory, from.data, from.size);
    *ret = (struct bytes){memory, from.size};
    return true;
}

static uint64_t at_most(uint64_t number, uint64_t bound)
{
    return number < bound ? number : bound;
}

static void fill(struct tool *tool, const struct msg_tool_definition *definition,
                 struct bytes parameters, struct bytes description)
{
    free_texts(tool);
    *tool = (struct tool){.schema = definition->schema,
                          .parameters = parameters,
                          .description = description,
                          .timeout_ms = at_most(definition->timeout_ms, TTL_MS_MAX),
                          .ttl_ms = at_most(definition->ttl_ms, TTL_MS_MAX),
                          .scope = scope_of(definition),
                          .cacheable = definition->cacheable,
                          .idempotent = definition->idempotent,
                          .read_only = definition->read_only,
                          .served = true};
    memcpy(tool->name, definition->name.data, definition->name.size);
    if (definition->version.size > 0)
        memcpy(tool->version, definition->version.data, definition->version.size);
}

static bool take_definition(struct registry *self, const struct msg_tool_definition *definition)
{
    struct bytes parameters = definition->parameters, description = {0};
    if (!is_sound(definition))
        return false;
    if (parameters.data != NULL && value_kind(parameters) == KIND_NIL)
        parameters.data = NULL;
    bool copied = copy(parameters, &parameters) && copy(definition->description, &description);
    struct tool *tool = copied ? place(self, definition->name, definition->version) : NULL;
    if (tool == NULL) {
        free_texts(&(struct tool){.parameters = parameters, .description = description});
        return false;
    }
    fill(tool, definition, parameters, description);
    tool->role = role_of(self, definition->name, stated(definition->version));
    tool->number = ++self->taken;
    return true;
}

size_t registry_take_definitions(struct registry *self, const struct msg_tool_definitions *list)
{
    size_t taken = 0;
    struct values values = values_over(list->tools);
    struct bytes element;
    struct msg_tool_definition definition;
    while (values_next(&values, &element))
        if (message_decode(MSG_TOOL_DEFINITION, element, &definition) == STATUS_OK)
            taken += take_definition(self, &definition);
    return taken;
}

int64_t registry_smooth(int64_t typical_us, int64_t us)
{
    int64_t next_us = typical_us == 0 ? us : typical_us + (us - typical_us) / 8;
    return next_us > 0 ? next_us : 1;
}

const struct tool *registry_find(const struct registry *self, struct bytes name,
                                 struct bytes version)
{
    const struct tool *best = NULL;
    for (size_t i = self->first[bucket_of(name)]; i != NOTHING; i = self->next[i]) {
        const struct tool *tool = &self->tools[i];
        if (!bytes_are(name, tool->name))
            continue;
        if (version.size > 0 && !bytes_are(version, tool->version))
            continue;
        bool better = best == NULL || (tool->served && !best->served) ||
                      (tool->served == best->served &&
                       registry_compare_versions(tool->version, best->version) > 0);
        if (better)
            best = tool;
    }
    return best;
}

/* Names by their bytes; of one name, the highest version last. */
static int compare_tools(const void *left, const void *right)
{
    const struct tool *a = *(const struct tool *const *)left;
    const struct tool *b = *(const struct tool *const *)right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : registry_compare_versions(a->version, b->version);
}

size_t registry_served(const struct registry *self, const struct tool **ret)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->tools[i].served)
            ret[count++] = &self->tools[i];
    qsort(ret, count, sizeof(void *), compare_tools); /* pointers */
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || strcmp(ret[i]->name, ret[i + 1]->name) != 0)
            ret[kept++] = ret[i];
    return kept;
}

/* Of the tool as it was copied: it may have gone, or changed, since. */
void registry_note_time(struct registry *self, const struct tool *tool, int64_t us)
{
    struct tool *known = find(self, bytes_of(tool->name), bytes_of(tool->version));
    if (known != NULL)
        known->typical_us = registry_smooth(known->typical_us, us);
}

/* source: Wagner and Fischer, The string-to-string correction problem, 1974 */
static unsigned distance(struct bytes left, const char *right)
{
    unsigned costs[METHOD_BYTES_MAX + 1];
    size_t width = strlen(right);
    for (size_t k = 0; k <= width; k++)
        costs[k] = (unsigned)k;
    for (size_t i = 0; i < left.size; i++) {
        unsigned diagonal = costs[0];
        costs[0] = (unsigned)i + 1;
        for (size_t k = 0; k < width; k++) {
            unsigned above = costs[k + 1];
            bool same = (left.data[i] | 0x20) == (right[k] | 0x20);
            unsigned least = diagonal + !same;
            least = costs[k] + 1 < least ? costs[k] + 1 : least;
            costs[k + 1] = above + 1 < least ? above + 1 : least;
            diagonal = above;
        }
    }
    return costs[width];
}

void registry_suggest(const struct registry *self, struct bytes name, char *out)
{
    size_t used = 0;
    out[0] = '\0';
    if (name.size > METHOD_BYTES_MAX)
        return;
    for (size_t i = 0; i < self->count; i++) {
        const char *known = self->tools[i].name;
        if (strlen(known) + 3 > REGISTRY_SUGGESTIONS_BYTES_MAX - used)
            return;
        if (strstr(out, known) == NULL && distance(name, known) <= DISTANCE_MAX)
            used += (size_t)snprintf(out + used, REGISTRY_SUGGESTIONS_BYTES_MAX - used, "%s%s",
                                     used > 0 ? ", " : "", known);
    }
}

/* One identifier: numbers by value and before texts, texts by their bytes. */
static int compare_identifiers(const char *left, size_t left_size, const char *right,
                               size_t right_size)
{
    bool left_number = strspn(left, "0123456789") >= left_size;
    bool right_number = strspn(right, "0123456789") >= right_size;
    if (left_number != right_number)
        return left_number ? -1 : 1;
    if (left_number && left_size != right_size)
        return left_size < right_size ? -1 : 1;
    size_t size = left_size < right_size ? left_size : right_size;
    int order = memcmp(left, right, size);
    return order != 0 || left_size == right_size ? order : left_size < right_size ? -1 : 1;
}

/* Identifiers with dots between them, up to one of these bytes; the shorter of two alike is less.
 */
static int compare_lists(const char **left, const char **right, const char *end)
{
    char stops[8];
    snprintf(stops, sizeof stops, ".%s", end);
    for (;;) {
        size_t left_size = strcspn(*left, stops), right_size = strcspn(*right, stops);
        int order = compare_identifiers(*left, left_size, *right, right_size);
        *left += left_size;
        *right += right_size;
        if (order != 0)
            return order;
        if (**left != '.' || **right != '.')
            return (**left == '.') - (**right == '.');
        (*left)++;
        (*right)++;
    }
}

int registry_compare_versions(const char *left, const char *right)
{
    int order = compare_lists(&left, &right, "-+");
    if (order != 0)
        return order;
    if (*left != '-' || *right != '-')
        return (*right == '-') - (*left == '-');
    left++;
    right++;
    return compare_lists(&left, &right, "+");
}
