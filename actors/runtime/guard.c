/* guard - see guard.h. What is refused here is counted here; what libzmq refuses by itself, before
 * it asks, its monitors tell. */
#include "actors/runtime/guard.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "actors/runtime/monitor.h"
#include "actors/runtime/socket.h"

#define LOOK_EVERY_US US_PER_S
#define FAILURES (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 /* in every library since 4.3.0, a draft in its header */
#endif

struct guard {
    void *zmq, *door;
    struct inlet asks; /* of the door */
    struct monitor monitors[GUARD_SOCKETS_MAX];
    size_t count;
    struct curve_pair key;
    const char *path;
    struct file_stamp stamp;
    struct allow_list *list, *last;      /* last: NULL, or the one before */
    char refused[KEY_FILE_REASON_BYTES]; /* why the file was at last; empty: it was not */
    int64_t looked_at;
    struct series *failures[HANDSHAKE_COUNT], *keys;
};

static void count_with(struct guard *self, struct metrics *metrics)
{
    for (unsigned i = HANDSHAKE_GOOD + 1; i < HANDSHAKE_COUNT; i++)
        self->failures[i] =
            metrics_series(metrics, METRIC_HANDSHAKE_FAILURES_TOTAL, LABELS(handshake_names[i]));
    self->keys = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("allowed"));
}

static void take_list(struct guard *self, struct allow_list *list)
{
    allow_list_destroy(&self->last);
    self->last = self->list;
    self->list = list;
    series_set(self->keys, (double)allow_list_count(list) / (double)ALLOWED_MAX);
}

bool guard_open(struct guard **ret, void *zmq, const struct keys *keys, struct metrics *metrics,
                char *reason)
{
    struct file_stamp stamp = {0};
    *ret = NULL;
    if (!keys->used)
        return true;
    (void)file_stamp_changed(&stamp, keys->allow_file); /* before it is read: no change is missed */
    struct allow_list *list = key_file_read_allowed(keys->allow_file, reason);
    if (list == NULL)
        return false;
    struct guard *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->zmq = zmq;
    self->key = keys->own;
    self->path = keys->allow_file;
    self->stamp = stamp;
    count_with(self, metrics);
    take_list(self, list);
    self->door = zmq_socket(zmq, ZMQ_REP);
    assert(self->door != NULL);
    int rc = zmq_bind(self->door, ZAP_ENDPOINT);
    assert(rc == 0);
    inlet_init(&self->asks, self->door);
    *ret = self;
    return true;
}

void guard_destroy(struct guard **self_p)
{
    struct guard *self = *self_p;
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        monitor_close(&self->monitors[i]);
    socket_close(&self->door);
    allow_list_destroy(&self->list);
    allow_list_destroy(&self->last);
    curve_pair_wipe(&self->key);
    free(self);
    *self_p = NULL;
}

void guard_protect(struct guard *self, void *socket, const char *domain)
{
    int on = 1;
    assert(self->count < GUARD_SOCKETS_MAX);
    int rc = zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on);
    assert(rc == 0);
    rc = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->key.secret_key, CURVE_KEY_BYTES + 1);
    assert(rc == 0);
    rc = zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
    assert(rc == 0);
    /* Without it a handshake that finds no door passes; ours is there, so it may be missing. */
    (void)zmq_setsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on);
    monitor_open(&self->monitors[self->count++], self->zmq, socket, FAILURES);
}

static void refuse(struct guard *self, enum handshake why, const struct zap_ask *ask)
{
    char id[CURVE_KEY_ID_BYTES + 1];
    series_add(self->failures[why], 1);
    curve_key_id(ask->key, id);
    log_event(EVENT_HANDSHAKE_FAILED, log_text("why", handshake_names[why]),
              log_bytes("domain", ask->domain), log_bytes("address", ask->address),
              log_text("key", id));
}

/* All frames of the question, so that the next one begins where it should.
 *
 * frames  ZAP_ASK_FRAMES, initialised; returns how many came, perhaps more */
static size_t take_frames(struct guard *self, zmq_msg_t *frames)
{
    size_t count = 1;
    for (zmq_msg_t *frame = &frames[0]; zmq_msg_more(frame); count++) {
        frame = &frames[count < ZAP_ASK_FRAMES ? count : ZAP_ASK_FRAMES - 1];
        while (zmq_msg_recv(frame, self->door, 0) < 0)
            assert(errno == EINTR); /* all frames of a message are there at once */
    }
    return count;
}

