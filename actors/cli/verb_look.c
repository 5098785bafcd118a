/* verb_look - fact ping and fact status: what the broker says of itself and its workers. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/gateways.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"
#include "actors/cli/watch.h"

#define PROBLEMS_MAX 64u
#define PROBLEM_BYTES 160u
#define OTHER_MS_MAX 1000 /* for a broker beside the one that was asked */

/* Print a document whole; false: tables are wanted. */
static bool print_json(const struct invocation *invocation, const struct document *document)
{
    if (invocation->options[CLI_OUTPUT].number != OUTPUT_JSON)
        return false;
    json_print(document_value(document), invocation->out);
    fputc('\n', invocation->out);
    return true;
}

static enum exit_code ping(const struct invocation *invocation, struct fact *handle,
                           struct document *document)
{
    struct fact_reply reply;
    struct fact_peer peer = fact_peer(handle);
    struct writer *writer = &document->writer;
    int64_t count = invocation->options[CLI_COUNT].number;
    enum exit_code code = CODE_OK;
    writer_map(writer, 4);
    put_text(writer, "endpoint", bytes_of(peer.endpoint));
    put_text(writer, "instance", bytes_of(peer.instance));
    put_u64(writer, "generation", peer.generation);
    writer_cstr(writer, "rounds");
    writer_array(writer, (size_t)count);
    for (int64_t i = 0; i < count && code == CODE_OK; i++) {
        /* {id: 0}: no request has this number, so there is nothing to look up. */
        code = connect_ask(invocation, handle, COMMAND_QUERY, "status",
                           (struct bytes){"\x81\xa2id\x00", 5}, &reply);
        writer_map(writer, 2);
        put_u64(writer, "number", (uint64_t)i + 1);
        put_u64(writer, "round_trip_us", (uint64_t)reply.total_us);
    }
    return code;
}

enum exit_code verb_ping(const struct invocation *invocation)
{
    static const struct column columns[] = {{"NUMBER", "number", CELL_PLAIN},
                                            {"ROUND TRIP", "round_trip_us", CELL_US}};
    struct fact *handle;
    struct document document;
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    document_init(&document);
    code = ping(invocation, handle, &document);
    if (code == CODE_OK && !print_json(invocation, &document)) {
        struct bytes value = document_value(&document);
        struct bytes instance = {0}, endpoint = {0};
        (void)value_text(value_find(value, "instance"), &instance);
        (void)value_text(value_find(value, "endpoint"), &endpoint);
        fprintf(invocation->out, "%.*s at %.*s\n", (int)instance.size, instance.data,
                (int)endpoint.size, endpoint.data);
        table_print(value_find(value, "rounds"), columns, 2, invocation->out);
    }
    document_fini(&document);
    fact_destroy(&handle);
    return code;
}

/* What is wrong, in words, as it is found. */
struct problems {
    unsigned count;
    char texts[PROBLEMS_MAX][PROBLEM_BYTES];
};

static void problems_add(struct problems *self, const char *form, const char *name, double number)
{
    if (self->count < PROBLEMS_MAX)
        snprintf(self->texts[self->count++], PROBLEM_BYTES, form, name, number);
}

static void add_trouble(void *problems, const char *text)
{
    problems_add(problems, "%s", text, 0);
}

static double mean(uint64_t sum, uint64_t count)
{
    return count == 0 ? 0 : (double)sum / (double)count;
}

/* Of an array of numbers. */
static uint64_t sum_of(struct bytes array)
{
    struct values values = values_over(array);
    struct bytes value;
    uint64_t sum = 0, number;
    while (values_next(&values, &value))
        if (value_u64(value, &number))
            sum += number;
    return sum;
}

static void put_role(struct writer *writer, const struct msg_role_statistics *row)
{
    writer_map(writer, 30);
    put_text(writer, "role", bytes_of(role_name(row->role)));
    put_u64(writer, "workers_up", row->workers_up);
    put_u64(writer, "credit", row->credit);
    put_u64(writer, "in_flight", row->in_flight);
    put_u64(writer, "queued", row->queued);
    put_u64(writer, "queue_max", row->queue_max);
    put_u64(writer, "queued_bytes", row->queued_bytes);
    put_u64(writer, "head_age_us", row->head_age_us);
    put_u64(writer, "accepted", row->accepted);
    put_u64(writer, "replied", row->replied);
    put_u64(writer, "refused", row->refused);
    put_u64(writer, "expired", row->expired);
    put_u64(writer, "cancelled", row->cancelled);
    put_u64(writer, "lost", row->lost);
    put_u64(writer, "redelivered", row->redelivered);
    put_u64(writer, "stale_replies", row->stale_replies);
    put_u64(writer, "leases_lapsed", row->leases_lapsed);
    put_u64(writer, "wasted_us", row->wasted_us);
    put_f64(writer, "mean_queue_us", mean(row->queue_us, row->replied));
    put_f64(writer, "mean_service_us", mean(row->service_us, row->replied));
    put_u64(writer, "admit_level", row->admit_level);
    put_value(writer, "by_status", row->by_status);
    put_value(writer, "by_class", row->by_class);
    put_value(writer, "waiting", row->waiting);
    put_value(writer, "tenants", row->tenants);
    put_value(writer, "sheds", row->sheds);
    put_value(writer, "hedges", row->hedges);
    put_u64(writer, "shed", sum_of(row->sheds));
    put_u64(writer, "probes", row->probes);
    put_u64(writer, "queue_used_percent",
            row->queue_max == 0 ? 0 : row->queued * 100 / row->queue_max);
}

