/* offers - see offers.h. */
#include "actors/arcade_gateway/offers.h"

#include <assert.h>
#include <stdio.h>

void offers_write_methods(const struct imports *imports, bool with_models, struct writer *writer)
{
    size_t count = imports_count(imports);
    struct msg_method model = {.name = bytes_of(OFFERS_MODEL_METHOD)};
    struct msg_method describe = {.name = bytes_of(OFFERS_DESCRIBE_METHOD)};
    enum status status = STATUS_OK;
    writer_array(writer, count + with_models + 1);
    for (size_t i = 0; i < count; i++) {
        const struct remote_tool *tool = imports_at(imports, i);
        struct msg_method method = {bytes_of(tool->name), bytes_of(tool->version), tool->schema};
        status = message_write(MSG_METHOD, &method, writer);
        assert(status == STATUS_OK); /* IMPORTS_NAMES_BYTES_MAX saw to it */
    }
    if (with_models)
        status = message_write(MSG_METHOD, &model, writer);
    assert(status == STATUS_OK);
    status = message_write(MSG_METHOD, &describe, writer);
    assert(status == STATUS_OK);
}

enum status offers_write_tools(const struct imports *imports, struct bytes name, char *room,
                               struct writer *writer)
{
    struct writer list;
    size_t count = 0;
    for (size_t i = 0; i < imports_count(imports); i++)
        count += name.data == NULL || bytes_are(name, imports_at(imports, i)->name);
    writer_init(&list, room, OFFERS_ROOM_BYTES);
    writer_array(&list, count);
    for (size_t i = 0; i < imports_count(imports); i++) {
        const struct remote_tool *tool = imports_at(imports, i);
        if (name.data != NULL && !bytes_are(name, tool->name))
            continue;
        enum status status = imports_write_definition(tool, &list);
        assert(status == STATUS_OK); /* IMPORTS_BYTES_MAX saw to it */
    }
    struct msg_tool_definitions definitions = {.tools = writer_bytes(&list)};
    return message_write(MSG_TOOL_DEFINITIONS, &definitions, writer);
}

static enum status write_target(const struct site *site, struct writer *writer)
{
    const struct target *target = &site->target;
    const char *name = site->remote.name;
    char alone[201];
    size_t left_alone = parts_left_alone(target->parts, alone, sizeof alone);
    struct msg_gateway_target row = {
        .name = bytes_of(name),
        .kind = bytes_of(site->is_foreign ? "web" : site->dialect->name),
        .state = bytes_of(breaker_state_name(breaker_seen(&target->breaker))),
        .key = site->remote.secret[0] != '\0',
        .needs_key = site->needs_key,
        .listed = site->listed,
        .tools = imports_count_of(site->remote.imports, name),
        .trouble = bytes_of(site->trouble[0] == '\0' ? NULL : site->trouble),
        .calls = target->calls,
        .calls_max = target->rule->calls_max,
        .sent = target->sent,
        .ok = target->ok,
        .failed = target->failed,
        .repeated = target->repeated,
        .limited = target->limited,
        .broken = target->broken,
        .full = target->full,
        .typical_us = (uint64_t)target->typical_us,
        .refused = site->remote.refused,
        .refusal = bytes_of(site->remote.refused == 0 ? NULL : site->remote.refusal),
        .left_alone = left_alone,
        .alone = bytes_of(left_alone == 0 ? NULL : alone)};
    return message_write(MSG_GATEWAY_TARGET, &row, writer);
}

enum status offers_write_targets(const struct sites *sites, const struct remote_calls *calls,
                                 const struct http *http, uint32_t calls_max, struct writer *writer)
{
    struct http_usage usage;
    http->usage(http, &usage);
    char room[SITES_MAX * 1280];
    struct writer list;
    writer_init(&list, room, sizeof room);
    writer_array(&list, sites->count);
    for (size_t i = 0; i < sites->count; i++) {
        enum status status = write_target(&sites->list[i], &list);
        assert(status == STATUS_OK); /* each is shorter than its part of the room */
    }
    struct msg_gateway_targets targets = {.targets = writer_bytes(&list),
                                          .calls = remote_calls_count(calls),
                                          .calls_max = calls_max,
                                          .polls = remote_calls_polls(calls),
                                          .connections_max = HTTP_CONNECTIONS_MAX,
                                          .waiting = usage.waiting};
    for (enum http_kind kind = 0; kind < HTTP_KINDS; kind++)
        targets.connections += usage.open[kind];
    return message_write(MSG_GATEWAY_TARGETS, &targets, writer);
}

/* What the dialect names, and the source itself: so that all that came from it can be invalidated.
 */
static struct bytes write_deps(const struct remote_call *call, struct writer *out)
{
    const struct dialogue *dialogue = &call->dialogue;
    struct bytes named = {0}, dep;
    char own[REMOTE_SOURCE_BYTES_MAX + 8];
    if (dialogue->deps.used > 0 && !dialogue->deps.full)
        named = writer_bytes(&dialogue->deps);
    (void)snprintf(own, sizeof own, "remote:%s", call->site->remote.name);
    struct values values = values_over(named);
    writer_array(out, values_count(named) + 1);
    while (values_next(&values, &dep))
        writer_raw(out, dep);
    writer_cstr(out, own);
    return writer_bytes(out);
}

struct bytes offers_result(const struct remote_call *call, int64_t now_at, int64_t unix_ms,
                           char *room)
{
    char deps[CALL_DEPS_BYTES_MAX + 128];
    struct writer deps_writer;
    struct bytes body = {0};
    const struct dialogue *dialogue = &call->dialogue;
    writer_init(&deps_writer, deps, sizeof deps);
    struct msg_tool_result result = {.tool = bytes_of(dialogue->tool->name),
                                     .version = bytes_of(dialogue->tool->version),
                                     .success = true,
                                     .data = writer_bytes(&dialogue->data),
                                     .execution_time_ms =
                                         (double)(now_at - call->begun_at) / US_PER_MS,
                                     .as_of = (uint64_t)unix_ms,
                                     .deps = write_deps(call, &deps_writer),
                                     .truncated = dialogue->truncated,
                                     .execution_method = bytes_of(dialogue->dialect->name),
                                     .attempts = dialogue->attempts > 0 ? dialogue->attempts : 1};
    if (result.data.size == 0 ||
        message_encode(MSG_TOOL_RESULT, &result, room, PAIR_BODY_BYTES_MAX, &body) != STATUS_OK)
        return (struct bytes){0};
    return body;
}
