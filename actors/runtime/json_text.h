/* json_text - JSON text as MessagePack, and back. Integers of 64 bits stay integers; keys keep
 * their order. */
#ifndef ACTORS_RUNTIME_JSON_TEXT_H
#define ACTORS_RUNTIME_JSON_TEXT_H

#include <stdio.h>

#include "protocol/value.h"

#define JSON_REASON_BYTES 200u

/* Where a text is no JSON, and why. */
struct json_fault {
    unsigned line, column; /* from 1, in characters; 0: it is too deep */
    char reason[JSON_REASON_BYTES];
};

/* Parse one text, whole: any value. Of a key given twice the last counts.
 *
 * nesting_max  containers inside each other
 * out          gets the value behind what is there; full: it did not fit
 * returns      false: ret_fault is written */
bool json_text_read(struct bytes text, unsigned nesting_max, struct writer *out,
                    struct json_fault *ret_fault);

/* Write one value as JSON, on one line. A float that is whole keeps its ".0".
 *
 * value    checked, at most BODY_NESTING_MAX deep
 * returns  false: there is something in it that JSON cannot say (bytes, extensions, keys that are
 * no text, text that is not UTF-8, NaN, infinity), and what was written is no use */
bool json_text_write(struct bytes value, FILE *out);

#endif
