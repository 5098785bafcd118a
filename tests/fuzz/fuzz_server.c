/* fuzz_server - any bytes from three peers, in messages as the input cuts them: whatever is sent is
 * a good message, no peer has more requests open than its credit, no answer goes to one that has
 * not greeted but DISCONNECT, and a peer that behaves is welcomed and served afterwards. */
#include <assert.h>
#include <string.h>

#include "actors/runtime/server.h"

#define PEERS 3u
#define CREDIT 4u
#define GOOD_PEER 77u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct server *server;
    unsigned open, greeted, replies_to_good;
};

static void on_request(void *context, uint64_t peer, const struct pair *pair)
{
    struct world *self = context;
    struct header reply = {.command = COMMAND_REPLY, .id = pair->header.id};
    assert(pair->header.id != 0);
    self->open++;
    assert(self->open <= CREDIT);
    self->open--;
    enum status status = server_reply(self->server, peer, &reply, (struct bytes){0}, true);
    assert(status == STATUS_OK);
}

static void on_cancel(void *context, uint64_t peer, uint64_t id)
{
    (void)context, (void)peer, (void)id;
}

static void on_query(void *context, uint64_t peer, const struct pair *pair)
{
    struct world *self = context;
    struct header reply = {.command = COMMAND_REPLY, .id = pair->header.id};
    enum status status = server_reply(self->server, peer, &reply, (struct bytes){0}, false);
    assert(status == STATUS_OK);
}

static enum status on_send(void *context, uint64_t peer, struct bytes message)
{
    struct world *self = context;
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    while (pairs_next(&pairs, &pair)) {
        assert(pair.status == STATUS_OK);
        self->replies_to_good += peer == GOOD_PEER && pair.header.command == COMMAND_REPLY &&
                                 pair.header.status == STATUS_OK;
    }
    assert(!pairs.broken);
    return STATUS_OK;
}

/* A peer that behaves: HELLO and one REQUEST in a message. */
static void behave(struct world *self, int64_t now_at)
{
    char message[4096], room[512];
    struct bytes body;
    struct msg_hello hello = {.session = {"behaves-always-", 16},
                              .instance = {"good", 4},
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_DRIVER};
    enum status status = message_encode(MSG_HELLO, &hello, room, sizeof room, &body);
    assert(status == STATUS_OK);
    size_t size = pairs_encode_head(&header, body, message);
    memcpy(message + size, body.data, body.size);
    size += body.size;
    header = (struct header){.command = COMMAND_REQUEST,
                             .id = 1,
                             .deadline_ms = 100,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = {"get", 3}};
    size += pairs_encode_head(&header, (struct bytes){0}, message + size);
    (void)server_take(self->server, GOOD_PEER, (struct bytes){message, size}, now_at);
    server_flush(self->server);
    assert(self->replies_to_good == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.open = 0};
    struct server_config config = {{"c1", 2}, 5, PEERS + 1, CREDIT};
    struct server_owner owner = {&world, on_request, on_cancel, on_query, NULL, on_send};
    int64_t now_at = 1;
    world.server = server_new(&config, &owner);
    while (size >= 2) { /* who, and how much it says: a byte of each */
        size_t length = 4u * data[1] < size - 2 ? 4u * data[1] : size - 2;
        struct bytes message = {(const char *)data + 2, length};
        now_at += (int64_t)(data[0] >> 2) * 10000;
        (void)server_take(world.server, 1 + data[0] % PEERS, message, now_at);
        server_tick(world.server, now_at);
        server_flush(world.server);
        assert(server_count(world.server) <= PEERS);
        data += 2 + length;
        size -= 2 + length;
    }
    behave(&world, now_at);
    server_destroy(&world.server);
    return 0;
}
