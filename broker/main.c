/* broker main - sockets, clock, signals, and the bounded turn.
 *
 * Two ROUTERs, with an I/O thread each where there are two: fair queueing is per connection, so on
 * one socket a flood of clients would starve the replies. A turn takes in at most so many pairs a
 * side, the workers' first, and sends what is ready. ZeroMQ's own queues stay short: waiting
 * happens where it is counted and shed. Nothing blocks but the poll, after a turn that found
 * nothing to do.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/command_line.h"
#include "actors/runtime/guard.h"
#include "actors/runtime/keys.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/router.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/subscriber.h"
#include "actors/runtime/usage.h"
#include "broker/broker.h"
#include "broker/others.h"
#include "broker/reload.h"

#define CLOCK_EVERY 32u /* pairs of clients between two looks at the clock */
#define USAGE_US US_PER_S
#define EVENTS_HWM 8192       /* for one subscriber; beyond it misses some, sees it, and asks */
#define SUBSCRIPTIONS_MAX 64u /* taken in in one turn */
#define LINGER_FRONTEND_MS 1000
#define OTHERS_BURST_MAX 64u /* events of one other broker, in one turn */
#define OTHERS_RECONNECT_MS 200

struct process {
    void *context;
    struct inlet sockets[SIDE_COUNT], events;
    struct subscriber *others[OTHERS_MAX]; /* to the events of the other brokers */
    unsigned others_count;
    struct inlets inlets; /* what the loop sleeps on */
    char endpoints[SIDE_COUNT + 1][ENDPOINT_BYTES_MAX];
    struct keys keys;
    struct guard *guard; /* NULL: whoever can reach it may connect */
    struct broker *broker;
    struct metrics *metrics;
    struct reload *reload;
    uint64_t foreign; /* messages that are not a routing id of ours and one frame */
    int64_t usage_at;
};

static volatile sig_atomic_t stops;   /* signals that ask for the end ... */
static volatile sig_atomic_t reloads; /* ... and for the settings to be read anew */

static void on_signal(int number)
{
    if (number == SIGHUP)
        reloads = 1;
    else
        stops++;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: it ends the poll */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

static int64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * US_PER_S + time.tv_nsec / 1000;
}

/* Take in one message; returns its cost in pairs, at least 1, or 0: there is none. */
static unsigned take_one(struct process *self, enum side side, int64_t now_at)
{
    zmq_msg_t message;
    uint64_t peer;
    unsigned cost = 0;
    zmq_msg_init(&message);
    if (router_take(&self->sockets[side], &message, &peer)) {
        cost = 1;
        if (peer != ROUTER_NOBODY)
            cost += broker_take(self->broker, side, peer, &message, now_at);
        else
            self->foreign++;
    }
    zmq_msg_close(&message);
    return cost;
}

static enum status send_message(void *outside, enum side side, uint64_t peer, zmq_msg_t *message)
{
    struct process *self = outside;
    inlet_touched(&self->sockets[side]);
    return router_send(self->sockets[side].socket, peer, message);
}

