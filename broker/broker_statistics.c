/* broker_statistics - the answers to QUERY directory and statistics, written field by field: their
 * lists are longer than a struct holds, and end where the room does. */
#include "broker/broker_private.h"

#include <stdlib.h>
#include <string.h>

#define METHODS_BYTES 114688u /* of one answer, at most */
#define WORKERS_BYTES 73728u
#define METHOD_OVERHEAD 96u    /* what is not texts */
#define WORKER_BYTES_MAX 1024u /* of one: its texts have 448 at most */

_Static_assert(METHODS_BYTES + WORKERS_BYTES + MESSAGE_BYTES_MAX + 4096u <= PAIR_BODY_BYTES_MAX,
               "methods, workers, the view and the rest fit one answer");

/* The worker that serves the highest version of a lane. */
struct best {
    uint32_t workers;
    const struct peer *peer;
    const struct served *served;
};

/* Numbers between points, compared as numbers; what stands behind them as text. */
static int compare_versions(const struct name *left, const struct name *right)
{
    char texts[2][NAME_BYTES_MAX + 1] = {{0}};
    memcpy(texts[0], left->data, left->size);
    memcpy(texts[1], right->data, right->size);
    char *at[2] = {texts[0], texts[1]};
    while (*at[0] >= '0' && *at[0] <= '9' && *at[1] >= '0' && *at[1] <= '9') {
        unsigned long numbers[2] = {strtoul(at[0], &at[0], 10), strtoul(at[1], &at[1], 10)};
        if (numbers[0] != numbers[1])
            return numbers[0] < numbers[1] ? -1 : 1;
        if (*at[0] != '.' || *at[1] != '.')
            break;
        at[0]++;
        at[1]++;
    }
    return strcmp(at[0], at[1]);
}

/* best: LANES_MAX long, zeroed */
static void find_best(struct broker *self, struct best *best)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const struct worker *worker = workers_at(self->workers, i);
        for (uint32_t j = 0; worker != NULL && j < worker->methods_count; j++) {
            const struct served *served = &worker->methods[j];
            struct best *its = &best[served->lane];
            its->workers++;
            if (its->served != NULL &&
                compare_versions(&its->served->version, &served->version) >= 0)
                continue;
            its->served = served;
            its->peer = sessions_at(self->sessions, worker->peer);
        }
    }
}

static size_t method_bytes(struct broker *self, uint32_t lane, const struct best *best)
{
    return METHOD_OVERHEAD + methods_lane(workers_methods(self->workers), lane)->name.size +
           best->served->version.size + best->peer->instance.size;
}

static void write_methods(struct broker *self, struct writer *writer)
{
    static struct best best[LANES_MAX]; /* too much for a stack; of no use between calls */
    uint32_t count = 0;
    size_t bytes = 0;
    memset(best, 0, sizeof best);
    find_best(self, best);
    for (uint32_t lane = 0; lane < LANES_MAX; lane++) {
        bytes += best[lane].workers > 0 ? method_bytes(self, lane, &best[lane]) : 0;
        count += best[lane].workers > 0 && bytes <= METHODS_BYTES;
    }
    writer_array(writer, count);
    for (uint32_t lane = 0; lane < LANES_MAX && count > 0; lane++) {
        if (best[lane].workers == 0)
            continue;
        const struct lane *its = methods_lane(workers_methods(self->workers), lane);
        struct msg_directory_method method = {.role = its->role,
                                              .name = name_bytes(&its->name),
                                              .version = name_bytes(&best[lane].served->version),
                                              .schema = best[lane].served->schema,
                                              .workers = best[lane].workers,
                                              .instance = name_bytes(&best[lane].peer->instance)};
        enum status status = message_write(MSG_DIRECTORY_METHOD, &method, writer);
        assert(status == STATUS_OK);
        count--;
    }
}

