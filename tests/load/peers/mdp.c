/* mdp - see modes.h. Frames: client to broker [header][body]; broker to worker [client][header]
 * [body]. The worker is the one that says READY; with one of them there is nothing to choose. */
#include <string.h>

#include "tests/load/peers/envelope_by_hand.h"
#include "tests/load/peers/modes.h"
#include "tests/load/peers/sockets.h"

#define ROUTE_BYTES_MAX 16

static char frontend[PEER_ENDPOINT_BYTES], backend[PEER_ENDPOINT_BYTES];
static const struct bytes service = {"svc", 3}, client_name = {"client", 6};

static void send_header(void *socket, enum hand_kind kind, struct bytes to, bool more)
{
    static uint64_t id = HAND_ID_FIRST;
    char head[HAND_HEAD_BYTES_MAX];
    size_t size = hand_write(head, kind, ++id, to, false, 0);
    socket_send_copy(socket, head, size, more);
}

static enum hand_kind read_header(zmq_msg_t *frame)
{
    struct hand_pair pair;
    char *at = zmq_msg_data(frame);
    if (!hand_read(&at, at + zmq_msg_size(frame), false, &pair))
        give_up("a header that is none");
    return pair.kind;
}

static void worker(const void *argument)
{
    (void)argument;
    void *socket = socket_open(zmq_ctx_new(), ZMQ_DEALER, backend, false);
    zmq_msg_t client, header, body;
    send_header(socket, HAND_READY, service, false);
    while (socket_take(socket, &client, true)) {
        socket_take(socket, &header, true);
        socket_take(socket, &body, true);
        (void)read_header(&header);
        zmq_msg_close(&header);
        socket_send(socket, &client, true);
        send_header(socket, HAND_REPLY, client_name, true);
        socket_send(socket, &body, false);
    }
}

struct broker {
    void *front, *back;
    char worker[ROUTE_BYTES_MAX];
    size_t worker_size; /* 0: nobody is ready yet */
};

static bool take_reply(struct broker *self)
{
    zmq_msg_t from, client, header, body;
    if (!socket_take(self->back, &from, false))
        return false;
    socket_take(self->back, &client, true);
    if (!zmq_msg_more(&client)) { /* its header: it is ready */
        if (read_header(&client) != HAND_READY || zmq_msg_size(&from) > ROUTE_BYTES_MAX)
            give_up("a worker that is none");
        self->worker_size = zmq_msg_size(&from);
        memcpy(self->worker, zmq_msg_data(&from), self->worker_size);
        zmq_msg_close(&client);
        zmq_msg_close(&from);
        return true;
    }
    zmq_msg_close(&from);
    socket_take(self->back, &header, true);
    socket_take(self->back, &body, true);
    (void)read_header(&header);
    socket_send(self->front, &client, true);
    socket_send(self->front, &header, true);
    socket_send(self->front, &body, false);
    return true;
}

static bool take_request(struct broker *self)
{
    zmq_msg_t client, header, body;
    if (self->worker_size == 0 || !socket_take(self->front, &client, false))
        return false;
    socket_take(self->front, &header, true);
    socket_take(self->front, &body, true);
    (void)read_header(&header);
    socket_send_copy(self->back, self->worker, self->worker_size, true);
    socket_send(self->back, &client, true);
    socket_send(self->back, &header, true);
    socket_send(self->back, &body, false);
    return true;
}

static void broker(const void *argument)
{
    void *context = zmq_ctx_new();
    (void)argument;
    struct broker self = {.front = socket_open(context, ZMQ_ROUTER, frontend, true),
                          .back = socket_open(context, ZMQ_ROUTER, backend, true)};
    zmq_pollitem_t items[] = {{self.back, 0, ZMQ_POLLIN, 0}, {self.front, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        int taken = 0;
        for (int i = 0; i < BURST_MAX && take_reply(&self); i++)
            taken++;
        for (int i = 0; i < BURST_MAX && take_request(&self); i++)
            taken++;
        if (taken == 0) /* while nobody is ready, what clients send waits */
            zmq_poll(items, self.worker_size > 0 ? 2 : 1, -1);
    }
}

struct mdp_client {
    struct generator *generator;
    void *socket;
};

static void client_send(void *context, const char *payload, size_t size)
{
    struct mdp_client *self = context;
    send_header(self->socket, HAND_REQUEST, service, true);
    socket_send_copy(self->socket, payload, size, false);
}

static void client_receive(void *context, int64_t timeout_us)
{
    struct mdp_client *self = context;
    zmq_msg_t header, body;
    zmq_pollitem_t item = {self->socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, (long)((timeout_us + US_PER_MS - 1) / US_PER_MS)) <= 0)
        return;
    for (int i = 0; i < BURST_MAX && socket_take(self->socket, &header, false); i++) {
        socket_take(self->socket, &body, true);
        (void)read_header(&header);
        zmq_msg_close(&header);
        generator_take(self->generator, zmq_msg_data(&body), zmq_msg_size(&body));
        zmq_msg_close(&body);
    }
}

void mdp_start(struct generator *generator, bool flag, struct client *ret)
{
    static struct mdp_client self;
    (void)flag;
    free_endpoint(frontend);
    free_endpoint(backend);
    child_start_main(generator->cost, PART_BROKER, broker, NULL);
    child_start_main(generator->cost, PART_WORKER, worker, NULL);
    self = (struct mdp_client){generator, socket_open(zmq_ctx_new(), ZMQ_DEALER, frontend, false)};
    *ret = (struct client){.self = &self, .send = client_send, .receive = client_receive};
}
