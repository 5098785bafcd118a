/* packed_broker - see modes.h. As bare as a broker can be that keeps what a real one needs: a table
 * of what is pending, with generations, so that a late reply finds nothing; credit; and a table of
 * peers by their routing id. */
#include <stdlib.h>
#include <string.h>

#include "protocol/value.h"
#include "tests/load/peers/packed.h"
#include "tests/load/peers/sockets.h"

#define PEERS_MAX 4096u
#define PENDING_MAX 16384u
#define CREDIT 4096u

struct peer {
    struct outgoing_pairs out;
    uint32_t load;
};

struct peers {
    void *socket;
    struct peer *by_route[PEERS_MAX];
};

struct pending {
    uint32_t generation, next_free;
    uint64_t id; /* the client's */
    struct peer *client, *worker;
};

struct broker {
    struct peers clients, workers;
    struct peer *worker; /* the one that is ready */
    struct pending pending[PENDING_MAX];
    uint32_t first_free; /* 0: none */
};

static struct peer *find_peer(struct peers *self, zmq_msg_t *route)
{
    uint32_t hash;
    if (zmq_msg_size(route) != ROUTE_BYTES)
        give_up("a routing id that libzmq has not made");
    const char *data = zmq_msg_data(route);
    memcpy(&hash, data + 1, sizeof hash);
    hash = __builtin_bswap32(hash);
    struct peer **slot = &self->by_route[hash % PEERS_MAX];
    while (*slot != NULL && memcmp((*slot)->out.route, data, ROUTE_BYTES) != 0)
        slot = &self->by_route[++hash % PEERS_MAX];
    if (*slot != NULL)
        return *slot;
    *slot = calloc(1, sizeof **slot);
    if (*slot == NULL)
        give_up("no memory");
    (*slot)->out.socket = self->socket;
    (*slot)->out.has_route = true;
    memcpy((*slot)->out.route, data, ROUTE_BYTES);
    return *slot;
}

static void forward(struct broker *self, struct peer *client, struct hand_pair *pair)
{
    uint32_t index = self->first_free;
    if (index == 0 || self->worker->load == CREDIT || !bytes_equal(pair->service, packed_service))
        give_up("a request that nobody can take");
    struct pending *pending = &self->pending[index];
    self->first_free = pending->next_free;
    pending->id = pair->id;
    pending->client = client;
    pending->worker = self->worker;
    hand_patch(pair->id_at, (uint64_t)pending->generation << 32 | index);
    hand_patch(pair->deadline_at, pair->deadline - 1);
    self->worker->load++;
    outgoing_copy(&self->worker->out, pair);
}

static void give_back(struct broker *self, struct peer *worker, struct hand_pair *pair)
{
    uint32_t index = (uint32_t)pair->id;
    if (pair->kind == HAND_READY) {
        self->worker = worker;
        return;
    }
    if (index >= PENDING_MAX || self->pending[index].generation != pair->id >> 32 ||
        self->pending[index].worker != worker)
        return; /* late, or a lie */
    struct pending *pending = &self->pending[index];
    hand_patch(pair->id_at, pending->id);
    pending->generation++;
    pending->next_free = self->first_free;
    self->first_free = index;
    worker->load--;
    outgoing_copy(&pending->client->out, pair);
}

/* One message. Returns the pairs that were in it; 0: there is none. */
static int take(struct broker *self, struct peers *side)
{
    zmq_msg_t route, message;
    struct hand_pair pair;
    int taken = 0;
    if (!socket_take(side->socket, &route, false))
        return 0;
    socket_take(side->socket, &message, true);
    struct peer *peer = find_peer(side, &route);
    zmq_msg_close(&route);
    char *at = zmq_msg_data(&message), *end = at + zmq_msg_size(&message);
    for (; at < end; taken++) {
        if (!hand_read(&at, end, true, &pair))
            give_up("a pair that is none");
        if (side == &self->clients)
            forward(self, peer, &pair);
        else
            give_back(self, peer, &pair);
    }
    zmq_msg_close(&message);
    return taken;
}

static int take_all(struct broker *self, struct peers *side, int taken)
{
    for (int i = 0, more = 1; i < BURST_MAX && more > 0 && taken < TURN_PAIRS_MAX; i++) {
        more = take(self, side);
        taken += more;
    }
    return taken;
}

void packed_broker(const void *argument)
{
    static struct broker self;
    const struct packed_endpoints *endpoints = argument;
    void *context = zmq_ctx_new();
    self.clients.socket = socket_open(context, ZMQ_ROUTER, endpoints->frontend, true);
    self.workers.socket = socket_open(context, ZMQ_ROUTER, endpoints->backend, true);
    for (uint32_t i = 1; i < PENDING_MAX; i++)
        self.pending[i] =
            (struct pending){.generation = 1, .next_free = i + 1 < PENDING_MAX ? i + 1 : 0};
    self.first_free = 1;
    zmq_pollitem_t items[] = {{self.workers.socket, 0, ZMQ_POLLIN, 0},
                              {self.clients.socket, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        int taken = take_all(&self, &self.workers, 0);
        if (self.worker != NULL) /* until somebody is ready, what clients send waits */
            taken = take_all(&self, &self.clients, taken);
        outgoing_flush_all();
        if (taken == 0)
            zmq_poll(items, self.worker != NULL ? 2 : 1, -1);
    }
}
