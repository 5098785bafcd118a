/* fuzz_pairs - no bytes from outside may crash a reader; pairs lie one behind the other and fill
 * the message unless it is broken; a header that is taken is encoded and taken again, the same.
 * Seeds: the hex of the wire vectors. */
#include <assert.h>
#include <string.h>

#include "protocol/message.h"
#include "protocol/pairs.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_header(struct header *header)
{
    char first[HEADER_BYTES_MAX], second[HEADER_BYTES_MAX];
    struct bytes ours = {first, envelope_encode(header, first)};
    size_t size;
    enum status status = envelope_decode(ours, header, &size);
    assert(status == STATUS_OK);
    assert(header->canonical);
    assert(size == ours.size);
    assert(envelope_encode(header, second) == size);
    assert(memcmp(first, second, size) == 0);
    envelope_patch(first, header); /* with what it is */
    assert(memcmp(first, second, size) == 0);
}

static void check_body(struct bytes bytes)
{
    for (int id = 0; id < MESSAGE_ID_MAX; id++) {
        union any_body body;
        static char again[2 * FRAME_BYTES_MAX];
        struct bytes body_again;
        if (messages[id].name == NULL ||
            message_decode((enum message_id)id, bytes, &body) != STATUS_OK)
            continue;
        enum status status =
            message_encode((enum message_id)id, &body, again, sizeof again, &body_again);
        assert(status == STATUS_OK);
        status = message_decode((enum message_id)id, body_again, &body);
        assert(status == STATUS_OK);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct bytes message = {(const char *)data, size};
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    size_t used = 0;
    while (pairs_next(&pairs, &pair)) {
        assert(pair.whole.data == message.data + used);
        used += pair.whole.size;
        if (pair.status != STATUS_OK)
            continue;
        check_header(&pair.header);
        check_body(pair.body);
    }
    assert(pairs.broken == (size == 0 || used != size));
    check_body(message);
    return 0;
}
