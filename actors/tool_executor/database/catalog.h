/* catalog - what a database holds: its tables and views, with their columns.
 *
 * Not listed: SQLite's own tables, those that a virtual table keeps its data in, and views of what
 * is gone. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_CATALOG_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_CATALOG_H

#include "actors/tool_executor/database/sqlite.h"

/* One column; the texts are valid for the call. */
struct catalog_column {
    const char *table, *name, *type;
    bool nullable, primary_key;
    unsigned columns; /* of its table */
};

typedef void catalog_visitor(void *context, const struct catalog_column *column);

/* Hand over every column, those of a table together, tables by name; between sqlite_begin() and
 * sqlite_end().
 *
 * returns  false: failure says why */
MUST_USE bool catalog_walk(struct sqlite *sqlite, catalog_visitor *visit, void *context,
                           struct failure *failure);

/* The tables as the SQL_GetSchema tool tells of them, one behind the other: {name, columns[{name,
 * type, nullable, primary_key}]}. Whole tables, as many as fit.
 *
 * room       gets them behind what is there
 * ret_total  tables there are
 * ret_count  tables written */
MUST_USE bool catalog_write(struct sqlite *sqlite, struct writer *room, uint64_t *ret_total,
                            uint64_t *ret_count, struct failure *failure);

#endif
