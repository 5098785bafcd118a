/* envelope_by_hand - a header of eight fields and a body, MessagePack written and read for exactly
 * this shape: the least that it can cost.
 *
 * [version, kind, id, service, method, source, deadline, trace] and a bin. Id and deadline are
 * always nine bytes wide, so that a broker patches them in place. */
#ifndef TESTS_LOAD_PEERS_ENVELOPE_BY_HAND_H
#define TESTS_LOAD_PEERS_ENVELOPE_BY_HAND_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/cursor.h"

#define HAND_HEAD_BYTES_MAX 128u /* header, and what stands before the bytes of a body */
#define HAND_ID_FIRST (UINT64_C(1) << 40)

enum hand_kind { HAND_REQUEST = 'Q', HAND_REPLY = 'R', HAND_READY = 'H' };

struct hand_pair {
    enum hand_kind kind;
    uint64_t id, deadline;
    char *id_at, *deadline_at; /* where they stand, for hand_patch() */
    struct bytes service, body, whole;
};

/* Write a header; and with has_body what stands before so many bytes of a body.
 *
 * out      HAND_HEAD_BYTES_MAX bytes
 * returns  what was written, bytes */
size_t hand_write(char *out, enum hand_kind kind, uint64_t id, struct bytes service, bool has_body,
                  size_t body_bytes);

/* Read a pair; or without has_body a header alone. *at moves behind it.
 *
 * returns  false: it has another shape */
bool hand_read(char **at, char *end, bool has_body, struct hand_pair *ret);

void hand_patch(char *at, uint64_t value);

#endif
