/* process - see process.h and process_private.h.
 *
 * A turn reads the clock once, takes in a bounded part of what has come, lets the role act, and
 * sends what is ready. A turn that took something in is followed by another at once. Signals come
 * through a descriptor, so they tear nothing. */
#include "actors/runtime/process.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/command_line.h"
#include "actors/runtime/process_private.h"

#define RECONNECT_MS_MIN 100 /* and up to 200 more, so that not all come back at once */
#define RECONNECT_MS_SPAN 200u
#define GOODBYE_LINGER_MS 500       /* for the last words to leave */
#define STUCK_US_MAX (2 * US_PER_S) /* for a job to see at the end that it is cancelled */
#define WAKE_MS_MAX 1000 /* the loop turns at least so often: the log says what it swallowed */

extern char **environ;

int64_t process_clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t unix_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_clocks(struct process *self)
{
    self->context.now_at = process_clock_us();
    self->context.unix_ms = unix_ms();
}

static void fill_random(void *out, size_t size)
{
    int error = getentropy(out, size);
    assert(error == 0);
}

/* Start. */

/* <role>-<pid>-<4 random digits>, where no name was given. */
static void name_instance(struct process *self)
{
    const char *given = settings_text(self->settings, self->spec->name, "instance");
    if (given[0] != '\0')
        (void)snprintf(self->instance, sizeof self->instance, "%s", given);
    else
        (void)snprintf(self->instance, sizeof self->instance, "%s-%ld-%04x", self->spec->name,
                       (long)getpid(), (unsigned)(self->context.random(&self->context) & 0xffffu));
}

static struct process *process_new(const struct actor_spec *spec)
{
    struct process *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->spec = spec;
    self->signal_fd = -1;
    self->level_until_at = INT64_MAX;
    self->settings = settings_new();
    self->context.metrics = metrics_new(METRIC_SERIES_MAX);
    self->held = held_new(REQUESTS_HELD_MAX);
    self->room = malloc(PAIR_BODY_BYTES_MAX);
    assert(self->room != NULL);
    fill_random(&self->random_state, sizeof self->random_state);
    self->answered = answered_new(ANSWERED_MAX, ANSWERED_BYTES_MAX, self->random_state);
    fill_random(self->context.session, SESSION_ID_BYTES);
    fill_random(self->front_session, SESSION_ID_BYTES);
    acting_init(self);
    self->reconnect_ms =
        RECONNECT_MS_MIN + (int)(self->context.random(&self->context) % RECONNECT_MS_SPAN);
    read_clocks(self);
    self->event_at = self->context.now_at;
    return self;
}

/* Signals are blocked before the first thread is there, and read from a descriptor. */
static void open_signals(struct process *self)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int error = sigprocmask(SIG_BLOCK, &signals, NULL);
    assert(error == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    self->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    assert(self->signal_fd >= 0);
}

static bool start_actor(struct process *self, char *reason)
{
    const struct actor_spec *spec = self->spec;
    void *state = calloc(1, spec->state_bytes > 0 ? spec->state_bytes : 1);
    assert(state != NULL);
    if (!spec->start(state, &self->context, self->settings, reason, SETTINGS_REASON_BYTES)) {
        free(state);
        return false;
    }
    self->actor = (struct actor){spec, state};
    if (spec->thread_count == NULL)
        return true;
    struct jobs_threads threads = {spec->thread_count(state), state, spec->thread_start,
                                   spec->thread_stop};
    self->jobs = jobs_new(&threads);
    return true;
}

/* Everything that can fail. Returns EX_OK; else the code, with the reason. */
static int process_start(struct process *self, char *reason)
{
    enum log_level level = LEVEL_INFO;
    (void)log_level_find(bytes_of(settings_text(self->settings, "common", "log_level")), &level);
    name_instance(self);
    log_open(self->spec->name, self->instance, NULL);
    log_set_level(level);
    open_signals(self);
    self->zmq = zmq_ctx_new();
    assert(self->zmq != NULL);
    socket_raise_limits(self->zmq);
    unsigned does = KEYS_CONNECTS | (self->spec->lets_in ? KEYS_LETS_IN : 0);
    if (!keys_read(self->settings, self->spec->name, does, &self->keys, reason) ||
        (self->spec->lets_in &&
         !guard_open(&self->guard, self->zmq, &self->keys, self->context.metrics, reason)) ||
        !start_actor(self, reason))
        return EX_CONFIG;
    if (self->spec->lets_in && !doorway_open(self, reason))
        return EX_UNAVAILABLE;
    if (!uplinks_open(self, reason))
        return EX_CONFIG;
    log_event(EVENT_STARTED, log_text("version", FACT_VERSION), log_u64("pid", (uint64_t)getpid()));
    if (self->spec->lets_in)
        log_event(EVENT_LISTENING, log_text("endpoint", self->endpoint));
    return EX_OK;
}

