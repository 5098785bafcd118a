/* doorway - see process_private.h: a ROUTER of this process, and the server behind it.
 *
 * A ROUTER with MANDATORY says of each message whether it could go. It is never polled for writing:
 * it is writable as soon as any peer is. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "actors/runtime/process_private.h"

#define PEER_BYTES 5u                 /* an automatic routing id: a zero byte, then 32 bits */
#define PEER_MARK ((uint64_t)1 << 32) /* so that no peer is 0 */
#define NOBODY 0u

static void on_request(void *context, uint64_t peer, const struct pair *pair)
{
    acting_take_request(context, LINK_DOORWAY, peer, pair);
}

static void on_cancel(void *context, uint64_t peer, uint64_t id)
{
    acting_take_cancel(context, LINK_DOORWAY, peer, id);
}

static void on_query(void *context, uint64_t peer, const struct pair *pair)
{
    struct process *self = context;
    struct header header;
    struct bytes body;
    acting_take_query(self, pair, &header, &body);
    enum status status = server_reply(self->server, peer, &header, body, false);
    assert(status == STATUS_OK); /* its room has PAIR_BODY_BYTES_MAX */
}

static void on_gone(void *context, uint64_t peer)
{
    acting_drop_link(context, LINK_DOORWAY, peer);
}

/* Once a ROUTER has taken the routing id, it takes the rest. */
static enum status send_message(void *context, uint64_t peer, struct bytes message)
{
    struct process *self = context;
    unsigned char id[PEER_BYTES] = {0};
    for (unsigned i = 1; i < PEER_BYTES; i++)
        id[i] = (unsigned char)(peer >> 8 * (PEER_BYTES - 1 - i));
    while (zmq_send(self->router, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        series_add(self->unsent, errno != EHOSTUNREACH);
        return errno == EHOSTUNREACH ? STATUS_WORKER_LOST : STATUS_BUSY_FULL;
    }
    while (zmq_send(self->router, message.data, message.size, 0) < 0)
        assert(errno == EINTR);
    series_add(self->messages_out, 1);
    series_add(self->bytes_out, (double)message.size);
    return STATUS_OK;
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
    self->router = socket_open(self->zmq, ZMQ_ROUTER, 0, 0);
    struct metrics *metrics = self->context.metrics;
    self->unsent = metrics_series(metrics, METRIC_HWM_BLOCKED_TOTAL, LABELS("door"));
    self->messages_in = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS("door", "in"));
    self->messages_out = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS("door", "out"));
    self->bytes_in = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS("door", "in"));
    self->bytes_out = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS("door", "out"));
    if (!socket_bind(self->router, endpoint, self->endpoint, reason))
        return false;
    self->server = server_new(&config, &owner);
    return true;
}

/* The number of an automatic routing id, which libzmq counts up; NOBODY of any other. */
static uint64_t peer_number(const unsigned char *id, int bytes)
{
    uint64_t number = PEER_MARK;
    if (bytes != PEER_BYTES || id[0] != 0)
        return NOBODY;
    for (unsigned i = 1; i < PEER_BYTES; i++)
        number |= (uint64_t)id[i] << 8 * (PEER_BYTES - 1 - i);
    return number;
}

/* The next frame of the message being read, if it has one. A signal must not tear a message. */
static bool receive_more(void *socket, zmq_msg_t *frame)
{
    int more = 0;
    size_t size = sizeof more;
    zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    while (more && zmq_msg_recv(frame, socket, 0) < 0)
        assert(errno == EINTR);
    return more;
}

/* Take in one message; returns its cost in pairs, or 0: there is none. */
static unsigned take_one(struct process *self)
{
    unsigned char id[PEER_BYTES];
    zmq_msg_t message;
    unsigned frames = 0;
    int id_bytes = zmq_recv(self->router, id, sizeof id, ZMQ_DONTWAIT);
    if (id_bytes < 0)
        return 0; /* or a signal: the loop comes round */
    uint64_t peer = peer_number(id, id_bytes);
    unsigned cost = 1;
    zmq_msg_init(&message);
    while (receive_more(self->router, &message))
        frames++;
    struct bytes bytes = {zmq_msg_data(&message), zmq_msg_size(&message)};
    series_add(self->messages_in, 1);
    series_add(self->bytes_in, (double)bytes.size);
    if (peer != NOBODY && frames == 1)
        cost = server_take(self->server, peer, bytes, self->context.now_at);
    zmq_msg_close(&message);
    return cost;
}

unsigned doorway_take(struct process *self)
{
    unsigned taken = 0, cost = 1;
    if (self->server == NULL)
        return 0;
    while (cost > 0 && taken < FRONTEND_BURST_MAX) {
        cost = take_one(self);
        taken += cost;
    }
    return taken;
}

void doorway_flush(struct process *self)
{
    if (self->server != NULL)
        server_flush(self->server);
}

void doorway_close(struct process *self)
{
    server_destroy(&self->server);
    socket_close(&self->router);
}