static void write_worker(struct broker *self, const struct worker *worker, struct writer *writer)
{
    const struct peer *peer = sessions_at(self->sessions, worker->peer);
    struct msg_worker_statistics its = {.instance = name_bytes(&peer->instance),
                                        .role = worker->role,
                                        .state = bytes_of(worker_state_names[worker->state]),
                                        .pid = peer->pid,
                                        .version = name_bytes(&peer->version),
                                        .concurrency = worker->concurrency,
                                        .in_flight = worker->running,
                                        .served = worker->served,
                                        .failed = worker->failed,
                                        .service_us = (uint64_t)worker->cost_us,
                                        .seen_ms =
                                            (uint64_t)((self->now_at - peer->heard_at) / US_PER_MS),
                                        .cpu = worker->beat.cpu,
                                        .rss = worker->beat.rss,
                                        .loop_lag_us = worker->beat.loop_lag_us,
                                        .ejections = worker->health.times};
    if (worker->state == WORKER_EJECTED && worker->health.until_at > self->now_at)
        its.back_ms = (uint64_t)(worker->health.until_at - self->now_at) / US_PER_MS;
    if (worker->endpoint_size > 0)
        its.endpoint = (struct bytes){worker->endpoint, worker->endpoint_size};
    enum status status = message_write(MSG_WORKER_STATISTICS, &its, writer);
    assert(status == STATUS_OK);
}

static size_t worker_bytes(struct broker *self, const struct worker *worker)
{
    char bytes[WORKER_BYTES_MAX];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    write_worker(self, worker, &writer);
    return writer_bytes(&writer).size;
}

static void write_workers(struct broker *self, struct writer *writer)
{
    uint32_t count = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const struct worker *worker = workers_at(self->workers, i);
        bytes += worker != NULL ? worker_bytes(self, worker) : 0;
        count += worker != NULL && bytes <= WORKERS_BYTES;
    }
    writer_array(writer, count);
    for (uint32_t i = 0; i < WORKERS_MAX && count > 0; i++) {
        const struct worker *worker = workers_at(self->workers, i);
        if (worker == NULL)
            continue;
        write_worker(self, worker, writer);
        count--;
    }
}

static void write_text(struct writer *writer, const char *key, const char *value)
{
    writer_cstr(writer, key);
    writer_cstr(writer, value);
}

static void write_number(struct writer *writer, const char *key, uint64_t value)
{
    writer_cstr(writer, key);
    writer_u64(writer, value);
}

void broker_write_directory(struct broker *self, struct writer *writer)
{
    struct bytes view = view_body(self->view);
    writer_map(writer, view.data != NULL ? 6 : 5);
    write_text(writer, "instance", self->instance);
    write_number(writer, "generation", self->config.generation);
    write_text(writer, "version", FACT_VERSION);
    writer_cstr(writer, "methods");
    write_methods(self, writer);
    writer_cstr(writer, "workers");
    write_workers(self, writer);
    if (view.data != NULL) {
        writer_cstr(writer, "partitions");
        writer_raw(writer, view);
    }
    assert(!writer->full);
}

static struct bytes write_array(const uint64_t *numbers, size_t count, char *out, size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++)
        writer_u64(&writer, numbers[i]);
    return writer_bytes(&writer);
}

uint64_t broker_head_age_us(const struct broker *self, enum role role)
{
    int64_t oldest_at = self->now_at;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        uint32_t slot = queues_oldest(self->queues, role, (enum request_class) class);
        if (slot != NONE && slots_at(self->slots, slot)->queued_at < oldest_at)
            oldest_at = slots_at(self->slots, slot)->queued_at;
    }
    return (uint64_t)(self->now_at - oldest_at);
}

static uint64_t credit_of(struct broker *self, enum role role)
{
    uint64_t credit = 0;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const struct worker *worker = workers_at(self->workers, i);
        if (worker != NULL && worker->role == role && worker->state == WORKER_UP)
            credit += worker_credit(worker);
    }
    return credit;
}

