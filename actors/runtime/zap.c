/* zap - see zap.h. */
#include "actors/runtime/zap.h"

#include <zmq.h>

#define VERSION "1.0"

enum frame {
    VERSION_FRAME,
    ID_FRAME,
    DOMAIN_FRAME,
    ADDRESS_FRAME,
    ROUTING_ID_FRAME,
    MECHANISM_FRAME,
    KEY_FRAME
};

const char *const handshake_names[HANDSHAKE_COUNT] = {[HANDSHAKE_GOOD] = "good",
                                                      [HANDSHAKE_KEY] = "key",
                                                      [HANDSHAKE_DOMAIN] = "domain",
                                                      [HANDSHAKE_PROTOCOL] = "protocol",
                                                      [HANDSHAKE_OTHER] = "other"};

bool zap_read(const struct bytes *frames, size_t count, struct zap_ask *ret)
{
    if (count != ZAP_ASK_FRAMES || !bytes_are(frames[VERSION_FRAME], VERSION) ||
        !bytes_are(frames[MECHANISM_FRAME], "CURVE") ||
        frames[KEY_FRAME].size != CURVE_KEY_RAW_BYTES)
        return false;
    ret->id = frames[ID_FRAME];
    ret->domain = frames[DOMAIN_FRAME];
    ret->address = frames[ADDRESS_FRAME];
    const char *key =
        zmq_z85_encode(ret->key, (const uint8_t *)frames[KEY_FRAME].data, CURVE_KEY_RAW_BYTES);
    assert(key != NULL); /* its size is one of four bytes each */
    return true;
}

enum handshake zap_judge(const struct zap_ask *ask, const struct allow_list *list)
{
    const struct allowed *allowed = allow_list_find(list, bytes_of(ask->key));
    if (allowed == NULL)
        return HANDSHAKE_KEY;
    bool good = bytes_are(ask->domain, DOMAIN_CLIENT) ||
                (bytes_are(ask->domain, DOMAIN_WORKER) && allowed->kind == KEY_WORKER);
    return good ? HANDSHAKE_GOOD : HANDSHAKE_DOMAIN;
}

void zap_answer(const struct zap_ask *ask, enum handshake verdict, struct bytes *ret)
{
    bool good = verdict == HANDSHAKE_GOOD;
    const struct bytes frames[ZAP_SAY_FRAMES] = {bytes_of(VERSION),
                                                 ask->id,
                                                 bytes_of(good ? "200" : "400"),
                                                 bytes_of(good ? "OK" : "not allowed"),
                                                 bytes_of(good ? ask->key : ""),
                                                 bytes_of("")};
    memcpy(ret, frames, sizeof frames);
}
