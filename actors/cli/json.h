/* json - JSON for people and scripts, MessagePack on the wire, and exact both ways.
 *
 * What JSON has no word for is an object of one key: {"$base64": ".."} bytes, {"$u64": ".."} an
 * integer above 2^63 - 1, which most readers of JSON would round, {"$f64": "nan"} (inf, -inf), and
 * {"$ext": 5, "$base64": ".."} an extension. A key that is no text becomes the text of its JSON.
 * What is printed can go to a terminal: no control character is left in it. */
#ifndef ACTORS_CLI_JSON_H
#define ACTORS_CLI_JSON_H

#include <stdio.h>

#include "protocol/envelope.h"
#include "protocol/value.h"

/* Print one value on one line, without a line end.
 *
 * value  checked, at most BODY_NESTING_MAX deep; absent: null */
void json_print(struct bytes value, FILE *out);

/* The same for the text of a table's cell: no quotes around a text, and what would move a cursor
 * escaped as in JSON. */
void json_print_plain(struct bytes value, FILE *out);

/* Print text as the inside of a JSON string; what is no UTF-8 becomes U+FFFD. */
void json_print_escaped(struct bytes text, FILE *out);

/* Read one JSON value.
 *
 * writer   gets it; left full if it does not fit
 * reason   on failure what is wrong and where, for people
 * returns  OK; BAD_REQUEST: no JSON, a key twice, an integer beyond 64 bits, a special object that
 *          is none; TOO_LARGE: nested deeper than BODY_NESTING_MAX, or the writer is full */
MUST_USE enum status json_read(struct bytes text, struct writer *writer, char *reason,
                               size_t reason_size);

#endif
