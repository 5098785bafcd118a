/* fuzz_zap - any frames as a question of libzmq's: what is understood is judged and answered with
 * its own id, and let in only with a key of the list. A byte gives the length of each frame. */
#include <assert.h>
#include <string.h>

#include "actors/runtime/zap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT "worker w uKDwhsH*xcbI^}<[c%.37@tOjyiw@6V+?s%^/N-2 roles=driver"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes frames[ZAP_ASK_FRAMES + 2], answer[ZAP_SAY_FRAMES];
    char reason[ALLOW_REASON_BYTES];
    struct zap_ask ask;
    size_t count = 0;
    while (size > 0 && count < sizeof frames / sizeof frames[0]) {
        size_t length = data[0] < size ? data[0] : size - 1;
        frames[count++] = (struct bytes){(const char *)data + 1, length};
        data += 1 + length;
        size -= 1 + length;
    }
    if (!zap_read(frames, count, &ask))
        return 0;
    struct allow_list *list = allow_list_read(bytes_of(TEXT), "allow", reason);
    assert(list != NULL);
    assert(curve_key_is_sound(bytes_of(ask.key)));
    enum handshake verdict = zap_judge(&ask, list);
    zap_answer(&ask, verdict, answer);
    assert(bytes_equal(answer[1], frames[1]));
    bool known = allow_list_find(list, bytes_of(ask.key)) != NULL;
    assert(verdict != HANDSHAKE_GOOD || known);
    assert(bytes_are(answer[2], verdict == HANDSHAKE_GOOD ? "200" : "400"));
    allow_list_destroy(&list);
    return 0;
}
