/* verb_top - fact top: what happens now. Two looks at the broker's statistics, and the rates
 * between them; counts that fell began anew, and have no rate this time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"
#include "actors/cli/watch.h"

/* One look. */
struct look {
    struct document copy; /* of the answer: the views below are into it */
    struct msg_statistics broker;
};

/* One worker, between two looks. */
struct row {
    struct msg_worker_statistics now;
    double seconds;
    uint64_t served, failed, cpu_us;
};

static enum exit_code look(const struct invocation *invocation, struct fact *handle,
                           struct look *ret)
{
    struct fact_reply reply;
    enum exit_code code =
        connect_ask(invocation, handle, COMMAND_QUERY, "statistics", (struct bytes){0}, &reply);
    if (code != CODE_OK)
        return code;
    document_init(&ret->copy);
    writer_raw(&ret->copy.writer, reply.body);
    if (message_decode(MSG_STATISTICS, document_value(&ret->copy), &ret->broker) == STATUS_OK)
        return CODE_OK;
    document_fini(&ret->copy);
    fputs("fact: the broker's statistics make no sense to this version\n", invocation->err);
    return CODE_FAILED;
}

static uint64_t risen(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : 0;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* The same role, or the same process, in the look before; all zero: it was not there. */
static struct msg_role_statistics role_before(const struct look *before, uint64_t role)
{
    struct values values = values_over(before->broker.roles);
    struct msg_role_statistics row;
    struct bytes element;
    while (values_next(&values, &element))
        if (message_decode(MSG_ROLE_STATISTICS, element, &row) == STATUS_OK && row.role == role)
            return row;
    return (struct msg_role_statistics){.role = role};
}

static bool worker_before(const struct look *before, const struct msg_worker_statistics *now,
                          struct msg_worker_statistics *ret)
{
    struct values values = values_over(before->broker.workers);
    struct bytes element;
    while (values_next(&values, &element))
        if (message_decode(MSG_WORKER_STATISTICS, element, ret) == STATUS_OK &&
            ret->pid == now->pid && bytes_equal(ret->instance, now->instance))
            return true;
    return false;
}

static void put_role(struct writer *writer, const struct msg_role_statistics *now,
                     const struct msg_role_statistics *before, double seconds)
{
    double replied = (double)risen(before->replied, now->replied);
    double busy = (double)(now->in_flight - now->queued);
    writer_map(writer, 12);
    put_text(writer, "role", bytes_of(role_name(now->role)));
    put_u64(writer, "workers_up", now->workers_up);
    put_f64(writer, "arrivals_per_s",
            ratio((double)risen(before->accepted, now->accepted), seconds));
    put_f64(writer, "replies_per_s", ratio(replied, seconds));
    put_f64(writer, "refused_per_s", ratio((double)risen(before->refused, now->refused), seconds));
    put_f64(writer, "expired_per_s", ratio((double)risen(before->expired, now->expired), seconds));
    put_u64(writer, "queued", now->queued);
    put_u64(writer, "head_age_us", now->head_age_us);
    put_u64(writer, "in_flight", now->in_flight);
    put_f64(writer, "busy_percent", 100 * ratio(busy, busy + (double)now->credit));
    put_f64(writer, "mean_queue_us",
            ratio((double)risen(before->queue_us, now->queue_us), replied));
    put_f64(writer, "mean_service_us",
            ratio((double)risen(before->service_us, now->service_us), replied));
}

static void put_roles(struct writer *writer, const struct look *before, const struct look *now,
                      double seconds)
{
    struct values values = values_over(now->broker.roles);
    struct msg_role_statistics row;
    struct bytes element;
    size_t count = 0;
    while (values_next(&values, &element))
        count += message_decode(MSG_ROLE_STATISTICS, element, &row) == STATUS_OK &&
                 (row.accepted > 0 || row.workers_up > 0);
    writer_cstr(writer, "roles");
    writer_array(writer, count);
    values = values_over(now->broker.roles);
    while (values_next(&values, &element)) {
        if (message_decode(MSG_ROLE_STATISTICS, element, &row) != STATUS_OK ||
            (row.accepted == 0 && row.workers_up == 0))
            continue;
        struct msg_role_statistics old = role_before(before, row.role);
        put_role(writer, &row, &old, seconds);
    }
}

static double sort_value(const struct row *row, int64_t by)
{
    const double values[] = {(double)row->served, (double)row->cpu_us, (double)row->now.rss,
                             (double)row->now.service_us, (double)row->now.in_flight};
    assert((size_t)by < sizeof values / sizeof values[0]);
    return values[by];
}

static void put_worker(struct writer *writer, const struct row *row)
{
    writer_map(writer, 11);
    put_text(writer, "instance", row->now.instance);
    put_text(writer, "role", bytes_of(role_name(row->now.role)));
    put_text(writer, "state", row->now.state);
    put_u64(writer, "pid", row->now.pid);
    put_f64(writer, "replies_per_s", ratio((double)row->served, row->seconds));
    put_f64(writer, "failures_per_s", ratio((double)row->failed, row->seconds));
    put_u64(writer, "in_flight", row->now.in_flight);
    put_u64(writer, "concurrency", row->now.concurrency);
    put_u64(writer, "service_us", row->now.service_us);
    put_f64(writer, "cpu_percent", 100 * ratio((double)row->cpu_us, row->seconds * US_PER_S));
    put_u64(writer, "rss_bytes", row->now.rss);
}

/* Those with the most first. */
static void put_workers(struct writer *writer, const struct look *before, const struct look *now,
                        double seconds, int64_t by)
{
    struct values values = values_over(now->broker.workers);
    struct bytes element;
    struct row rows[WORKERS_MAX];
    size_t count = 0;
    while (values_next(&values, &element) && count < WORKERS_MAX) {
        struct row row = {.seconds = seconds};
        struct msg_worker_statistics old;
        if (message_decode(MSG_WORKER_STATISTICS, element, &row.now) != STATUS_OK)
            continue;
        if (worker_before(before, &row.now, &old)) {
            row.served = risen(old.served, row.now.served);
            row.failed = risen(old.failed, row.now.failed);
            row.cpu_us = risen(old.cpu, row.now.cpu);
        }
        size_t at = count++;
        for (; at > 0 && sort_value(&rows[at - 1], by) < sort_value(&row, by); at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
    writer_cstr(writer, "workers");
    writer_array(writer, count);
    for (size_t i = 0; i < count; i++)
        put_worker(writer, &rows[i]);
}

static void put_broker(struct writer *writer, const struct look *before, const struct look *now,
                       double seconds)
{
    writer_cstr(writer, "broker");
    writer_map(writer, 6);
    put_text(writer, "instance", now->broker.instance);
    put_f64(writer, "cpu_percent",
            100 * ratio((double)risen(before->broker.cpu, now->broker.cpu), seconds * US_PER_S));
    put_u64(writer, "rss_bytes", now->broker.rss);
    put_u64(writer, "sessions", now->broker.sessions);
    put_u64(writer, "slots", now->broker.slots);
    put_u64(writer, "bytes", now->broker.bytes);
}

static void show(const struct invocation *invocation, const struct look *before,
                 const struct look *now)
{
    static const struct column brokers[] = {
        {"BROKER", "instance", CELL_PLAIN},  {"CPU %", "cpu_percent", CELL_RATE},
        {"MEMORY", "rss_bytes", CELL_BYTES}, {"SESSIONS", "sessions", CELL_PLAIN},
        {"IN FLIGHT", "slots", CELL_PLAIN},  {"BYTES", "bytes", CELL_BYTES}};
    static const struct column roles[] = {{"ROLE", "role", CELL_PLAIN},
                                          {"UP", "workers_up", CELL_PLAIN},
                                          {"IN/S", "arrivals_per_s", CELL_RATE},
                                          {"OUT/S", "replies_per_s", CELL_RATE},
                                          {"REFUSED/S", "refused_per_s", CELL_RATE},
                                          {"LATE/S", "expired_per_s", CELL_RATE},
                                          {"QUEUED", "queued", CELL_PLAIN},
                                          {"OLDEST", "head_age_us", CELL_US},
                                          {"BUSY %", "busy_percent", CELL_RATE},
                                          {"QUEUE", "mean_queue_us", CELL_US},
                                          {"SERVICE", "mean_service_us", CELL_US}};
    static const struct column workers[] = {{"INSTANCE", "instance", CELL_PLAIN},
                                            {"ROLE", "role", CELL_PLAIN},
                                            {"STATE", "state", CELL_PLAIN},
                                            {"OUT/S", "replies_per_s", CELL_RATE},
                                            {"FAILED/S", "failures_per_s", CELL_RATE},
                                            {"IN FLIGHT", "in_flight", CELL_PLAIN},
                                            {"OF", "concurrency", CELL_PLAIN},
                                            {"SERVICE", "service_us", CELL_US},
                                            {"CPU %", "cpu_percent", CELL_RATE},
                                            {"MEMORY", "rss_bytes", CELL_BYTES}};
    double seconds = (double)risen(before->broker.uptime_us, now->broker.uptime_us) / US_PER_S;
    struct document document;
    char one[512];
    struct writer first; /* a table of one row */
    document_init(&document);
    writer_map(&document.writer, 4);
    put_f64(&document.writer, "seconds", seconds);
    put_broker(&document.writer, before, now, seconds);
    put_roles(&document.writer, before, now, seconds);
    put_workers(&document.writer, before, now, seconds, invocation->options[CLI_SORT].number);
    struct bytes value = document_value(&document);
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(value, invocation->out);
        fputc('\n', invocation->out);
    } else {
        writer_init(&first, one, sizeof one);
        writer_array(&first, 1);
        writer_raw(&first, value_find(value, "broker"));
        table_print(writer_bytes(&first), brokers, 6, invocation->out);
        fputc('\n', invocation->out);
        table_print(value_find(value, "roles"), roles, 11, invocation->out);
        fputc('\n', invocation->out);
        table_print(value_find(value, "workers"), workers, 10, invocation->out);
    }
    fflush(invocation->out);
    document_fini(&document);
}

/* Look, wait, look, and show what lies between. */
static enum exit_code turn(const struct invocation *invocation, struct fact *handle,
                           struct look *before)
{
    struct look now;
    enum exit_code code = look(invocation, handle, &now);
    if (code != CODE_OK)
        return code;
    bool same = now.broker.generation == before->broker.generation;
    if (same && invocation->options[CLI_OUTPUT].number == OUTPUT_TABLE &&
        !invocation->options[CLI_ONCE].given)
        watch_clear(invocation->out);
    if (same) /* else another broker counts from its own start */
        show(invocation, before, &now);
    document_fini(&before->copy);
    *before = now;
    return CODE_OK;
}

enum exit_code verb_top(const struct invocation *invocation)
{
    int64_t interval_ms = invocation->options[CLI_INTERVAL].number;
    bool once = invocation->options[CLI_ONCE].given;
    struct fact *handle;
    struct look before;
    struct watch watch;
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    code = look(invocation, handle, &before);
    bool began = code == CODE_OK;
    if (began) {
        watch_open(&watch);
        while (watch_wait(&watch, handle, interval_ms)) {
            code = turn(invocation, handle, &before);
            if (once)
                break;
        }
        watch_close(&watch);
        document_fini(&before.copy);
    }
    fact_destroy(&handle);
    return once || !began ? code : CODE_OK;
}
