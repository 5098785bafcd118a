/* catalog - see catalog.h. Names that are not UTF-8 are written with '?' for each foreign byte:
 * they cannot be asked for over the wire anyway. */
#include "actors/tool_executor/database/catalog.h"

#include <stdio.h>
#include <string.h>

/* Hidden columns of virtual tables (1) are left out, generated ones (2, 3) are not. A primary key
 * may be null in SQLite, unless it is the rowid or the table has none. */
static const char columns_text[] =
    "select t.name, c.name, c.type,"
    " c.\"notnull\" = 0 and (c.pk = 0 or not (t.wr or upper(c.type) = 'INTEGER')), c.pk > 0,"
    " count(*) over (partition by t.name)"
    " from pragma_table_list t join pragma_table_xinfo(t.name) c"
    " where t.schema = 'main' and t.type in ('table', 'view', 'virtual')"
    " and t.name not like 'sqlite\\_%' escape '\\' and c.hidden <> 1"
    " order by t.name, c.cid";

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text == NULL ? "" : text;
}

bool catalog_walk(struct sqlite *sqlite, catalog_visitor *visit, void *context,
                  struct failure *failure)
{
    sqlite3_stmt *statement = sqlite_compile(sqlite, bytes_of(columns_text), true, NULL, failure);
    if (statement == NULL)
        return false;
    enum step step = STEP_ROW;
    while ((step = sqlite_step(sqlite, statement, failure)) == STEP_ROW) {
        struct catalog_column column = {text_at(statement, 0),
                                        text_at(statement, 1),
                                        text_at(statement, 2),
                                        sqlite3_column_int(statement, 3) != 0,
                                        sqlite3_column_int(statement, 4) != 0,
                                        (unsigned)sqlite3_column_int(statement, 5)};
        if (!visit(context, &column))
            return true;
    }
    return step == STEP_DONE;
}

/* Tables one behind the other; one that does not fit is taken back. */
struct listing {
    struct writer *room;
    size_t table_start;    /* where the last table began in room */
    unsigned columns_left; /* of it */
    uint64_t total, written;
    bool full;
};

static void write_text(struct writer *writer, const char *text)
{
    char clean[256];
    struct bytes bytes = {text, strlen(text)};
    if (!cursor_is_utf8(bytes)) {
        bytes = (struct bytes){clean, strnlen(text, sizeof clean)};
        for (size_t i = 0; i < bytes.size; i++)
            clean[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    }
    writer_text(writer, bytes);
}

static void write_table(struct listing *self, const struct catalog_column *column)
{
    self->total++;
    self->table_start = self->room->used;
    self->columns_left = column->columns;
    writer_map(self->room, 2);
    writer_cstr(self->room, "name");
    write_text(self->room, column->table);
    writer_cstr(self->room, "columns");
    writer_array(self->room, column->columns);
}

static void write_column(struct writer *room, const struct catalog_column *column)
{
    writer_map(room, 4);
    writer_cstr(room, "name");
    write_text(room, column->name);
    writer_cstr(room, "type");
    write_text(room, column->type);
    writer_cstr(room, "nullable");
    writer_bool(room, column->nullable);
    writer_cstr(room, "primary_key");
    writer_bool(room, column->primary_key);
}

static bool list_column(void *context, const struct catalog_column *column)
{
    struct listing *self = context;
    if (self->columns_left == 0)
        write_table(self, column);
    write_column(self->room, column);
    if (--self->columns_left > 0)
        return true;
    self->full = self->full || self->room->full; /* from the first that does not fit on */
    if (self->full)
        self->room->used = self->table_start;
    else
        self->written++;
    self->room->full = false;
    return true;
}

bool catalog_write(struct sqlite *sqlite, struct writer *room, uint64_t *ret_total,
                   uint64_t *ret_count, struct failure *failure)
{
    struct listing listing = {.room = room};
    if (!catalog_walk(sqlite, list_column, &listing, failure))
        return false;
    *ret_total = listing.total;
    *ret_count = listing.written;
    return true;
}