/* Without these nothing is answered. */
static bool is_needed(uint64_t role)
{
    return role == ROLE_DRIVER || role == ROLE_CACHE_PARTITION || role == ROLE_TOOL_EXECUTOR;
}

/* The next role that is needed, or has ever been heard of. */
static bool next_role(struct values *values, struct msg_role_statistics *ret)
{
    struct bytes element;
    while (values_next(values, &element))
        if (message_decode(MSG_ROLE_STATISTICS, element, ret) == STATUS_OK &&
            (is_needed(ret->role) || ret->accepted > 0 || ret->workers_up > 0))
            return true;
    return false;
}

static void put_roles(struct writer *writer, struct bytes list, struct problems *problems)
{
    struct values values = values_over(list);
    struct msg_role_statistics row;
    size_t count = 0;
    while (next_role(&values, &row))
        count++;
    writer_cstr(writer, "roles");
    writer_array(writer, count);
    values = values_over(list);
    while (next_role(&values, &row)) {
        put_role(writer, &row);
        if (row.queued * 10 >= row.queue_max * 9 && row.queued > 0)
            problems_add(problems, "the queue of %s is nearly full: %.0f wait", role_name(row.role),
                         (double)row.queued);
        if (row.admit_level < CLASS_SHEDDABLE)
            problems_add(problems, "%s admits no class below %.0f now", role_name(row.role),
                         (double)row.admit_level);
        if (is_needed(row.role) && row.workers_up == 0)
            problems_add(problems, "no worker of role %s is up", role_name(row.role), 0);
    }
}

static void add_worker_problem(struct problems *problems, const struct msg_worker_statistics *row)
{
    char name[NAME_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)row->instance.size, row->instance.data);
    if (bytes_are(row->state, "suspect"))
        problems_add(problems, "%s is suspect, seen %.0f ms ago", name, (double)row->seen_ms);
    else if (bytes_are(row->state, "ejected"))
        problems_add(problems, "%s is ejected, since it failed; back in %.0f ms", name,
                     (double)row->back_ms);
}

static void put_workers(struct writer *writer, struct bytes list, struct problems *problems)
{
    struct values values = values_over(list);
    struct msg_worker_statistics row;
    struct bytes element;
    writer_cstr(writer, "workers");
    writer_array(writer, values_count(list));
    while (values_next(&values, &element)) {
        if (message_decode(MSG_WORKER_STATISTICS, element, &row) != STATUS_OK) {
            writer_nil(writer);
            continue;
        }
        writer_map(writer, 17);
        put_text(writer, "instance", row.instance);
        put_text(writer, "role", bytes_of(role_name(row.role)));
        put_text(writer, "state", row.state);
        put_u64(writer, "pid", row.pid);
        put_text(writer, "version", row.version);
        put_text(writer, "endpoint", row.endpoint);
        put_u64(writer, "concurrency", row.concurrency);
        put_u64(writer, "in_flight", row.in_flight);
        put_u64(writer, "served", row.served);
        put_u64(writer, "failed", row.failed);
        put_u64(writer, "service_us", row.service_us);
        put_u64(writer, "seen_ms", row.seen_ms);
        put_u64(writer, "cpu_us", row.cpu);
        if (row.rss > 0)
            put_u64(writer, "rss_bytes", row.rss);
        else
            put_value(writer, "rss_bytes", (struct bytes){0}); /* it has not beaten yet */
        put_u64(writer, "loop_lag_us", row.loop_lag_us);
        put_u64(writer, "ejections", row.ejections);
        put_u64(writer, "back_ms", row.back_ms);
        add_worker_problem(problems, &row);
    }
}

