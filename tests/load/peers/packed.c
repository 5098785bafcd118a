/* packed - see modes.h and packed.h. */
#include "tests/load/peers/packed.h"

#include <stdio.h>
#include <string.h>

#include "tests/load/peers/modes.h"
#include "tests/load/peers/sockets.h"

const struct bytes packed_service = {"svc", 3}, packed_part = {"part", 4},
                   packed_client_name = {"client", 6};

/* A pair of a message that has come. */
typedef void take_pair(void *context, const struct hand_pair *pair);

static int each_pair(zmq_msg_t *message, take_pair *take, void *context)
{
    struct hand_pair pair;
    int taken = 0;
    char *at = zmq_msg_data(message), *end = at + zmq_msg_size(message);
    for (; at < end; taken++) {
        if (!hand_read(&at, end, true, &pair))
            give_up("a pair that is none");
        take(context, &pair);
    }
    zmq_msg_close(message);
    return taken;
}

/* Worker and partition. */

static void echo(void *context, const struct hand_pair *pair)
{
    outgoing_write(context, HAND_REPLY, pair->id, packed_client_name, pair->body);
}

void packed_worker(const void *argument)
{
    static struct outgoing_pairs out;
    const struct packed_endpoints *endpoints = argument;
    zmq_msg_t message;
    out.socket = socket_open(zmq_ctx_new(), ZMQ_DEALER, endpoints->backend, false);
    outgoing_write(&out, HAND_READY, HAND_ID_FIRST, packed_service, (struct bytes){0});
    for (;;) {
        outgoing_flush_all();
        bool waits = true;
        int taken = 0;
        while (taken < TURN_PAIRS_MAX && socket_take(out.socket, &message, waits)) {
            taken += each_pair(&message, echo, &out);
            waits = false;
        }
    }
}

void packed_partition(const void *argument)
{
    static struct outgoing_pairs out; /* of the one driver */
    const struct packed_endpoints *endpoints = argument;
    zmq_msg_t route, message;
    out.socket = socket_open(zmq_ctx_new(), ZMQ_ROUTER, endpoints->partition, true);
    out.has_route = true;
    for (;;) {
        outgoing_flush_all();
        bool waits = true;
        int taken = 0;
        while (taken < TURN_PAIRS_MAX && socket_take(out.socket, &route, waits)) {
            if (zmq_msg_size(&route) != ROUTE_BYTES)
                give_up("a routing id that libzmq has not made");
            memcpy(out.route, zmq_msg_data(&route), ROUTE_BYTES);
            zmq_msg_close(&route);
            socket_take(out.socket, &message, true);
            taken += each_pair(&message, echo, &out);
            waits = false;
        }
    }
}

/* Driver: the broker's id is unique, and travels on. */

struct driver {
    struct outgoing_pairs up, down;
};

static void ask_partition(void *context, const struct hand_pair *pair)
{
    struct driver *self = context;
    outgoing_write(&self->down, HAND_REQUEST, pair->id, packed_part, pair->body);
}

static void answer_client(void *context, const struct hand_pair *pair)
{
    struct driver *self = context;
    outgoing_write(&self->up, HAND_REPLY, pair->id, packed_client_name, pair->body);
}

void packed_driver(const void *argument)
{
    static struct driver self;
    const struct packed_endpoints *endpoints = argument;
    void *context = zmq_ctx_new();
    zmq_msg_t message;
    self.up.socket = socket_open(context, ZMQ_DEALER, endpoints->backend, false);
    self.down.socket = socket_open(context, ZMQ_DEALER, endpoints->partition, false);
    outgoing_write(&self.up, HAND_READY, HAND_ID_FIRST, packed_service, (struct bytes){0});
    outgoing_flush_all();
    zmq_pollitem_t items[] = {{self.up.socket, 0, ZMQ_POLLIN, 0},
                              {self.down.socket, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        int taken = 0;
        while (taken < TURN_PAIRS_MAX && socket_take(self.up.socket, &message, false))
            taken += each_pair(&message, ask_partition, &self);
        while (taken < TURN_PAIRS_MAX && socket_take(self.down.socket, &message, false))
            taken += each_pair(&message, answer_client, &self);
        outgoing_flush_all();
        if (taken == 0)
            zmq_poll(items, 2, -1);
    }
}

/* Client. The ids of all replies must add up to those of all requests. */

struct packed_client {
    struct generator *generator;
    struct outgoing_pairs out;
    uint64_t id, sum;
};

static struct packed_client the_client;

static void client_send(void *context, const char *payload, size_t size)
{
    struct packed_client *self = context;
    self->sum += ++self->id;
    outgoing_write(&self->out, HAND_REQUEST, self->id, packed_service,
                   (struct bytes){payload, size});
}

static void client_flush(void *context)
{
    (void)context;
    outgoing_flush_all();
}

static void take_reply(void *context, const struct hand_pair *pair)
{
    struct packed_client *self = context;
    self->sum -= pair->id;
    generator_take(self->generator, pair->body.data, pair->body.size);
}

static void client_receive(void *context, int64_t timeout_us)
{
    struct packed_client *self = context;
    zmq_msg_t message;
    zmq_pollitem_t item = {self->out.socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, (long)((timeout_us + US_PER_MS - 1) / US_PER_MS)) <= 0)
        return;
    for (int i = 0; i < BURST_MAX && socket_take(self->out.socket, &message, false); i++)
        (void)each_pair(&message, take_reply, self);
}

void packed_start(struct generator *generator, bool is_chain, struct client *ret)
{
    static struct packed_endpoints endpoints;
    free_endpoint(endpoints.frontend);
    free_endpoint(endpoints.backend);
    free_endpoint(endpoints.partition);
    child_start_main(generator->cost, PART_BROKER, packed_broker, &endpoints);
    if (is_chain) {
        child_start_main(generator->cost, PART_PARTITION, packed_partition, &endpoints);
        child_start_main(generator->cost, PART_DRIVER, packed_driver, &endpoints);
    } else {
        child_start_main(generator->cost, PART_WORKER, packed_worker, &endpoints);
    }
    the_client.generator = generator;
    the_client.id = HAND_ID_FIRST;
    the_client.out.socket = socket_open(zmq_ctx_new(), ZMQ_DEALER, endpoints.frontend, false);
    *ret = (struct client){&the_client, client_send, client_flush, client_receive};
}

void packed_stop(void)
{
    if (the_client.sum != 0)
        give_up("the ids of replies are not those of requests");
}
