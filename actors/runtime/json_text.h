/* json_text - JSON text as MessagePack. Integers of 64 bits stay integers; keys keep their order.
 */
#ifndef ACTORS_RUNTIME_JSON_TEXT_H
#define ACTORS_RUNTIME_JSON_TEXT_H

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

#endif