static void put_broker(struct writer *writer, const struct msg_statistics *row,
                       const char *endpoint)
{
    writer_map(writer, 16);
    put_text(writer, "instance", row->instance);
    put_text(writer, "endpoint", bytes_of(endpoint));
    put_text(writer, "state", bytes_of("up"));
    put_text(writer, "version", row->version);
    put_u64(writer, "generation", row->generation);
    put_u64(writer, "uptime_us", row->uptime_us);
    put_u64(writer, "sessions", row->sessions);
    put_u64(writer, "slots", row->slots);
    put_u64(writer, "slots_max", row->slots_max);
    put_u64(writer, "bytes", row->bytes);
    put_u64(writer, "bytes_max", row->bytes_max);
    put_u64(writer, "malformed", row->malformed);
    put_u64(writer, "unsent", row->unsent);
    put_u64(writer, "events", row->events);
    put_u64(writer, "cpu_us", row->cpu);
    put_u64(writer, "rss_bytes", row->rss);
}

/* What another broker says of itself, or that it says nothing. */
static void put_other(const struct invocation *invocation, const struct fact_broker *broker,
                      struct writer *writer, struct problems *problems)
{
    int64_t patience_ms = invocation->options[CLI_TIMEOUT].number;
    struct fact_options options = connect_options(invocation, broker->endpoint);
    options.plain = options.given_only = true;
    struct fact *handle = fact_open(&options);
    struct fact_reply reply = {.status = STATUS_NO_WORKER};
    struct msg_statistics row;
    if (patience_ms > OTHER_MS_MAX)
        patience_ms = OTHER_MS_MAX;
    if (handle != NULL && fact_wait_up(handle, patience_ms) == STATUS_OK)
        (void)!fact_query(handle, "statistics", (struct bytes){0}, (uint32_t)patience_ms, &reply);
    if (reply.status == STATUS_OK &&
        message_decode(MSG_STATISTICS, reply.body, &row) == STATUS_OK) {
        put_broker(writer, &row, broker->endpoint);
    } else {
        writer_map(writer, 3);
        put_text(writer, "instance", bytes_of(broker->instance));
        put_text(writer, "endpoint", bytes_of(broker->endpoint));
        put_text(writer, "state", bytes_of("unreachable"));
        problems_add(problems, "the broker at %s does not answer", broker->endpoint, 0);
    }
    fact_destroy(&handle);
}

/* All that are known; roles and workers are told as the one that was asked sees them. */
static void put_brokers(const struct invocation *invocation, const struct fact *handle,
                        struct writer *writer, const struct msg_statistics *row,
                        struct problems *problems)
{
    const char *asked = fact_peer(handle).endpoint;
    struct fact_broker broker;
    unsigned count = 0;
    while (fact_broker(handle, count, &broker))
        count++;
    writer_cstr(writer, "broker");
    put_broker(writer, row, asked);
    writer_cstr(writer, "brokers");
    writer_array(writer, count);
    for (unsigned i = 0; fact_broker(handle, i, &broker); i++)
        if (strcmp(broker.endpoint, asked) == 0)
            put_broker(writer, row, asked);
        else
            put_other(invocation, &broker, writer, problems);
}

static void status_document(const struct invocation *invocation, struct fact *handle,
                            struct writer *writer, const struct msg_statistics *row,
                            struct problems *problems)
{
    uint32_t timeout_ms = (uint32_t)invocation->options[CLI_TIMEOUT].number;
    writer_map(writer, 7);
    put_brokers(invocation, handle, writer, row, problems);
    put_roles(writer, row->roles, problems);
    put_workers(writer, row->workers, problems);
    writer_cstr(writer, "targets");
    gateways_write(handle, timeout_ms, row->workers, writer, add_trouble, problems);
    put_bool(writer, "healthy", problems->count == 0);
    writer_cstr(writer, "problems");
    writer_array(writer, problems->count);
    for (unsigned i = 0; i < problems->count; i++)
        writer_cstr(writer, problems->texts[i]);
}

