/* query - run one foreign statement and write its rows as MessagePack.
 *
 * Integers stay 64 bits, floats floats, infinite ones too. A blob, and text that is not UTF-8, is
 * bytes (MessagePack bin; where the command line prints JSON, {"$base64": ...}). Two columns of one
 * name: the second gets the suffix _2, and so on. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_QUERY_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_QUERY_H

#include "actors/tool_executor/database/sqlite.h"

#define QUERY_ROWS_MAX 10000u
#define QUERY_NAME_BYTES_MAX 256u /* of a column in a result; a longer one is cut */

struct query {
    struct bytes statement;
    struct bytes parameters; /* an array, by position; a map, by name; absent: none */
    uint64_t rows_max;       /* 1 to QUERY_ROWS_MAX */
};

/* What was found, besides the rows. */
struct query_result {
    const struct deps *deps; /* valid until sqlite_end() */
    uint64_t row_count;
    struct bytes rows;    /* row_count maps, one behind the other, in the memory of the writer */
    struct bytes columns; /* an array of texts, likewise */
    bool truncated;       /* rows_max or the writer's room cut it */
};

/* Run a statement between sqlite_begin() and sqlite_end().
 *
 * room     takes columns and rows; as many rows as fit
 * returns  false: failure says why; its field is a path into the arguments: parameters/0 */
MUST_USE bool query_run(struct sqlite *sqlite, const struct query *query, struct writer *room,
                        struct query_result *ret, struct failure *failure);

#endif
