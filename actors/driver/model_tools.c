/* model_tools - see model_tools.h. */
#include "actors/driver/model_tools.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES 8u
#define LIST_HEAD_BYTES 3u /* an array of up to 65,535 */

struct offered {
    char name[METHOD_BYTES_MAX + 1];
    char version[NAME_BYTES_MAX + 1];
    uint64_t schema;
};

struct model_tools {
    char *wanted;
    struct offered offered[MODEL_TOOLS_MAX];
    size_t count, left_out;
    char list[LIST_HEAD_BYTES + MODEL_TOOLS_BYTES_MAX];
    size_t used;
};

static void write_head(struct model_tools *self)
{
    (void)cursor_put(self->list, TAG_ARRAY16, 2, self->count);
}

struct model_tools *model_tools_new(const char *wanted)
{
    struct model_tools *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->wanted = strdup(wanted);
    assert(self->wanted != NULL);
    self->used = LIST_HEAD_BYTES;
    write_head(self);
    return self;
}

void model_tools_destroy(struct model_tools **self_p)
{
    struct model_tools *self = *self_p;
    if (self == NULL)
        return;
    free(self->wanted);
    free(self);
    *self_p = NULL;
}

static bool is_wanted(const struct model_tools *self, const struct tool *tool)
{
    static const char *const between = ", ";
    const char *at = self->wanted + strspn(self->wanted, between);
    if (*at == '\0')
        return tool->read_only;
    while (*at != '\0') {
        size_t size = strcspn(at, between);
        bool open = at[size - 1] == '*';
        if (strncmp(at, tool->name, size - open) == 0 && (open || tool->name[size] == '\0'))
            return true;
        at += size;
        at += strspn(at, between);
    }
    return false;
}

/* returns  false: there is no room */
static bool offer(struct model_tools *self, const struct tool *tool)
{
    struct writer writer;
    struct msg_model_tool message = {.name = bytes_of(tool->name),
                                     .description = tool->description,
                                     .parameters = tool->parameters};
    if (self->count == MODEL_TOOLS_MAX)
        return false;
    writer_init(&writer, self->list + self->used, sizeof self->list - self->used);
    if (message_write(MSG_MODEL_TOOL, &message, &writer) != STATUS_OK)
        return false;
    self->used += writer.used;
    struct offered *offered = &self->offered[self->count++];
    memcpy(offered->name, tool->name, sizeof offered->name);
    memcpy(offered->version, tool->version, sizeof offered->version);
    offered->schema = tool->schema;
    return true;
}

void model_tools_choose(struct model_tools *self, const struct registry *registry)
{
    const struct tool *served[REGISTRY_TOOLS_MAX];
    size_t count = registry_served(registry, served);
    if (count == 0)
        return;
    self->count = self->left_out = 0;
    self->used = LIST_HEAD_BYTES;
    for (size_t i = 0; i < count; i++)
        if (is_wanted(self, served[i]) && !offer(self, served[i]))
            self->left_out++;
    write_head(self);
}

size_t model_tools_count(const struct model_tools *self)
{
    return self->count;
}

size_t model_tools_left_out(const struct model_tools *self)
{
    return self->left_out;
}

size_t model_tools_bytes(const struct model_tools *self)
{
    return self->used - LIST_HEAD_BYTES;
}

struct bytes model_tools_list(const struct model_tools *self)
{
    return (struct bytes){self->list, self->used};
}

const char *model_tools_find(const struct model_tools *self, struct bytes name)
{
    for (size_t i = 0; i < self->count; i++)
        if (bytes_are(name, self->offered[i].name))
            return self->offered[i].name;
    return NULL;
}

void model_tools_digest(const struct model_tools *self, struct key_digest *digest)
{
    for (size_t i = 0; i < self->count; i++) {
        char hash[HASH_BYTES];
        for (unsigned k = 0; k < HASH_BYTES; k++)
            hash[k] = (char)(self->offered[i].schema >> (8 * k));
        key_digest_add(digest, bytes_of(self->offered[i].name));
        key_digest_add(digest, bytes_of(self->offered[i].version));
        key_digest_add(digest, (struct bytes){hash, sizeof hash});
    }
}