static void status_print(struct bytes document, FILE *out)
{
    static const struct column roles[] = {
        {"ROLE", "role", CELL_PLAIN},           {"UP", "workers_up", CELL_PLAIN},
        {"QUEUED", "queued", CELL_PLAIN},       {"IN FLIGHT", "in_flight", CELL_PLAIN},
        {"ACCEPTED", "accepted", CELL_PLAIN},   {"REPLIED", "replied", CELL_PLAIN},
        {"REFUSED", "refused", CELL_PLAIN},     {"SHED", "shed", CELL_PLAIN},
        {"EXPIRED", "expired", CELL_PLAIN},     {"CANCELLED", "cancelled", CELL_PLAIN},
        {"LOST", "lost", CELL_PLAIN},           {"QUEUE", "mean_queue_us", CELL_US},
        {"SERVICE", "mean_service_us", CELL_US}};
    static const struct column workers[] = {
        {"INSTANCE", "instance", CELL_PLAIN},   {"ROLE", "role", CELL_PLAIN},
        {"STATE", "state", CELL_PLAIN},         {"PID", "pid", CELL_PLAIN},
        {"SERVED", "served", CELL_PLAIN},       {"FAILED", "failed", CELL_PLAIN},
        {"IN FLIGHT", "in_flight", CELL_PLAIN}, {"OF", "concurrency", CELL_PLAIN},
        {"SERVICE", "service_us", CELL_US},     {"SEEN", "seen_ms", CELL_MS},
        {"MEMORY", "rss_bytes", CELL_BYTES}};
    static const struct column brokers[] = {
        {"BROKER", "instance", CELL_PLAIN},     {"ENDPOINT", "endpoint", CELL_PLAIN},
        {"STATE", "state", CELL_PLAIN},         {"VERSION", "version", CELL_PLAIN},
        {"UP FOR", "uptime_us", CELL_US},       {"SESSIONS", "sessions", CELL_PLAIN},
        {"SLOTS", "slots", CELL_PLAIN},         {"OF", "slots_max", CELL_PLAIN},
        {"MALFORMED", "malformed", CELL_PLAIN}, {"MEMORY", "rss_bytes", CELL_BYTES}};
    static const struct column targets[] = {
        {"REMOTE", "name", CELL_PLAIN},   {"KIND", "kind", CELL_PLAIN},
        {"BREAKER", "state", CELL_PLAIN}, {"TOOLS", "tools", CELL_PLAIN},
        {"CALLS", "calls", CELL_PLAIN},   {"SENT", "sent", CELL_PLAIN},
        {"FAILED", "failed", CELL_PLAIN}, {"TAKES", "typical_us", CELL_US},
        {"OF", "instance", CELL_PLAIN},   {"TROUBLE", "trouble", CELL_PLAIN}};
    table_print(value_find(document, "brokers"), brokers, sizeof brokers / sizeof brokers[0], out);
    fputc('\n', out);
    table_print(value_find(document, "roles"), roles, sizeof roles / sizeof roles[0], out);
    fputc('\n', out);
    table_print(value_find(document, "workers"), workers, sizeof workers / sizeof workers[0], out);
    if (values_count(value_find(document, "targets")) == 0)
        return;
    fputc('\n', out);
    table_print(value_find(document, "targets"), targets, sizeof targets / sizeof targets[0], out);
}

static enum exit_code show_status(const struct invocation *invocation, struct fact *handle)
{
    struct fact_reply reply;
    struct msg_statistics row;
    struct problems problems = {0};
    struct document document;
    enum exit_code code =
        connect_ask(invocation, handle, COMMAND_QUERY, "statistics", (struct bytes){0}, &reply);
    if (code != CODE_OK)
        return code;
    char *statistics = malloc(reply.body.size + 1); /* the gateways are asked while it is read */
    assert(statistics != NULL);
    memcpy(statistics, reply.body.data, reply.body.size);
    if (message_decode(MSG_STATISTICS, (struct bytes){statistics, reply.body.size}, &row) !=
        STATUS_OK) {
        free(statistics);
        fputs("fact: the broker's statistics make no sense to this version\n", invocation->err);
        return CODE_FAILED;
    }
    document_init(&document);
    status_document(invocation, handle, &document.writer, &row, &problems);
    if (!print_json(invocation, &document))
        status_print(document_value(&document), invocation->out);
    for (unsigned i = 0; i < problems.count; i++)
        fprintf(invocation->err, "degraded: %s\n", problems.texts[i]);
    document_fini(&document);
    free(statistics);
    return problems.count == 0 ? CODE_OK : CODE_INVALID;
}

/* Again and again, through whatever becomes of the system. */
static void watch_status(const struct invocation *invocation, struct fact *handle)
{
    int64_t interval_ms = invocation->options[CLI_WATCH].number;
    struct watch watch;
    watch_open(&watch);
    do {
        if (invocation->options[CLI_OUTPUT].number == OUTPUT_TABLE)
            watch_clear(invocation->out);
        (void)show_status(invocation, handle);
        fflush(invocation->out);
    } while (watch_wait(&watch, handle, interval_ms));
    watch_close(&watch);
}

enum exit_code verb_status(const struct invocation *invocation)
{
    struct fact *handle;
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    if (invocation->options[CLI_WATCH].given)
        watch_status(invocation, handle);
    else
        code = show_status(invocation, handle);
    fact_destroy(&handle);
    return code;
}
