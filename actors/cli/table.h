/* table - rows for people: columns as wide as what stands in them, numbers to the right.
 *
 * A table is a view of a document that -o json prints whole, so it can show nothing that JSON does
 * not hold. Cells cannot move the cursor of a terminal: see json_print_plain(). */
#ifndef ACTORS_CLI_TABLE_H
#define ACTORS_CLI_TABLE_H

#include <stdio.h>

#include "protocol/value.h"

#define TABLE_COLUMNS_MAX 64u
#define TABLE_CELL_WIDTH_MAX 80u /* wider cells end in ... */

enum cell { CELL_PLAIN, CELL_US, CELL_MS, CELL_BYTES, CELL_RATE, CELL_YES };

struct column {
    const char *heading, *key; /* key of each row's map */
    enum cell cell; /* how its numbers are shown; RATE: one decimal; YES: a bool, yes or - */
};

/* Print these columns of an array of maps, with headings; nothing for no rows. */
void table_print(struct bytes rows, const struct column *columns, size_t count, FILE *out);

/* The same for rows whose keys are not known beforehand.
 *
 * names  array of keys in their order; absent: those of the first row */
void table_print_rows(struct bytes rows, struct bytes names, FILE *out);

/* A map of maps and arrays as lines that are indented; what is nested deeper stays on its line. */
void tree_print(struct bytes map, FILE *out);

/* A map as lines of name and value. */
void table_print_pairs(struct bytes map, FILE *out);

/* Amounts for people: 1.2 ms, 35 s; 12.4 MiB. */
void print_us(double us, FILE *out);
void print_bytes(double bytes, FILE *out);

#endif