/* The end. */

/* False: some job does not end. */
static bool give_jobs_back(struct process *self)
{
    if (self->jobs == NULL)
        return true;
    bool ended = jobs_stop(self->jobs, STUCK_US_MAX);
    (void)acting_finish_jobs(self);
    if (ended)
        jobs_destroy(&self->jobs);
    return ended;
}

/* End beside threads that do not end: what they may reach is not freed, and nothing is run at exit.
 */
static _Noreturn void leave(struct process *self)
{
    (void)zmq_ctx_term(self->zmq);
    log_event(EVENT_STUCK, log_u64("jobs", jobs_out(self->jobs)));
    _exit(self->code);
}

static void process_destroy(struct process **self_p)
{
    struct process *self = *self_p;
    bool ended = give_jobs_back(self);
    uplinks_close(self, GOODBYE_LINGER_MS);
    peerlinks_close(self, GOODBYE_LINGER_MS);
    news_close(self);
    doorway_close(self);
    if (!ended)
        leave(self);
    if (self->actor.state != NULL)
        self->spec->stop(self->actor.state);
    free(self->actor.state);
    if (self->zmq != NULL)
        (void)zmq_ctx_term(self->zmq);
    if (self->signal_fd >= 0)
        (void)close(self->signal_fd);
    held_destroy(&self->held);
    answered_destroy(&self->answered);
    metrics_destroy(&self->context.metrics);
    settings_destroy(&self->settings);
    keys_wipe(&self->keys);
    free(self->room);
    free(self);
    *self_p = NULL;
}

/* Say it to every broker, also to one that has come back since. */
void process_drain(struct process *self, int64_t until_at)
{
    int64_t left_ms = (until_at - self->context.now_at) / US_PER_MS;
    struct header header = {.command = COMMAND_DRAIN,
                            .class = CLASS_CRITICAL,
                            .role = (uint8_t)self->spec->role,
                            .deadline_ms = left_ms > 0 ? (uint32_t)left_ms : 0};
    if (!self->draining)
        log_event(EVENT_DRAINING, log_u64("held", held_count(self->held)));
    self->draining = true;
    self->drain_until_at = until_at;
    uplinks_say(self, &header, (struct bytes){0});
    if (self->server != NULL)
        server_drain(self->server);
}

bool process_undrain(struct process *self)
{
    if (self->must_end)
        return false;
    if (!self->draining)
        return true;
    log_event(EVENT_UNDRAINED, log_u64("held", held_count(self->held)));
    self->draining = false;
    if (self->server != NULL)
        server_undrain(self->server);
    uplinks_say_ready(self);
    return true;
}

static bool is_drained(const struct process *self)
{
    bool finished = held_count(self->held) == 0 &&
                    (self->jobs == NULL || jobs_out(self->jobs) == 0) && uplinks_are_told(self);
    return self->draining && (finished || self->context.now_at >= self->drain_until_at);
}

static void take_signals(struct process *self)
{
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int64_t drain_us = (int64_t)settings_u64(self->settings, "common", "drain_ms") * US_PER_MS;
        bool again = self->must_end; /* told twice: now */
        self->must_end = true;
        process_drain(self, self->context.now_at + (again ? 0 : drain_us));
    }
}

static void say_goodbye(struct process *self)
{
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    bool finished = held_count(self->held) == 0;
    struct msg_disconnect disconnect = {bytes_of(finished ? "drained" : "stopped")};
    enum status status = message_encode(MSG_DISCONNECT, &disconnect, room, sizeof room, &body);
    assert(status == STATUS_OK);
    uplinks_say(self,
                &(struct header){.command = COMMAND_DISCONNECT,
                                 .status = STATUS_CANCELLED,
                                 .executed = EXECUTED_MAYBE,
                                 .admit_level = CLASS_SHEDDABLE},
                body);
    uplinks_flush(self);
    peerlinks_flush(self);
    doorway_flush(self);
    log_event(EVENT_STOPPED, log_u64("unfinished", held_count(self->held)));
    log_flush();
}

/* The loop. */

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