static void say(struct guard *self, const struct bytes *frames)
{
    for (size_t i = 0; i < ZAP_SAY_FRAMES; i++) {
        int more = i + 1 < ZAP_SAY_FRAMES ? ZMQ_SNDMORE : 0;
        while (zmq_send(self->door, frames[i].data, frames[i].size, more) < 0)
            assert(errno == EINTR); /* a REP that was asked never blocks */
    }
    inlet_touched(&self->asks);
}

static bool judge_one(struct guard *self)
{
    zmq_msg_t frames[ZAP_ASK_FRAMES];
    struct bytes bytes[ZAP_ASK_FRAMES], answer[ZAP_SAY_FRAMES];
    struct zap_ask ask = {.id = bytes_of("1")};
    for (size_t i = 0; i < ZAP_ASK_FRAMES; i++)
        zmq_msg_init(&frames[i]);
    bool found = inlet_take(&self->asks, &frames[0]);
    size_t count = found ? take_frames(self, frames) : 0;
    for (size_t i = 0; i < ZAP_ASK_FRAMES; i++)
        bytes[i] = (struct bytes){zmq_msg_data(&frames[i]), zmq_msg_size(&frames[i])};
    if (found) {
        enum handshake verdict = HANDSHAKE_OTHER;
        if (zap_read(bytes, count, &ask))
            verdict = zap_judge(&ask, self->list);
        zap_answer(&ask, verdict, answer);
        say(self, answer);
        if (verdict != HANDSHAKE_GOOD)
            refuse(self, verdict, &ask);
    }
    for (size_t i = 0; i < ZAP_ASK_FRAMES; i++)
        zmq_msg_close(&frames[i]);
    return found;
}

static bool take_failure(struct guard *self, struct monitor *monitor)
{
    zmq_msg_t endpoint;
    uint16_t event;
    zmq_msg_init(&endpoint);
    bool found = monitor_take(monitor, &event, &endpoint);
    if (found && (event & FAILURES) != 0) {
        enum handshake why =
            event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ? HANDSHAKE_PROTOCOL : HANDSHAKE_OTHER;
        series_add(self->failures[why], 1);
        log_event(EVENT_HANDSHAKE_FAILED, log_text("why", handshake_names[why]),
                  log_bytes("endpoint",
                            (struct bytes){zmq_msg_data(&endpoint), zmq_msg_size(&endpoint)}));
    }
    zmq_msg_close(&endpoint);
    return found;
}

unsigned guard_take(struct guard *self)
{
    unsigned count = 0;
    while (count < HANDSHAKES_PER_TURN_MAX && judge_one(self))
        count++;
    for (size_t i = 0; i < self->count; i++)
        for (unsigned taken = 0;
             taken < HANDSHAKES_PER_TURN_MAX && take_failure(self, &self->monitors[i]); taken++)
            count++;
    return count;
}

void guard_watch(struct guard *self, struct inlets *inlets)
{
    inlets_add(inlets, &self->asks);
    for (size_t i = 0; i < self->count; i++)
        monitor_watch(&self->monitors[i], inlets);
}

/* Keys of the last list that are not in this one, or are something else there. */
static uint32_t revoked(const struct guard *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < allow_list_count(self->last); i++) {
        const struct allowed *entry = allow_list_at(self->last, i);
        const struct allowed *now = allow_list_find(self->list, bytes_of(entry->key));
        count += now == NULL || !allowed_is_same(now, entry);
    }
    return count;
}

bool guard_refresh(struct guard *self, int64_t now_at)
{
    char reason[KEY_FILE_REASON_BYTES];
    if (now_at - self->looked_at < LOOK_EVERY_US)
        return false;
    self->looked_at = now_at;
    bool changed = file_stamp_changed(&self->stamp, self->path);
    if (!changed && self->refused[0] == '\0')
        return false;
    struct allow_list *list = key_file_read_allowed(self->path, reason);
    if (list == NULL) {
        if (changed || strcmp(reason, self->refused) != 0)
            log_event(EVENT_ALLOW_LIST_BAD, log_text("reason", reason));
        (void)snprintf(self->refused, sizeof self->refused, "%s", reason);
        return false;
    }
    self->refused[0] = '\0';
    take_list(self, list);
    uint32_t count = revoked(self);
    log_event(EVENT_ALLOW_LIST, log_u64("keys", allow_list_count(list)), log_u64("revoked", count));
    return true;
}

const struct allow_list *guard_list(const struct guard *self)
{
    return self->list;
}

const struct allowed *guard_identify(const struct guard *self, zmq_msg_t *message)
{
    return allow_list_find(self->list, bytes_of(zmq_msg_gets(message, "User-Id")));
}
