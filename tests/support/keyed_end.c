/* keyed_end - see keyed_end.h. */
#include "tests/support/keyed_end.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/support/suite.h"

void keyed_end_start(struct keyed_end *self)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    *self = (struct keyed_end){.zmq = zmq_ctx_new(), .servers = {.count = 2}};
    ck_assert_int_eq(zmq_curve_keypair(self->pair.public_key, self->pair.secret_key), 0);
    ck_assert_int_eq(zmq_curve_keypair(self->other.public_key, self->other.secret_key), 0);
    memcpy(self->servers.keys[0], self->pair.public_key, sizeof self->servers.keys[0]);
    memcpy(self->servers.keys[1], self->other.public_key, sizeof self->servers.keys[1]);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(self->listener, 0);
    setsockopt(self->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(self->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(self->listener, 8), 0);
    ck_assert_int_eq(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%u",
             (unsigned)ntohs(address.sin_port));
}

void keyed_end_hang_up(struct keyed_end *self)
{
    char greeting[10];
    int came = accept(self->listener, NULL, NULL);
    ck_assert_int_ge(came, 0);
    ck_assert_int_gt(recv(came, greeting, sizeof greeting, 0), 0);
    close(came);
}

void keyed_end_open(struct keyed_end *self, int type, const struct curve_pair *pair)
{
    int on = 1, linger_ms = 0;
    if (self->listener >= 0)
        close(self->listener);
    self->listener = -1;
    self->socket = zmq_socket(self->zmq, type);
    zmq_setsockopt(self->socket, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, pair->secret_key, CURVE_KEY_BYTES + 1);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    int rc = -1;
    for (int tries = 0; rc != 0 && tries < 1000;
         tries++) { /* who was there before may be leaving */
        rc = zmq_bind(self->socket, self->endpoint);
        if (rc != 0)
            usleep(5000);
    }
    ck_assert_int_eq(rc, 0);
}

void keyed_end_close(struct keyed_end *self)
{
    zmq_close(self->socket);
    self->socket = NULL;
}

void keyed_end_stop(struct keyed_end *self)
{
    if (self->listener >= 0)
        close(self->listener);
    if (self->socket != NULL)
        keyed_end_close(self);
    zmq_ctx_term(self->zmq);
}
