/* json_body - a body of JSON that came over HTTP, read as MessagePack.
 *
 * Owns the memory of one value. What comes is bounded: its size by whoever received it, its depth
 * by a count that is made before any parser sees it. */
#ifndef ACTORS_ARCADE_GATEWAY_JSON_BODY_H
#define ACTORS_ARCADE_GATEWAY_JSON_BODY_H

#include "protocol/value.h"

struct json_body {
    char *memory;
    struct bytes value; /* checked; data NULL: there is none */
};

/* Read one text, whole: any value. Of a key given twice the last counts.
 *
 * nesting_max  containers inside each other
 * returns      NULL, and ret is to be ended by json_body_fini(); else why the text is none: then
 *              ret is empty */
const char *json_body_read(struct bytes text, unsigned nesting_max, struct json_body *ret);

void json_body_fini(struct json_body *self);

#endif
