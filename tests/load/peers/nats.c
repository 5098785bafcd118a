/* nats - see modes.h. The client keeps an inbox, as natsConnection_Request() does for many calls.
 */
#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/peers/modes.h"
#include "tests/load/peers/sockets.h"

#define CONNECT_TRIES 200 /* 20 ms apart: a server that has just been started */

struct nats_peer {
    struct generator *generator;
    char url[PEER_ENDPOINT_BYTES], port[8];
    bool is_buffered;
    int ready[2]; /* a pipe: the worker says that it has subscribed */
    natsConnection *connection;
    natsSubscription *subscription;
    natsInbox *inbox;
};

static struct nats_peer the_peer;

static natsConnection *dial(const struct nats_peer *self)
{
    natsOptions *options = NULL;
    natsConnection *connection = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetURL(options, self->url);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, !self->is_buffered);
    for (int i = 0; i < CONNECT_TRIES && connection == NULL; i++) {
        status = natsConnection_Connect(&connection, options);
        if (status != NATS_OK)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    natsOptions_Destroy(options);
    if (connection == NULL)
        give_up(natsStatus_GetText(status));
    return connection;
}

static void server(const void *argument)
{
    const struct nats_peer *self = argument;
    if (freopen("/dev/null", "w", stderr) == NULL)
        return;
    execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", self->port, (char *)NULL);
}

static void echo(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                 void *context)
{
    (void)subscription;
    (void)context;
    natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                           natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
}

static void worker(const void *argument)
{
    const struct nats_peer *self = argument;
    natsSubscription *subscription;
    natsConnection *connection = dial(self);
    if (natsConnection_QueueSubscribe(&subscription, connection, "svc", "workers", echo, NULL) !=
            NATS_OK ||
        natsConnection_Flush(connection) != NATS_OK || write(self->ready[1], "!", 1) != 1)
        give_up("no subscription");
    for (;;)
        pause();
}

static void client_send(void *context, const char *payload, size_t size)
{
    struct nats_peer *self = context;
    if (natsConnection_PublishRequest(self->connection, "svc", self->inbox, payload, (int)size) !=
        NATS_OK)
        give_up("a request that NATS does not take");
}

static void client_receive(void *context, int64_t timeout_us)
{
    struct nats_peer *self = context;
    natsMsg *message;
    int64_t wait_ms = timeout_us / US_PER_MS + 1;
    for (int i = 0; i < BURST_MAX &&
                    natsSubscription_NextMsg(&message, self->subscription, wait_ms) == NATS_OK;
         i++) {
        wait_ms = 0;
        generator_take(self->generator, natsMsg_GetData(message),
                       (size_t)natsMsg_GetDataLength(message));
        natsMsg_Destroy(message);
    }
}

void nats_peer_start(struct generator *generator, bool is_buffered, struct client *ret)
{
    struct nats_peer *self = &the_peer;
    char ready;
    unsigned port = free_port();
    self->generator = generator;
    self->is_buffered = is_buffered;
    snprintf(self->port, sizeof self->port, "%u", port);
    snprintf(self->url, sizeof self->url, "nats://127.0.0.1:%u", port);
    if (pipe(self->ready) != 0)
        give_up("no pipe");
    child_start_main(generator->cost, PART_BROKER, server, self);
    child_start_main(generator->cost, PART_WORKER, worker, self);
    close(self->ready[1]);
    if (read(self->ready[0], &ready, 1) != 1)
        give_up("nats-server does not answer; is it installed?");
    self->connection = dial(self);
    if (natsInbox_Create(&self->inbox) != NATS_OK ||
        natsConnection_SubscribeSync(&self->subscription, self->connection, self->inbox) !=
            NATS_OK ||
        natsSubscription_SetPendingLimits(self->subscription, -1, -1) != NATS_OK)
        give_up("no inbox");
    *ret = (struct client){.self = self, .send = client_send, .receive = client_receive};
}
