/* doorway - see process_private.h: a ROUTER of this process, and the server behind it.
 *
 * A ROUTER with MANDATORY says of each message whether it could go. It is never polled for writing:
 * it is writable as soon as any peer is. */
#include <assert.h>
#include <string.h>

#include "actors/runtime/process_private.h"
#include "actors/runtime/router.h"

static void on_request(void *context, uint64_t peer, const struct pair *pair)
{
    answering_take_request(context, LINK_DOORWAY, peer, pair);
}

static void on_cancel(void *context, uint64_t peer, uint64_t id)
{
    answering_take_cancel(context, LINK_DOORWAY, peer, id);
}

static void on_query(void *context, uint64_t peer, const struct pair *pair)
{
    struct process *self = context;
    struct header header;
    struct bytes body;
    acting_take_query(self, pair, false, &header, &body);
    enum status status = server_reply(self->server, peer, &header, body, false);
    assert(status == STATUS_OK); /* its room has PAIR_BODY_BYTES_MAX */
}

static void on_gone(void *context, uint64_t peer)
{
    answering_drop_link(context, LINK_DOORWAY, peer);
}

static enum status send_message(void *context, uint64_t peer, struct bytes bytes)
{
    struct process *self = context;
    zmq_msg_t message;
    int rc = zmq_msg_init_size(&message, bytes.size);
    assert(rc == 0);
    memcpy(zmq_msg_data(&message), bytes.data, bytes.size);
    enum status status = router_send(self->door.socket, peer, &message);
    inlet_touched(&self->door);
    zmq_msg_close(&message);
    series_add(self->unsent, status == STATUS_BUSY_FULL);
    series_add(self->messages_out, status == STATUS_OK);
    series_add(self->bytes_out, status == STATUS_OK ? (double)bytes.size : 0);
    return status;
}

bool doorway_open(struct process *self, char *reason)
{
    const char *endpoint = settings_text(self->settings, self->spec->name, "endpoint");
    struct server_config config = {.instance = bytes_of(self->instance),
                                   .generation = (uint32_t)self->context.random(&self->context),
                                   .peers_max = PEERS_MAX,
                                   .credit = WORKER_CREDIT_MAX};
    struct server_owner owner = {.self = self,
                                 .on_request = on_request,
                                 .on_cancel = on_cancel,
                                 .on_query = on_query,
                                 .on_gone = on_gone,
                                 .send = send_message};
    struct metrics *metrics = self->context.metrics;
    inlet_init(&self->door, socket_open(self->zmq, ZMQ_ROUTER, 0, 0));
    if (self->guard != NULL)
        guard_protect(self->guard, self->door.socket, DOMAIN_WORKER);
    self->unsent = metrics_series(metrics, METRIC_HWM_BLOCKED_TOTAL, LABELS("door"));
    self->messages_in = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS("door", "in"));
    self->messages_out = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS("door", "out"));
    self->bytes_in = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS("door", "in"));
    self->bytes_out = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS("door", "out"));
    const char *advertise = settings_text(self->settings, "common", "advertise");
    if (!socket_bind(self->door.socket, endpoint, advertise, self->endpoint, reason))
        return false;
    self->server = server_new(&config, &owner);
    return true;
}

/* Drivers look into partitions, and nobody else does. Who is connected stays so when the list
 * changes, so each message is looked at. */
static bool is_welcome(const struct process *self, zmq_msg_t *message)
{
    if (self->guard == NULL)
        return true;
    const struct allowed *allowed = guard_identify(self->guard, message);
    return allowed != NULL && allowed_serves(allowed, ROLE_DRIVER);
}

/* Take in one message; returns its cost in pairs, or 0: there is none. */
static unsigned take_one(struct process *self)
{
    zmq_msg_t message;
    uint64_t peer;
    unsigned cost = 0;
    zmq_msg_init(&message);
    if (router_take(&self->door, &message, &peer)) {
        struct bytes bytes = {zmq_msg_data(&message), zmq_msg_size(&message)};
        cost = 1;
        series_add(self->messages_in, 1);
        series_add(self->bytes_in, (double)bytes.size);
        if (peer != ROUTER_NOBODY && is_welcome(self, &message))
            cost = server_take(self->server, peer, bytes, self->context.now_at);
        else if (peer != ROUTER_NOBODY)
            server_turn_away(self->server, peer,
                             "only drivers ask here: roles=driver in the allow list");
    }
    zmq_msg_close(&message);
    return cost;
}

unsigned doorway_take(struct process *self)
{
    unsigned taken = 0, cost = 1;
    if (self->server == NULL)
        return 0;
    if (self->guard != NULL) {
        (void)guard_refresh(self->guard, self->context.now_at);
        taken += guard_take(self->guard);
    }
    while (cost > 0 && taken < FRONTEND_BURST_MAX) {
        cost = take_one(self);
        taken += cost;
    }
    return taken;
}

void doorway_watch(struct process *self, struct inlets *inlets)
{
    inlets_add(inlets, &self->door);
    if (self->guard != NULL)
        guard_watch(self->guard, inlets);
}

void doorway_flush(struct process *self)
{
    if (self->server != NULL)
        server_flush(self->server);
}

void doorway_close(struct process *self)
{
    server_destroy(&self->server);
    guard_destroy(&self->guard);
    socket_close(&self->door.socket);
}