/* A subscriber that does not keep up misses some; an XPUB never blocks. */
static void publish(void *outside, struct bytes topic, struct bytes pair)
{
    struct process *self = outside;
    int rc = zmq_send(self->events.socket, topic.data, topic.size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    if (rc >= 0)
        (void)zmq_send(self->events.socket, pair.data, pair.size, ZMQ_DONTWAIT);
    inlet_touched(&self->events);
}

static enum status answer_metrics(struct process *self, struct bytes body, struct writer *writer)
{
    (void)body;
    broker_measure(self->broker, self->metrics);
    metrics_set(self->metrics, METRIC_PEER_FAULTS_TOTAL, LABELS("foreign"), (double)self->foreign);
    reload_measure(self->reload, self->metrics);
    metrics_sample_process(self->metrics);
    metrics_write(self->metrics, writer);
    return STATUS_OK;
}

/* for_ms is the roles'; a broker keeps the level until it is told another. */
static enum status answer_loglevel(struct process *self, struct bytes body, struct writer *writer)
{
    struct msg_query_loglevel wanted = {{0}, 0};
    enum log_level level = log_get_level();
    (void)self;
    if (body.data != NULL && message_decode(MSG_QUERY_LOGLEVEL, body, &wanted) != STATUS_OK)
        return STATUS_BAD_REQUEST;
    if (wanted.level.data != NULL && (wanted.for_ms > 0 || !log_level_find(wanted.level, &level)))
        return STATUS_BAD_REQUEST;
    log_set_level(level);
    if (wanted.level.data != NULL)
        log_event(EVENT_LOG_LEVEL, log_text("to", log_level_name(level)));
    struct msg_query_loglevel answer = {bytes_of(log_level_name(level)), 0};
    return message_write(MSG_QUERY_LOGLEVEL, &answer, writer);
}

static enum status answer_query(void *outside, struct bytes method, struct bytes body,
                                struct writer *writer)
{
    if (bytes_are(method, "metrics"))
        return answer_metrics(outside, body, writer);
    if (bytes_are(method, "loglevel"))
        return answer_loglevel(outside, body, writer);
    return STATUS_NO_ROLE;
}

static enum status read_anew(void *outside, bool dry_run, struct policy *ret, struct writer *writer,
                             char *reason)
{
    struct process *self = outside;
    enum log_level level;
    enum status status = reload_read(self->reload, dry_run, ret, &level, writer, reason);
    if (dry_run)
        return status;
    if (status == STATUS_OK)
        log_set_level(level);
    if (status == STATUS_OK)
        log_event(EVENT_CONFIG_READ, log_text("changed", reload_names(self->reload, OPTION_RELOAD)),
                  log_text("restart", reload_names(self->reload, OPTION_RESTART)));
    else
        log_event(EVENT_CONFIG_REFUSED, log_text("why", reason));
    return status;
}

static void note(void *outside, enum log_event event, const struct log_field *fields, size_t count)
{
    (void)outside;
    log_write(event, fields, count);
}

static const struct allowed *identify(void *outside, zmq_msg_t *message)
{
    struct process *self = outside;
    return guard_identify(self->guard, message);
}

/* Take in until there is nothing more, or a bound is reached. A message begun is finished. */
static unsigned take_all(struct process *self, enum side side, unsigned burst_max, int64_t until_at)
{
    unsigned taken = 0, looked = 0, cost = 1;
    int64_t now_at = clock_now();
    while (cost > 0 && taken < burst_max && now_at < until_at) {
        cost = take_one(self, side, now_at);
        taken += cost;
        if (taken - looked < CLOCK_EVERY)
            continue;
        looked = taken;
        now_at = clock_now();
    }
    return taken;
}

/* Who subscribes is libzmq's business; it only wants to be read. */
static void take_subscriptions(struct process *self)
{
    zmq_msg_t ignored;
    zmq_msg_init(&ignored);
    for (unsigned i = 0; i < SUBSCRIPTIONS_MAX && inlet_take(&self->events, &ignored); i++)
        ;
    zmq_msg_close(&ignored);
}

/* Other brokers say that they live, and what view counts. A view is told once in a while, a beat
 * once a second: what else there is costs the more the busier they are, so only so much a turn. */
static unsigned take_others(struct process *self, int64_t now_at)
{
    unsigned taken = 0;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    for (unsigned i = 0; i < self->others_count; i++) {
        subscriber_tick(self->others[i], now_at);
        for (unsigned j = 0; j < OTHERS_BURST_MAX && subscriber_take(self->others[i], &frame);
             j++) {
            struct bytes event = {zmq_msg_data(&frame), zmq_msg_size(&frame)};
            taken++;
            broker_hear(self->broker, i, event, now_at);
        }
    }
    zmq_msg_close(&frame);
    return taken;
}

static void look_after_process(struct process *self, int64_t now_at)
{
    if (now_at < self->usage_at)
        return;
    struct usage usage = usage_read();
    self->usage_at = now_at + USAGE_US;
    broker_set_usage(self->broker, usage.cpu_us, usage.resident_bytes);
    log_flush();
}

/* Who wants to connect, and who may not any more. */
static unsigned look_at_keys(struct process *self, int64_t now_at)
{
    if (self->guard == NULL)
        return 0;
    if (guard_refresh(self->guard, now_at))
        broker_grant_anew(self->broker, guard_list(self->guard), now_at);
    return guard_take(self->guard);
}

/* Finishing comes before admitting. Returns what was taken in. */
static unsigned turn(struct process *self)
{
    int64_t now_at = clock_now();
    unsigned taken = look_at_keys(self, now_at);
    taken += take_all(self, SIDE_BACKEND, BACKEND_BURST_MAX, INT64_MAX);
    now_at = clock_now();
    taken += take_others(self, now_at);
    broker_tick(self->broker, now_at);
    broker_dispatch(self->broker, now_at);
    taken += take_all(self, SIDE_FRONTEND, FRONTEND_BURST_MAX, now_at + FRONTEND_US_MAX);
    now_at = clock_now();
    broker_dispatch(self->broker, now_at);
    broker_flush(self->broker, now_at);
    take_subscriptions(self);
    look_after_process(self, now_at);
    return taken;
}

/* Sleep until a message comes or something is due. */
static void sleep_until(struct process *self, int64_t due_at)
{
    int64_t left_us = due_at - clock_now();
    int64_t timeout_ms = left_us > US_PER_S ? 1000 : (left_us + US_PER_MS - 1) / US_PER_MS;
    inlets_clear(&self->inlets);
    inlets_add(&self->inlets, &self->sockets[SIDE_BACKEND]);
    inlets_add(&self->inlets, &self->sockets[SIDE_FRONTEND]);
    inlets_add(&self->inlets, &self->events);
    for (unsigned i = 0; i < self->others_count; i++)
        subscriber_watch(self->others[i], &self->inlets);
    if (self->guard != NULL)
        guard_watch(self->guard, &self->inlets);
    inlets_wait(&self->inlets, timeout_ms > 0 ? (int)timeout_ms : 0);
}

/* SIGHUP: what an operator would hear of ADMIN reload is in the log. */
static void take_settings(struct process *self)
{
    char said[CONTROL_BYTES_MAX], reason[SETTINGS_REASON_BYTES];
    struct policy policy;
    struct writer writer;
    reloads = 0;
    writer_init(&writer, said, sizeof said);
    if (read_anew(self, false, &policy, &writer, reason) == STATUS_OK)
        broker_set_policy(self->broker, &policy, clock_now());
}

/* The first signal drains; a second one ends at once. */
static void run(struct process *self)
{
    bool draining = false;
    while (stops < 2 && !broker_is_drained(self->broker)) {
        if (stops > 0 && !draining) {
            draining = true;
            log_bare(EVENT_DRAINING);
            broker_drain(self->broker, clock_now());
        }
        if (reloads > 0)
            take_settings(self);
        bool idle = turn(self) == 0;
        sleep_until(self, idle ? broker_due_at(self->broker) : 0);
    }
    broker_flush(self->broker, clock_now());
}

static bool open_sockets(struct process *self, const struct settings *settings, int io_threads)
{
    static const char *const keys[] = {"frontend", "backend", "events"};
    static const char *const domains[] = {DOMAIN_CLIENT, DOMAIN_WORKER, DOMAIN_WORKER};
    const char *advertise = settings_text(settings, "common", "advertise");
    char reason[SOCKET_REASON_BYTES];
    int hwm = EVENTS_HWM;
    unsigned long second = io_threads > 1 ? 2 : 0, first = io_threads > 1 ? 1 : 0;
    void *sockets[] = {socket_open(self->context, ZMQ_ROUTER, LINGER_FRONTEND_MS, first),
                       socket_open(self->context, ZMQ_ROUTER, 0, second),
                       socket_open(self->context, ZMQ_XPUB, 0, second)};
    zmq_setsockopt(sockets[SIDE_COUNT], ZMQ_SNDHWM, &hwm, sizeof hwm);
    inlet_init(&self->sockets[SIDE_FRONTEND], sockets[SIDE_FRONTEND]);
    inlet_init(&self->sockets[SIDE_BACKEND], sockets[SIDE_BACKEND]);
    inlet_init(&self->events, sockets[SIDE_COUNT]);
    for (size_t i = 0; i < 3; i++) {
        const char *endpoint = settings_text(settings, "broker", keys[i]);
        if (self->guard != NULL)
            guard_protect(self->guard, sockets[i], domains[i]);
        if (socket_bind(sockets[i], endpoint, advertise, self->endpoints[i], reason))
            continue;
        fprintf(stderr, "fact-broker: %s: %s\n", keys[i], reason);
        return false;
    }
    return true;
}

/* Returns EX_OK, or what to end with. */
static int open_others(struct process *self, const struct settings *settings)
{
    static const char *const topics[] = {"members", "view", NULL};
    struct others others;
    char reason[SOCKET_REASON_BYTES] = "";
    const char *list = settings_text(settings, "broker", "peers");
    bool good = others_init(&others, list, self->endpoints[SIDE_FRONTEND], reason);
    for (unsigned i = 0; good && i < others.count; i++) {
        struct subscriber_config config = {.zmq = self->context,
                                           .endpoint = others.places[i].events,
                                           .reconnect_ms = OTHERS_RECONNECT_MS,
                                           .own = self->keys.used ? &self->keys.own : NULL,
                                           .servers = &self->keys.servers,
                                           .topics = topics};
        self->others[i] = subscriber_open(&config, reason);
        good = self->others[i] != NULL;
        self->others_count += good;
    }
    if (!good)
        fprintf(stderr, "fact-broker: %s\n", reason);
    return good ? EX_OK : EX_USAGE;
}

/* The allow list, and our key for all sockets; false: said why not. */
static bool open_guard(struct process *self, const struct settings *settings)
{
    struct keys *keys = &self->keys;
    char reason[KEY_FILE_REASON_BYTES];
    bool alone = settings_text(settings, "broker", "peers")[0] == '\0';
    unsigned does = KEYS_LETS_IN | (alone ? 0 : KEYS_CONNECTS);
    bool good = keys_read(settings, "broker", does, keys, reason) &&
                guard_open(&self->guard, self->context, keys, self->metrics, reason);
    if (!good)
        fprintf(stderr, "fact-broker: %s\n", reason);
    return good;
}

static void start(struct process *self, const struct settings *settings, const char *instance,
                  const struct policy *policy)
{
    struct broker_config config = broker_config_default();
    const struct broker_outside outside = {self,
                                           send_message,
                                           publish,
                                           answer_query,
                                           read_anew,
                                           note,
                                           self->guard == NULL ? NULL : identify};
    config.policy = *policy;
    config.instance = instance;
    config.frontend = self->endpoints[SIDE_FRONTEND];
    config.backend = self->endpoints[SIDE_BACKEND];
    config.events = self->endpoints[SIDE_COUNT];
    config.peers = settings_text(settings, "broker", "peers");
    config.pid = (uint64_t)getpid();
    config.view_counter = (uint64_t)time(NULL);
    config.heartbeat_ms = (uint32_t)settings_u64(settings, "broker", "heartbeat_ms");
    config.lease_ms = (uint32_t)settings_u64(settings, "broker", "lease_ms");
    config.view_hold_ms = (uint32_t)settings_u64(settings, "broker", "view_hold_ms");
    config.drain_ms = (uint32_t)settings_u64(settings, "broker", "drain_ms");
    config.client_credit = (uint32_t)settings_u64(settings, "broker", "client_credit");
    config.queue_max = (uint32_t)settings_u64(settings, "broker", "queue_max");
    config.queue_bytes_max = settings_u64(settings, "broker", "queue_bytes_max");
    config.kept_bytes_max = settings_u64(settings, "broker", "kept_bytes_max");
    while (config.generation == 0)
        randombytes_buf(&config.generation, sizeof config.generation);
    randombytes_buf(&config.seed, sizeof config.seed);
    self->broker = broker_new(&config, &outside, clock_now());
    log_event(EVENT_STARTED, log_text("version", FACT_VERSION), log_u64("pid", (uint64_t)getpid()));
    log_event(EVENT_LISTENING, log_text("frontend", config.frontend),
              log_text("backend", config.backend), log_text("events", config.events));
}

static int io_threads_of(const struct settings *settings)
{
    uint64_t wanted = settings_u64(settings, "broker", "io_threads");
    if (wanted > 0)
        return (int)wanted;
    return sysconf(_SC_NPROCESSORS_ONLN) > 2 ? 2 : 1;
}

static int serve(const struct settings *settings, const struct policy *policy,
                 struct reload *reload)
{
    struct process self = {
        .context = zmq_ctx_new(), .metrics = metrics_new(METRIC_SERIES_MAX), .reload = reload};
    char made_up[32];
    const char *instance = settings_text(settings, "broker", "instance");
    int io_threads = io_threads_of(settings), code = EX_UNAVAILABLE;
    assert(self.context != NULL);
    (void)snprintf(made_up, sizeof made_up, "broker-%d", (int)getpid());
    if (instance[0] == '\0')
        instance = made_up;
    log_open("broker", instance, NULL);
    zmq_ctx_set(self.context, ZMQ_IO_THREADS, io_threads);
    socket_raise_limits(self.context);
    if (!open_guard(&self, settings))
        code = EX_CONFIG;
    else if (open_sockets(&self, settings, io_threads))
        code = open_others(&self, settings);
    if (code == EX_OK) {
        start(&self, settings, instance, policy);
        run(&self);
        log_event(EVENT_STOPPED, log_u64("drained", broker_is_drained(self.broker)));
        broker_destroy(&self.broker);
    }
    guard_destroy(&self.guard);
    socket_close(&self.sockets[SIDE_FRONTEND].socket);
    socket_close(&self.sockets[SIDE_BACKEND].socket);
    socket_close(&self.events.socket);
    for (unsigned i = 0; i < self.others_count; i++)
        subscriber_close(&self.others[i]);
    zmq_ctx_term(self.context);
    metrics_destroy(&self.metrics);
    keys_wipe(&self.keys);
    log_flush();
    return code;
}

int main(int argc, char **argv)
{
    static const struct program_flag flags[] = {
        {"--frontend", "broker.frontend", NULL, "EP where those who ask connect", false},
        {"--backend", "broker.backend", NULL, "EP where workers connect", false},
        {"--events", "broker.events", NULL, "EP where numbered events are published", false},
        {"--peer", "broker.peers", NULL, "EP,EP,EP of another broker: frontend, backend, events",
         true},
        {NULL, NULL, NULL, NULL, false}};
    static const struct program program = {.name = "fact-broker",
                                           .section = "broker",
                                           .summary = "admits, queues, dispatches",
                                           .flags = flags};
    struct settings *settings = settings_new();
    enum log_level level = LEVEL_INFO;
    struct policy policy;
    char reason[SETTINGS_REASON_BYTES];
    int code = EX_CONFIG;
    struct reload *reload = reload_new(&program, argc, argv, environ, settings);
    if (command_line_read(&program, argc, argv, environ, settings, &code)) {
        const char *name = settings_text(settings, "common", "log_level");
        if (log_level_find(bytes_of(name), &level))
            log_set_level(level);
        catch_signals();
        code = EX_CONFIG;
        if (policy_read(settings, &policy, reason))
            code = serve(settings, &policy, reload);
        else
            fprintf(stderr, "fact-broker: %s\n", reason);
    }
    reload_destroy(&reload);
    settings_destroy(&settings);
    return code;
}
