/* fact-bench - loads a running system from libfact, and says what it cost and how long it took.
 *
 * Latency counts from when a request was meant to leave. Failures are apart. A run that proves
 * nothing says so. See run.h, outcomes.h, verdict.h; docs/benchmarks.md for figures. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "actors/client/transport.h"
#include "protocol/message.h"
#include "tests/load/bench_options.h"
#include "tests/load/report.h"
#include "tests/load/search.h"
#include "tests/load/verdict.h"

#define UP_MS 5000

enum bench_end { END_GOOD, END_FAILED, END_INVALID, END_USAGE, END_UNREACHABLE };

struct bench {
    struct bench_options options;
    struct connections connections;
    struct workload workload;
    struct run_result result;
    struct cost cost;
    struct search search;
};

/* Who they are. */

static enum part part_of(uint64_t role)
{
    return role == ROLE_DRIVER            ? PART_DRIVER
           : role == ROLE_CACHE_PARTITION ? PART_PARTITION
                                          : PART_WORKER;
}

/* A pid means something on this machine only. */
static bool is_here(const char *endpoint)
{
    return strstr(endpoint, "//127.") != NULL || strstr(endpoint, "//localhost") != NULL ||
           strstr(endpoint, "//[::1]") != NULL || strncmp(endpoint, "ipc:", 4) == 0;
}

/* Watch the broker, and all that it knows of. */
static void find_processes(struct bench *self)
{
    struct fact_reply reply;
    struct msg_statistics statistics;
    struct msg_worker_statistics worker;
    struct bytes one;
    cost_init(&self->cost);
    (void)cost_add(&self->cost, PART_CLIENT, (int)getpid());
    if (self->options.remote > 0)
        (void)cost_add(&self->cost, PART_REMOTE, self->options.remote);
    if (!is_here(self->options.endpoint) ||
        fact_query(self->connections.handles[0], "statistics", (struct bytes){0}, UP_MS, &reply) !=
            STATUS_OK ||
        message_decode(MSG_STATISTICS, reply.body, &statistics) != STATUS_OK)
        return;
    if (statistics.pid > 0)
        (void)cost_add(&self->cost, PART_BROKER, (int)statistics.pid);
    struct values workers = values_over(statistics.workers);
    while (values_next(&workers, &one))
        if (message_decode(MSG_WORKER_STATISTICS, one, &worker) == STATUS_OK && worker.pid > 0)
            (void)cost_add(&self->cost, part_of(worker.role), (int)worker.pid);
}

static enum bench_end connect_all(struct bench *self)
{
    struct fact_options options = {.endpoints = self->options.endpoint, .plain = true};
    for (unsigned i = 0; i < self->options.connections; i++) {
        struct fact *handle = fact_open(&options);
        if (handle == NULL) {
            fprintf(stderr, "fact-bench: --endpoint %s: no endpoint\n", options.endpoints);
            return END_USAGE;
        }
        self->connections.handles[self->connections.count++] = handle;
        if (fact_wait_up(handle, UP_MS) != STATUS_OK) {
            fprintf(stderr, "fact-bench: %s does not answer %s\n", options.endpoints,
                    fact_peer(handle).reason);
            return END_UNREACHABLE;
        }
    }
    return END_GOOD;
}

/* The report. */

static json_t *load_json(const struct bench *self)
{
    const struct run_config *run = &self->options.run;
    const struct workload_config *workload = &self->options.workload;
    return json_pack("{s:s, s:s, s:f, s:i, s:i, s:I, s:f, s:f, s:i, s:I, s:f, s:i}", "loop",
                     run->rate > 0 ? "open" : "closed", "law",
                     run->rate == 0            ? "none"
                     : run->law == LAW_POISSON ? "poisson"
                                               : "constant",
                     "rate", run->rate, "window", (int)run->window, "connections",
                     (int)self->connections.count, "seed", (json_int_t)run->seed, "measure_s",
                     (double)run->measure_us / (double)US_PER_S, "warmup_s",
                     (double)run->warmup_us / (double)US_PER_S, "timeout_ms",
                     (int)workload->timeout_ms, "keys", (json_int_t)workload->keys, "zipf",
                     workload->theta, "size", (int)workload->size);
}