static int64_t due_at(const struct process *self)
{
    int64_t at = earlier(uplinks_due_at(self), peerlinks_due_at(self));
    at = earlier(at, news_due_at(self));
    at = earlier(at, touches_due_at(self));
    at = earlier(at, self->level_until_at);
    if (self->spec->due_at != NULL)
        at = earlier(at, self->spec->due_at(self->actor.state));
    if (self->server != NULL)
        at = earlier(at, server_due_at(self->server));
    if (self->draining)
        at = earlier(at, self->drain_until_at);
    return at;
}

static void tick(struct process *self)
{
    int64_t now_at = self->context.now_at;
    uplinks_tick(self);
    touches_tick(self);
    peerlinks_tick(self);
    news_tick(self);
    if (self->server != NULL)
        server_tick(self->server, now_at);
    if (self->spec->due_at != NULL && self->spec->due_at(self->actor.state) <= now_at)
        self->spec->tick(self->actor.state, &self->context);
    if (now_at >= self->level_until_at) {
        log_set_level(self->level_before);
        self->level_until_at = INT64_MAX;
    }
}

/* Finishing comes before admitting: what ends work is taken in first. Returns what was taken. */
static unsigned turn(struct process *self)
{
    read_clocks(self);
    if (inlets_is_ready(&self->inlets, self->signal_fd))
        take_signals(self);
    unsigned taken = acting_finish_jobs(self);
    taken += peerlinks_take(self);
    taken += uplinks_take(self);
    taken += news_take(self);
    taken += doorway_take(self);
    tick(self);
    if (self->spec->on_ready != NULL)
        taken += self->spec->on_ready(self->actor.state, &self->context);
    peerlinks_apply_view(self);
    uplinks_flush(self);
    peerlinks_flush(self);
    doorway_flush(self);
    int64_t lag_us = process_clock_us() - self->context.now_at;
    self->loop_lag_us = lag_us > self->loop_lag_us ? lag_us : self->loop_lag_us;
    return taken;
}

/* Look what has come, and sleep until something comes if nothing has. */
static void sleep_until(struct process *self, int64_t until_at)
{
    struct inlets *inlets = &self->inlets;
    int64_t left_us = until_at - process_clock_us();
    int64_t left_ms = left_us <= 0 ? 0 : (left_us + US_PER_MS - 1) / US_PER_MS;
    inlets_clear(inlets);
    inlets_add_descriptor(inlets, self->signal_fd);
    if (self->jobs != NULL)
        inlets_add_descriptor(inlets, jobs_fd(self->jobs));
    int own = self->spec->descriptor != NULL ? self->spec->descriptor(self->actor.state) : -1;
    if (own >= 0)
        inlets_add_descriptor(inlets, own);
    doorway_watch(self, inlets);
    uplinks_watch(self, inlets);
    news_watch(self, inlets);
    peerlinks_watch(self, inlets);
    inlets_wait(inlets, left_ms < WAKE_MS_MAX ? (int)left_ms : WAKE_MS_MAX);
}

static void run(struct process *self)
{
    struct series *lag = metrics_series(self->context.metrics, METRIC_LOOP_LAG_SECONDS, NO_LABELS);
    int64_t flushed_at = 0;
    while (!is_drained(self)) {
        unsigned taken = turn(self);
        if (taken > 0) {
            series_observe(lag, (double)(process_clock_us() - self->context.now_at) / 1e6);
        } else if (self->context.now_at - flushed_at >= US_PER_S) {
            flushed_at = self->context.now_at;
            log_flush();
        }
        sleep_until(self, taken > 0 ? 0 : due_at(self));
    }
    say_goodbye(self);
}

/* fact-cache-partition of cache_partition. */
static void program_name(const char *role, char *out, size_t size)
{
    (void)snprintf(out, size, "fact-%s", role);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
}

int process_run(const struct actor_spec *spec, int argc, char **argv)
{
    char name[64], reason[SOCKET_REASON_BYTES] = "";
    int code;
    actor_check(spec);
    program_name(spec->name, name, sizeof name);
    struct program program = {.name = name,
                              .section = spec->name,
                              .summary = spec->summary != NULL ? spec->summary : "a role of FACT",
                              .flags = spec->flags,
                              .has_brokers = true};
    struct process *self = process_new(spec);
    if (command_line_read(&program, argc, argv, environ, self->settings, &code)) {
        code = process_start(self, reason);
        if (code == EX_OK) {
            run(self);
            code = self->code;
        } else {
            (void)fprintf(stderr, "%s: %s\n", name, reason);
        }
    }
    process_destroy(&self);
    return code;
}
