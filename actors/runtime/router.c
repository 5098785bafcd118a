/* router - see router.h. Once a ROUTER has taken the routing id, it takes the rest; so a signal in
 * between is waited out, and tears no message. */
#include "actors/runtime/router.h"

#include <assert.h>
#include <errno.h>

#define ID_BYTES 5u /* a zero byte, then 32 bits */
#define MARK ((uint64_t)1 << 32)

static uint64_t peer_number(zmq_msg_t *id)
{
    const unsigned char *bytes = zmq_msg_data(id);
    uint64_t number = MARK;
    if (zmq_msg_size(id) != ID_BYTES || bytes[0] != 0)
        return ROUTER_NOBODY;
    for (unsigned i = 1; i < ID_BYTES; i++)
        number |= (uint64_t)bytes[i] << 8 * (ID_BYTES - 1 - i);
    return number;
}

/* The frame behind one that says there is more. */
static void receive_rest(void *socket, zmq_msg_t *frame)
{
    while (zmq_msg_recv(frame, socket, 0) < 0)
        assert(errno == EINTR);
}

bool router_take(struct inlet *inlet, zmq_msg_t *message, uint64_t *ret_peer)
{
    unsigned frames = 0;
    if (!inlet_take(inlet, message))
        return false;
    *ret_peer = peer_number(message);
    for (; zmq_msg_more(message); frames++)
        receive_rest(inlet->socket, message);
    if (frames != 1)
        *ret_peer = ROUTER_NOBODY;
    return true;
}

enum status router_send(void *socket, uint64_t peer, zmq_msg_t *message)
{
    unsigned char id[ID_BYTES] = {0};
    assert(peer >= MARK);
    for (unsigned i = 1; i < ID_BYTES; i++)
        id[i] = (unsigned char)(peer >> 8 * (ID_BYTES - 1 - i));
    while (zmq_send(socket, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return errno == EAGAIN ? STATUS_BUSY_FULL : STATUS_WORKER_LOST;
    while (zmq_msg_send(message, socket, ZMQ_DONTWAIT) < 0)
        assert(errno == EINTR);
    return STATUS_OK;
}
