/* message - typed bodies and their one codec.
 *
 * messages.def declares; this header turns the rows into an enum, one struct a message and a table
 * of descriptors. Codec, recordings, reference, fuzz seeds and property tests all walk the table,
 * so a new message is its rows, its handler and a test. Nothing here allocates. */
#ifndef PROTOCOL_MESSAGE_H
#define PROTOCOL_MESSAGE_H

#include "protocol/envelope.h"
#include "protocol/value.h"

enum field_type { TYPE_U64, TYPE_I64, TYPE_F64, TYPE_BOOL, TYPE_TEXT, TYPE_BLOB, TYPE_VALUE };

#define REQUIRED (-1)
#define C_TYPE_U64 uint64_t
#define C_TYPE_I64 int64_t
#define C_TYPE_F64 double
#define C_TYPE_BOOL bool
#define C_TYPE_TEXT struct bytes
#define C_TYPE_BLOB struct bytes
#define C_TYPE_VALUE struct bytes

/* clang-format off */
enum message_id {
    MSG_NONE,
#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc) MSG_##NAME = (id),
#include "protocol/messages.def"
    MESSAGE_ID_MAX /* the highest id stands last in messages.def */
};

#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc) struct msg_##name {
#define FIELD(message, name, type, bytes_max, missing, doc) C_TYPE_##type name;
#define LIST(message, name, element, count_max, missing, doc) struct bytes name;
#define END(name) };
#include "protocol/messages.def"

/* Room for any decoded body. */
union any_body {
#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc) struct msg_##name name;
#include "protocol/messages.def"
};
/* clang-format on */

struct field {
    const char *name;
    size_t name_bytes;
    enum field_type type;
    size_t offset;       /* of the member in its struct, bytes */
    size_t bytes_max;    /* TEXT, BLOB, VALUE; of a list: elements */
    int64_t missing;     /* REQUIRED; else a number's value, and 0 for absent bytes */
    const char *element; /* of a list: name of its message; else NULL */
    const char *doc;
};

struct message {
    const char *name;   /* NULL: no message has this id */
    enum role role;     /* who serves it; ROLE_NONE: not a request */
    const char *method; /* under which method; empty: not a request */
    enum message_id answer;
    const char *doc;
    const struct field *fields;
    size_t field_count;
    size_t struct_bytes;
};

extern const struct message messages[MESSAGE_ID_MAX];

/* The request that a role serves under this method; MSG_NONE if the rows have none. */
enum message_id message_find(enum role role, struct bytes method);

/* Encode one body. Absent bytes (data NULL) are left out; REQUIRED ones must be there.
 *
 * value   struct msg_<name> of this id; borrowed
 * writer  its bytes go behind what is there; left full if they do not fit
 * returns OK; TOO_LARGE: a field is over its bytes_max, or the writer is full */
MUST_USE enum status message_write(enum message_id id, const void *value, struct writer *writer);

/* The same without numbers that whoever reads it puts there anyway: between processes of ours,
 * where nobody looks at the bytes and most numbers are 0. */
MUST_USE enum status message_write_terse(enum message_id id, const void *value,
                                         struct writer *writer);

/* As message_write() into a buffer of its own.
 *
 * out       size bytes
 * ret_body  written only on OK; borrows out */
MUST_USE enum status message_encode(enum message_id id, const void *value, char *out, size_t size,
                                    struct bytes *ret_body);

/* The body of a REPLY that brings no answer, from the row of its status: a failure, or nil where
 * there is nothing to say.
 *
 * out  CONTROL_BYTES_MAX bytes; what is returned borrows them */
struct bytes message_encode_failure(enum status status, char *out);

/* Decode one body that came from outside; trusts nothing in it.
 *
 * ret      struct msg_<name> of this id; its views borrow from body; unspecified on failure
 * returns  OK; BAD_REQUEST: no map, a wrong type, bad UTF-8, nested deeper than BODY_NESTING_MAX,
 *          something missing; TOO_LARGE: a field is over its bound */
MUST_USE enum status message_decode(enum message_id id, struct bytes body, void *ret);

/* The elements of a list field, one by one: while (values_next(..) && message_decode(..) == OK). */

#endif
