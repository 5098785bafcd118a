/* envelope - the header of every pair (docs/protocol.md, "Header").
 *
 * A header is one MessagePack array of positional fields, in the order of the structs below. What a
 * hop changes stands in a fixed width at a fixed offset, so a hop patches it in place.
 * Never does: read a body, know a socket, read a clock. */
#ifndef PROTOCOL_ENVELOPE_H
#define PROTOCOL_ENVELOPE_H

#include "protocol/cursor.h"
#include "protocol/limits.h"

#define MUST_USE __attribute__((warn_unused_result))

#define PROTOCOL_VERSION 1u
#define IDEMPOTENCY_KEY_BYTES 16u
#define TRACE_BYTES 25u

enum command {
    COMMAND_NONE,
#define COMMAND(NAME, value, LAYOUT, ANSWER, doc) COMMAND_##NAME = (value),
#include "protocol/messages.def"
    COMMAND_COUNT /* the highest value stands last in messages.def */
};

enum flag {
#define FLAG(NAME, value, doc) FLAG_##NAME = (value),
#include "protocol/messages.def"
};

enum status {
#define STATUS(NAME, value, EXECUTED, RETRY, text) STATUS_##NAME = (value),
#include "protocol/errors.def"
    STATUS_COUNT
};

enum executed { EXECUTED_NO, EXECUTED_MAYBE, EXECUTED_YES };
enum retry { RETRY_NEVER, RETRY_AFTER, RETRY_ELSEWHERE, RETRY_CALLER };
enum layout { LAYOUT_REQUEST, LAYOUT_REPLY };

enum request_class {
    CLASS_CRITICAL_PLUS,
    CLASS_CRITICAL,
    CLASS_SHEDDABLE_PLUS,
    CLASS_SHEDDABLE,
    CLASS_COUNT
};

enum role {
    ROLE_NONE,
    ROLE_BROKER,
    ROLE_DRIVER,
    ROLE_CACHE_PARTITION,
    ROLE_TOOL_EXECUTOR,
    ROLE_ARCADE_GATEWAY,
    ROLE_CLIENT,
    ROLE_AUTOSCALER,
    ROLE_CONSOLE,
    ROLE_COUNT
};
extern const char *const role_names[ROLE_COUNT]; /* of ROLE_NONE: "none" */

/* One struct for both layouts: a command has the fields of its layout, the others stay zero. */
struct header {
    enum command command;
    uint16_t flags; /* of enum flag */
    uint64_t id;

    /* LAYOUT_REQUEST */
    uint32_t deadline_ms; /* what remains */
    enum request_class class;
    uint8_t attempt; /* 0: first */
    uint8_t role;    /* may be one that only a newer peer knows */
    struct bytes method;
    bool has_key;
    uint64_t key; /* hash for affinity */
    struct bytes tenant;
    struct bytes idempotency_key;
    struct bytes trace;

    /* LAYOUT_REPLY */
    enum status status;
    enum executed executed;
    enum request_class admit_level; /* the least important class still admitted */
    uint32_t retry_after_ms;
    uint32_t queue_us;
    uint32_t service_us;
    uint32_t credit; /* requests granted since the connection began, modulo 2^32 */
    struct bytes instance;

    /* both */
    struct bytes extension; /* the MessagePack map as it came */
    bool canonical;         /* by envelope_decode(): its fixed part has our widths */
};

struct status_row {
    const char *name;
    enum executed executed;
    enum retry retry;
    const char *text;
};
extern const struct status_row statuses[STATUS_COUNT];

struct command_row {
    enum layout layout;
    enum command answer; /* COMMAND_NONE: it has none */
};
extern const struct command_row commands[COMMAND_COUNT];

/* Decode the header that data begins with. It came from outside: nothing in it is trusted.
 *
 * ret       its views borrow from data; on failure all zero but command and id, where they can be
 *           read
 * ret_size  bytes of the header; written on OK only
 * returns   OK; VERSION; BAD_REQUEST: not an array, too few or too many elements, cut short, a
 *           wrong type, a value out of range, bad UTF-8, nested deeper than 2, too large
 * source    docs/protocol.md, "Header"; RFC 3629 for UTF-8 */
MUST_USE enum status envelope_decode(struct bytes data, struct header *ret, size_t *ret_size);

/* Encode a header of ours; asserts its bounds: what we send wrong is our bug.
 *
 * out      HEADER_BYTES_MAX bytes
 * returns  bytes written */
size_t envelope_encode(const struct header *header, char *out);

/* Write what hops may change over an encoded header, in place: flags, id; of a request deadline_ms,
 * class and attempt; of a reply status, executed, admit_level, retry_after_ms, queue_us, service_us
 * and credit. So all of them must be set in header.
 *
 * encoded  canonical, and of the layout that header->command has */
void envelope_patch(char *encoded, const struct header *header);

/* Only the deadline of an encoded request. */
void envelope_set_deadline(char *encoded, uint32_t deadline_ms);

#endif