static json_t *document_new(const struct bench *self)
{
    json_t *load = load_json(self);
    struct report report = {.system = "fact",
                            .workload = workload_rows[self->options.workload.kind].name,
                            .label = self->options.label,
                            .load = load,
                            .outcomes = &self->result.outcomes,
                            .completed = self->result.completed,
                            .cost = &self->cost,
                            .invalid = self->result.invalid};
    json_t *document = report_new(&report);
    json_decref(load);
    return document;
}

static void print(const struct bench *self, json_t *document)
{
    if (self->options.is_json)
        report_print_json(document, stdout);
    else
        report_print_table(document, stdout);
    if (self->result.invalid != 0)
        fputs("fact-bench: INVALID, this run proves nothing\n", stderr);
}

/* The runs. */

static void run_once(struct bench *self)
{
    run(&self->connections, &self->workload, &self->options.run, &self->cost, &self->result);
    self->options.run.seed++; /* of arrivals: another run, other times */
}

static enum bench_end measure(struct bench *self)
{
    run_once(self);
    json_t *document = document_new(self);
    print(self, document);
    json_decref(document);
    if (self->result.outcomes.wrong > 0)
        return END_FAILED;
    return self->result.invalid != 0 ? END_INVALID : END_GOOD;
}

/* Whether all were answered, in time, and were sent as they should be. That others were busy does
 * not excuse a rate, it only makes it look lower. */
static bool holds(const struct bench *self)
{
    const struct outcomes *outcomes = &self->result.outcomes;
    int64_t p99_us = INT64_MAX;
    unsigned invalid = self->result.invalid & ~(1u << INVALID_FOREIGN);
    if (histogram_quantile(&outcomes->response, 0.99, &p99_us) != MEASURED)
        p99_us = outcomes->response.max_us; /* few requests: then all must hold */
    return invalid == 0 && outcomes->ok > 0 && outcomes->ok == outcomes->offered &&
           p99_us <= self->options.p99_us;
}

static enum bench_end find_max(struct bench *self)
{
    json_t *best = NULL;
    bool more = true, is_undisturbed = true;
    search_init(&self->search, self->options.run.rate, self->options.search_to,
                self->options.tolerance);
    while (more) {
        self->options.run.rate = self->search.rate;
        run_once(self);
        bool good = holds(self);
        if (good) {
            json_decref(best);
            best = document_new(self);
        }
        is_undisturbed = is_undisturbed && (self->result.invalid & 1u << INVALID_FOREIGN) == 0;
        fprintf(stderr, "%.0f/s %s\n", self->search.rate, good ? "holds" : "does not hold");
        more = search_next(&self->search, good);
    }
    json_t *search =
        json_pack("{s:f, s:f, s:I, s:b}", "held", self->search.held, "failed", self->search.failed,
                  "p99_us", (json_int_t)self->options.p99_us, "undisturbed", is_undisturbed);
    if (best == NULL)
        best = document_new(self); /* the lowest that was tried: why it does not hold */
    json_object_set_new(best, "find_max", search);
    self->result.invalid = 0;
    print(self, best);
    json_decref(best);
    return self->search.held > 0 ? END_GOOD : END_FAILED;
}

static enum bench_end bench_run(struct bench *self)
{
    char reason[256];
    enum bench_end end = connect_all(self);
    if (end != END_GOOD)
        return end;
    find_processes(self);
    if (!run_warm(&self->connections, &self->workload, reason)) {
        fprintf(stderr, "fact-bench: cannot warm: %s\n", reason);
        return END_UNREACHABLE;
    }
    return self->options.searches ? find_max(self) : measure(self);
}

int main(int argc, char **argv)
{
    char reason[OPTIONS_REASON_BYTES];
    struct bench *self = calloc(1, sizeof *self);
    assert(self != NULL);
    enum options_end read = bench_options_read(argc, argv, &self->options, reason);
    enum bench_end end = read == OPTIONS_HELP ? END_GOOD : END_USAGE;
    if (read == OPTIONS_HELP)
        bench_options_help();
    if (read == OPTIONS_WRONG)
        fprintf(stderr, "fact-bench: %s\n", reason);
    if (read == OPTIONS_RUN) {
        prctl(PR_SET_TIMERSLACK, 1L); /* else what is due sleeps 50 us longer */
        self->options.workload.fresh = (uint64_t)transport_now_at();
        workload_init(&self->workload, &self->options.workload);
        end = bench_run(self);
        workload_fini(&self->workload);
    }
    for (unsigned i = 0; i < self->connections.count; i++)
        fact_destroy(&self->connections.handles[i]);
    bench_options_fini(&self->options);
    free(self);
    return (int)end;
}
