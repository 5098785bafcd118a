/* gateways - see gateways.h. */
#include "actors/cli/gateways.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli/document.h"

#define GATEWAYS_MAX 64u
#define TROUBLE_BYTES 160u

static void put_target(struct writer *writer, const char *instance,
                       const struct msg_gateway_target *row)
{
    writer_map(writer, 20);
    put_text(writer, "instance", bytes_of(instance));
    put_text(writer, "name", row->name);
    put_text(writer, "kind", row->kind);
    put_text(writer, "state", row->state);
    put_bool(writer, "key", row->key);
    put_bool(writer, "needs_key", row->needs_key);
    put_bool(writer, "listed", row->listed);
    put_u64(writer, "tools", row->tools);
    put_text(writer, "trouble", row->trouble);
    put_u64(writer, "calls", row->calls);
    put_u64(writer, "calls_max", row->calls_max);
    put_u64(writer, "sent", row->sent);
    put_u64(writer, "failed", row->failed);
    put_u64(writer, "repeated", row->repeated);
    put_u64(writer, "limited", row->limited);
    put_u64(writer, "broken", row->broken);
    put_u64(writer, "full", row->full);
    put_u64(writer, "typical_us", row->typical_us);
    put_u64(writer, "left_alone", row->left_alone);
    put_text(writer, "alone", row->alone);
}

/* A key that is missing is said in the table; a side that is failing wants somebody. */
static bool is_failing(const struct msg_gateway_target *row)
{
    bool lacks_key = row->needs_key && !row->key;
    return !lacks_key && (row->trouble.data != NULL || bytes_are(row->state, "open"));
}

/* One that does not say what it has: a row that says so, in the place of all of its. */
static size_t write_silent(const char *instance, struct writer *writer,
                           void (*on_trouble)(void *context, const char *text), void *context)
{
    char text[TROUBLE_BYTES];
    struct msg_gateway_target row = {.name = bytes_of("?"),
                                     .kind = bytes_of("?"),
                                     .state = bytes_of("?"),
                                     .trouble = bytes_of("the gateway does not answer")};
    put_target(writer, instance, &row);
    snprintf(text, sizeof text, "%s does not say what its remote sides are like", instance);
    on_trouble(context, text);
    return 1;
}

static size_t write_one(struct fact *handle, uint32_t timeout_ms, const char *instance,
                        struct writer *writer, void (*on_trouble)(void *context, const char *text),
                        void *context)
{
    char room[NAME_BYTES_MAX + 64], text[TROUBLE_BYTES];
    struct msg_query_instance query = {
        .instance = bytes_of(instance), .method = bytes_of("targets"), .body = {"\x80", 1}};
    struct bytes body, element;
    struct fact_reply reply;
    struct msg_gateway_targets targets;
    struct msg_gateway_target row;
    size_t count = 0;
    enum status status = message_encode(MSG_QUERY_INSTANCE, &query, room, sizeof room, &body);
    assert(status == STATUS_OK); /* a name within its bound */
    if (fact_query(handle, "instance", body, timeout_ms, &reply) != STATUS_OK ||
        message_decode(MSG_GATEWAY_TARGETS, reply.body, &targets) != STATUS_OK)
        return write_silent(instance, writer, on_trouble, context);
    struct values values = values_over(targets.targets);
    while (values_next(&values, &element)) {
        if (message_decode(MSG_GATEWAY_TARGET, element, &row) != STATUS_OK)
            continue;
        put_target(writer, instance, &row);
        count++;
        if (!is_failing(&row))
            continue;
        snprintf(text, sizeof text, "%s: %.*s is %.*s %.*s", instance, (int)row.name.size,
                 row.name.data, (int)row.state.size, row.state.data,
                 row.trouble.data == NULL ? 0 : (int)row.trouble.size, row.trouble.data);
        on_trouble(context, text);
    }
    return count;
}

/* Written behind each other first: how many there are is known only then. */
void gateways_write(struct fact *handle, uint32_t timeout_ms, struct bytes workers,
                    struct writer *writer, void (*on_trouble)(void *context, const char *text),
                    void *context)
{
    struct values values = values_over(workers);
    struct bytes element;
    struct msg_worker_statistics row;
    struct document rows;
    size_t count = 0, asked = 0;
    document_init(&rows);
    while (values_next(&values, &element) && asked < GATEWAYS_MAX) {
        char instance[NAME_BYTES_MAX + 1];
        if (message_decode(MSG_WORKER_STATISTICS, element, &row) != STATUS_OK ||
            row.role != ROLE_ARCADE_GATEWAY || !bytes_are(row.state, "up"))
            continue;
        snprintf(instance, sizeof instance, "%.*s", (int)row.instance.size, row.instance.data);
        count += write_one(handle, timeout_ms, instance, &rows.writer, on_trouble, context);
        asked++;
    }
    writer_array(writer, count);
    if (count > 0)
        writer_raw(writer, document_value(&rows));
    document_fini(&rows);
}
