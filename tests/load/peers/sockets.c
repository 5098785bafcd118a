/* sockets - see sockets.h. */
#include "tests/load/peers/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 16

static pid_t children[CHILDREN_MAX];
static unsigned child_count;

void give_up(const char *what)
{
    fprintf(stderr, "fact-peer: %s\n", what);
    children_end();
    exit(1);
}

void children_end(void)
{
    for (unsigned i = 0; i < child_count; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    child_count = 0;
}

void child_start_main(struct cost *cost, enum part part, child_main *run, const void *argument)
{
    fflush(NULL);
    if (child_count == CHILDREN_MAX)
        give_up("too many processes");
    pid_t pid = fork();
    if (pid < 0)
        give_up(strerror(errno));
    if (pid == 0) {
        child_count = 0; /* they are the parent's */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(argument);
        exit(1);
    }
    children[child_count++] = pid;
    if (!cost_add(cost, part, (int)pid))
        give_up("a process has died at once");
}

unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, size) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&address, &size) != 0)
        give_up(strerror(errno));
    close(descriptor);
    return ntohs(address.sin_port);
}

void free_endpoint(char *ret)
{
    snprintf(ret, PEER_ENDPOINT_BYTES, "tcp://127.0.0.1:%u", free_port());
}

void *socket_open(void *context, int type, const char *endpoint, bool binds)
{
    int zero = 0, one = 1;
    void *socket = zmq_socket(context, type);
    if (socket == NULL)
        give_up(zmq_strerror(errno));
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    if (type == ZMQ_ROUTER) /* at the mark it waits, and drops nothing */
        zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    if ((binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) != 0)
        give_up(zmq_strerror(errno));
    return socket;
}

bool socket_take(void *socket, zmq_msg_t *ret, bool waits)
{
    int rc;
    zmq_msg_init(ret);
    do {
        rc = zmq_msg_recv(ret, socket, waits ? 0 : ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno != EAGAIN)
        give_up(zmq_strerror(errno));
    return rc >= 0;
}

void socket_send(void *socket, zmq_msg_t *message, bool more)
{
    int rc;
    do {
        rc = zmq_msg_send(message, socket, more ? ZMQ_SNDMORE : 0);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        give_up(zmq_strerror(errno));
}

void socket_send_copy(void *socket, const void *data, size_t size, bool more)
{
    zmq_msg_t message;
    zmq_msg_init_size(&message, size);
    memcpy(zmq_msg_data(&message), data, size);
    socket_send(socket, &message, more);
}
