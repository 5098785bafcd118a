/* arcade_describe - see arcade_talk.h. One tool's definition, by GET /v1/tools/{name}: because
 * somebody asks for it, or because Arcade refuses a call as if the tool were another than we know.
 * Such a look is paid for like a repeat, so that a tool that refuses much does not double what is
 * asked. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "protocol/limits.h"
#include "protocol/schema.h"

/* What the settings leave out is not offered by name either. */
static bool is_wanted(const char *toolkits, const char *remote_name)
{
    struct bytes name = {remote_name, strcspn(remote_name, ".")};
    struct bytes toolkit = arcade_toolkit(toolkits, 0);
    if (toolkit.size == 0)
        return true;
    for (; toolkit.size > 0;
         toolkit = arcade_toolkit(toolkits, (size_t)(toolkit.data - toolkits) + toolkit.size))
        if (bytes_equal(toolkit, name))
            return true;
    return false;
}

/* Arcade's name of one of ours: as it was listed; else the first _ was a dot, for the names of
 * toolkits have none. */
static bool name_wanted(struct dialogue *self, struct bytes name)
{
    struct arcade_talk *talk = self->state;
    const struct remote_tool *known = imports_find(self->remote->imports, name);
    size_t source_size = strlen(self->remote->name);
    if (known != NULL && strcmp(known->source, self->remote->name) == 0) {
        snprintf(talk->wanted, sizeof talk->wanted, "%s", known->remote_name);
        return true;
    }
    if (name.size < source_size + 2 || name.data[source_size] != '_' ||
        memcmp(name.data, self->remote->name, source_size) != 0)
        return false;
    snprintf(talk->wanted, sizeof talk->wanted, "%.*s", (int)(name.size - source_size - 1),
             name.data + source_size + 1);
    char *first = strpbrk(talk->wanted, "._");
    if (first != NULL)
        *first = '.';
    const struct arcade_server *server = self->remote->memory;
    return first != NULL && is_wanted(server->toolkits, talk->wanted);
}

static enum dialogue_next fail_unknown(struct dialogue *self)
{
    failure_set(&self->failure, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND",
                "Arcade has no such tool, or it is not among those that are wanted here.");
    return DIALOGUE_FAILED;
}

enum dialogue_next arcade_describe(struct dialogue *self, struct exchange *ret)
{
    struct msg_tool_describe wanted;
    if (message_decode(MSG_TOOL_DESCRIBE, self->arguments, &wanted) != STATUS_OK ||
        !name_wanted(self, wanted.name))
        return fail_unknown(self);
    return arcade_ask(self, ARCADE_DESCRIBE, ret);
}

enum dialogue_next arcade_doubt(struct dialogue *self, bool was_refused, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    int64_t last_at = self->now_at + ARCADE_DOUBT_MS * US_PER_MS;
    assert(self->failure.status != STATUS_OK);
    if (talk->has_doubted)
        return DIALOGUE_FAILED;
    talk->has_doubted = true;
    talk->was_refused = was_refused;
    talk->at_first = self->failure;
    snprintf(talk->wanted, sizeof talk->wanted, "%s", self->tool->remote_name);
    enum dialogue_next next = arcade_ask(self, ARCADE_DESCRIBE, ret);
    if (next == DIALOGUE_FAILED) { /* such a name fits no address */
        self->failure = talk->at_first;
        return next;
    }
    self->failure = (struct failure){0};
    ret->is_repeat = true;
    ret->http.deadline_at = last_at < self->deadline_at ? last_at : self->deadline_at;
    return next;
}

/* It is a newer one: is the call one for it, too? */
static enum dialogue_next try_anew(struct dialogue *self, const struct remote_tool *tool,
                                   struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    struct fault fault;
    if (schema_validate(self->arguments, tool->parameters, &fault) != STATUS_OK) {
        failure_set(&self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "The tool has changed: %s",
                    fault.reason);
        failure_field(&self->failure, "%s", fault.path);
        return DIALOGUE_FAILED;
    }
    imports_hold(tool);
    imports_release(&self->tool);
    self->tool = tool;
    talk->may_repeat = tool->idempotent || tool->read_only;
    return arcade_ask(self, tool->needs_authorization ? ARCADE_AUTHORIZE : ARCADE_EXECUTE, ret);
}

/* What is known of a call's tool now. */
static enum dialogue_next after_doubt(struct dialogue *self, const struct remote_tool *tool,
                                      struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    bool is_new = tool != NULL && tool != self->tool;
    if (is_new && talk->was_refused)
        return try_anew(self, tool, ret);
    self->failure = talk->at_first;
    if (is_new && self->failure.hint[0] == '\0')
        failure_hint(&self->failure, "Its definition has changed: look at it again.");
    return DIALOGUE_FAILED;
}

enum dialogue_next arcade_on_describe(struct dialogue *self, const struct http_response *came,
                                      struct exchange *ret)
{
    const struct arcade_talk *talk = self->state;
    char reason[HTTP_REASON_BYTES] = "";
    const struct remote_tool *tool = NULL;
    bool is_gone = came->end == HTTP_ANSWERED && came->status == 404;
    bool is_good = arcade_is_good(came);
    if (is_gone)
        imports_drop(self->remote->imports, self->remote->name, talk->wanted);
    if (is_good)
        tool = arcade_import_one(self, talk->came.value, reason);
    if (self->purpose == DIALOGUE_CALL)
        return after_doubt(self, tool, ret);
    if (is_gone)
        return fail_unknown(self);
    if (!is_good)
        return arcade_fail_http(self, came);
    if (tool == NULL)
        return arcade_fail(self, "LIMIT", reason);
    enum status status = imports_write_definition(tool, &self->data);
    assert(status == STATUS_OK); /* bounds of imports are below a result's */
    return DIALOGUE_DONE;
}