struct shed_lists {
    char waiting[64], tenants[64], sheds[64], hedges[64];
};

/* Who waits, and what was not served for want of room or time. */
static void write_sheds(const struct broker *self, enum role role, struct msg_role_statistics *its,
                        struct shed_lists *out)
{
    const struct role_counts *counts = &self->counts.roles[role];
    uint64_t waiting[CLASS_COUNT], tenants[CLASS_COUNT], sheds[SHED_COUNT] = {0};
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        waiting[class] = queues_backlog(self->queues, role, (enum request_class) class);
        tenants[class] = queues_tenants(self->queues, role, (enum request_class) class);
        for (int reason = 0; reason < SHED_COUNT; reason++)
            sheds[reason] += counts->sheds[class][reason];
    }
    its->waiting = write_array(waiting, CLASS_COUNT, out->waiting, sizeof out->waiting);
    its->tenants = write_array(tenants, CLASS_COUNT, out->tenants, sizeof out->tenants);
    its->sheds = write_array(sheds, SHED_COUNT, out->sheds, sizeof out->sheds);
    its->hedges = write_array(counts->hedges, HEDGE_COUNT, out->hedges, sizeof out->hedges);
    its->probes = counts->probes;
}

static void write_role(struct broker *self, enum role role, struct writer *writer)
{
    char by_status[512], by_class[64];
    struct shed_lists lists;
    const struct role_counts *counts = &self->counts.roles[role];
    struct msg_role_statistics its = {
        .role = role,
        .accepted = counts->accepted,
        .replied = counts->replied,
        .refused = counts->refused,
        .expired = counts->expired,
        .cancelled = counts->cancelled,
        .lost = counts->lost,
        .in_flight = counts->in_flight,
        .queued = queues_depth(self->queues, role),
        .queued_bytes = queues_bytes(self->queues, role),
        .queue_max = queues_count_max(self->queues, role),
        .head_age_us = broker_head_age_us(self, role),
        .redelivered = counts->redelivered,
        .stale_replies = counts->stale,
        .leases_lapsed = counts->lapsed,
        .wasted_us = counts->wasted_us,
        .queue_us = counts->queue_us,
        .service_us = counts->service_us,
        .workers_up = workers_up(self->workers, role),
        .credit = credit_of(self, role),
        .admit_level = broker_admit_level(self, role),
        .by_status = write_array(counts->by_status, STATUS_COUNT, by_status, sizeof by_status),
        .by_class = write_array(counts->by_class, CLASS_COUNT, by_class, sizeof by_class)};
    write_sheds(self, role, &its, &lists);
    enum status status = message_write(MSG_ROLE_STATISTICS, &its, writer);
    assert(status == STATUS_OK);
}

void broker_write_statistics(struct broker *self, struct writer *writer)
{
    writer_map(writer, 17);
    write_text(writer, "instance", self->instance);
    write_number(writer, "generation", self->config.generation);
    write_text(writer, "version", FACT_VERSION);
    write_number(writer, "uptime_us", (uint64_t)(self->now_at - self->started_at));
    write_number(writer, "sessions", sessions_count(self->sessions));
    write_number(writer, "slots", slots_used(self->slots));
    write_number(writer, "slots_max", self->config.slots_max);
    write_number(writer, "bytes", slots_bytes(self->slots));
    write_number(writer, "bytes_max", self->config.kept_bytes_max);
    write_number(writer, "malformed", self->counts.malformed);
    write_number(writer, "unsent", self->counts.unsent);
    write_number(writer, "events", events_newest(self->events));
    write_number(writer, "cpu", self->cpu_us);
    write_number(writer, "rss", self->rss_bytes);
    write_number(writer, "pid", self->config.pid);
    writer_cstr(writer, "roles");
    writer_array(writer, ROLE_COUNT);
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        write_role(self, (enum role)role, writer);
    writer_cstr(writer, "workers");
    write_workers(self, writer);
    assert(!writer->full);
}
