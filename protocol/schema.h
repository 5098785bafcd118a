/* schema - the part of JSON Schema that tools describe their arguments and results with
 * (docs/tools.md, section 2).
 *
 * Keywords: type, enum, const, default, minLength, maxLength, pattern, format, minimum, maximum,
 * exclusiveMinimum, exclusiveMaximum, multipleOf, items, minItems, maxItems, uniqueItems,
 * properties, required, additionalProperties; and title, description, examples, which say nothing
 * about a value. Any other is refused when a tool is registered, so none is passed over in silence.
 *
 * Unlike in JSON Schema, additionalProperties is false unless stated, also where an object names no
 * properties at all; a schema with neither type nor properties takes any map, of any size. Integers
 * are whole numbers up to 2^53 if they came as floats. Lengths count code points. A multiple of a
 * fraction may be off by 1e-9 of its quotient. Values are compared as in canonical form: so give
 * canonical ones, or arrays and maps in enum, const and uniqueItems differ that need not. Nothing
 * here allocates. */
#ifndef PROTOCOL_SCHEMA_H
#define PROTOCOL_SCHEMA_H

#include "protocol/envelope.h"
#include "protocol/fault.h"
#include "protocol/value.h"

/* A schema may be registered: it is well-formed, and its default is what it allows.
 *
 * schema     MessagePack from outside, trusted in nothing
 * ret_fault  written unless OK; its path leads to the keyword
 * returns    OK; BAD_REQUEST */
MUST_USE enum status schema_check(struct bytes schema, struct fault *ret_fault);

/* A value is what a schema allows.
 *
 * value      MessagePack from outside; arguments: with defaults filled in
 * schema     checked
 * ret_fault  written unless OK; its path leads to the value at fault
 * returns    OK; BAD_REQUEST */
MUST_USE enum status schema_validate(struct bytes value, struct bytes schema,
                                     struct fault *ret_fault);

#endif
