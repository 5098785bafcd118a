/* canonical - the one form of a MessagePack value that keys and schema hashes are made of
 * (docs/tools.md, section 1).
 *
 * Map keys are unique text sorted by bytes; everything is in its shortest form; floats that are
 * whole, up to 2^53, are integers; other floats have 64 bits. NaN, infinity, bin, ext and bad UTF-8
 * are refused. The canonical form of a canonical value is itself.
 * Nothing here allocates: what is sorted lies on the stack, within CANONICAL_PAIRS_MAX. */
#ifndef PROTOCOL_CANONICAL_H
#define PROTOCOL_CANONICAL_H

#include "protocol/envelope.h"
#include "protocol/fault.h"
#include "protocol/value.h"

/* The arguments of a call, with the defaults of their schema filled in, from the outside in: of
 * maps that are there or are defaults themselves. The limits (ARGUMENTS_MAX, ARGUMENT_*_MAX) are on
 * what was sent, before defaults; a text's maxLength in the schema may be above ARGUMENT_TEXT_MAX.
 *
 * arguments  as they came, trusted in nothing; data NULL: none, which is {}
 * schema     of the parameters, as registered; size 0: there is none. Not checked against: see
 *            schema.h
 * out        takes them behind what is there; CANONICAL_BYTES_MAX bytes will do
 * ret_fault  written unless OK
 * returns    OK; BAD_REQUEST: refused; TOO_LARGE: out is full */
MUST_USE enum status canonical_arguments(struct bytes arguments, struct bytes schema,
                                         struct writer *out, struct fault *ret_fault);

/* Any value, DEFINITION_NESTING_MAX deep: a schema, a conversation. Otherwise as above. */
MUST_USE enum status canonical_value(struct bytes value, struct writer *out,
                                     struct fault *ret_fault);

/* What of a tool is hashed. */
struct definition {
    struct bytes name, version;      /* text; data NULL: absent, as below */
    struct bytes parameters, result; /* their schemas as registered, MessagePack */
};

/* The canonical map of a definition; its schema hash is canonical_hash() of it. What is absent is
 * nil in it. */
MUST_USE enum status canonical_definition(const struct definition *definition, struct writer *out,
                                          struct fault *ret_fault);

/* XXH3_64, seed 0. */
uint64_t canonical_hash(struct bytes canonical);

#endif
