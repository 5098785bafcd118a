/* fuzz_session - whatever the other side sends, in whatever order with time and questions: no
 * crash, each question ends at most once, and all of them by their deadlines.
 *
 * Input: commands of one byte each; the odd ones take a length and so many bytes of a message. */
#include <assert.h>
#include <string.h>

#include "protocol/session.h"

#define TAGS 256u

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned char ends[TAGS];

static void on_answer(void *self, uint64_t tag, const struct header *header, struct bytes body)
{
    (void)self;
    (void)header;
    (void)body;
    assert(tag < TAGS);
    assert(ends[tag]++ == 0);
}

static uint32_t write_ready(void *self, struct writer *writer)
{
    (void)self;
    struct msg_ready ready = {.methods = bytes_of("\x90"), .concurrency = 4};
    enum status status = message_write(MSG_READY, &ready, writer);
    assert(status == STATUS_OK);
    return 4;
}

static void send_all(struct session *session, int64_t now_at)
{
    while (session_outgoing(session, now_at).data != NULL)
        session_sent(session);
}

static size_t step(struct session *session, const unsigned char *data, size_t size, int64_t *now_at,
                   unsigned *tag)
{
    struct header ask = {.command = COMMAND_REQUEST, .method = bytes_of("m")};
    if (data[0] % 2 == 1 && size > 1) {
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        session_take(session, (struct bytes){(const char *)data + 2, length}, *now_at);
        return 2 + length;
    }
    if (data[0] % 8 == 0 && *tag < TAGS &&
        session_ask(session, &ask, bytes_of("x"), *now_at + data[0] * US_PER_MS, *tag, *now_at) ==
            STATUS_OK)
        (*tag)++;
    if (data[0] % 8 == 2)
        send_all(session, *now_at);
    if (data[0] % 8 == 4)
        *now_at += data[0] * US_PER_MS;
    session_tick(session, *now_at);
    return 1;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct session_owner owner = {.on_answer = on_answer, .write_ready = write_ready};
    struct session_config config = {.role = ROLE_DRIVER,
                                    .worker = size % 2,
                                    .instance = bytes_of("f"),
                                    .asks_max = TAGS,
                                    .waiting_bytes_max = 65536};
    int64_t now_at = US_PER_S;
    unsigned tag = 0;
    struct session *session = session_new(&config, &owner, now_at);
    memset(ends, 0, sizeof ends);
    while (size > 0) {
        size_t used = step(session, data, size, &now_at, &tag);
        data += used;
        size -= used;
    }
    send_all(session, now_at);
    session_tick(session, now_at + US_PER_S);
    assert(session_asks(session) == 0);
    for (unsigned i = 0; i < tag; i++)
        assert(ends[i] == 1);
    session_destroy(&session);
    return 0;
}
