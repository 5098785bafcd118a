/* catalog - see catalog.h. Names that are not UTF-8 are written with '?' for each foreign byte:
 * they cannot be asked for over the wire anyway. */
#include "actors/tool_executor/database/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char tables_text[] =
    "select name, wr from pragma_table_list where schema = 'main'"
    " and type in ('table', 'view', 'virtual') and name not like 'sqlite\\_%' escape '\\'"
    " order by name";

/* Hidden columns of virtual tables (1) are left out, generated ones (2, 3) are not. A primary key
 * may be null in SQLite, unless it is the rowid or the table has none. */
static const char columns_text[] =
    "select name, type,"
    " \"notnull\" = 0 and (pk = 0 or not (?2 or upper(type) = 'INTEGER')), pk > 0,"
    " count(*) over ()"
    " from pragma_table_xinfo(?1) where hidden <> 1 order by cid";

/* The names of the tables, each behind a mark ('1': it has no rowid) and with its 0. */
struct names {
    char *data;
    size_t size, room;
};

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text == NULL ? "" : text;
}

static void add_name(struct names *self, char mark, const char *name)
{
    size_t size = strlen(name) + 2;
    if (self->size + size > self->room) {
        self->room = 2 * self->room + size;
        self->data = realloc(self->data, self->room);
        assert(self->data != NULL);
    }
    self->data[self->size] = mark;
    memcpy(self->data + self->size + 1, name, size - 1);
    self->size += size;
}

static bool read_names(struct sqlite *sqlite, struct names *ret, struct failure *failure)
{
    sqlite3_stmt *statement = sqlite_compile(sqlite, bytes_of(tables_text), true, NULL, failure);
    enum step step = STEP_FAILED;
    while (statement != NULL && (step = sqlite_step(sqlite, statement, failure)) == STEP_ROW)
        add_name(ret, sqlite3_column_int(statement, 1) != 0 ? '1' : '0', text_at(statement, 0));
    return step == STEP_DONE;
}

/* The columns of one table. */
static bool walk_table(struct sqlite *sqlite, const char *marked_name, catalog_visitor *visit,
                       void *context, struct failure *failure)
{
    sqlite3_stmt *statement = sqlite_compile(sqlite, bytes_of(columns_text), true, NULL, failure);
    enum step step = STEP_FAILED;
    if (statement == NULL)
        return false;
    sqlite3_bind_text(statement, 1, marked_name + 1, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, marked_name[0] == '1');
    while ((step = sqlite_step(sqlite, statement, failure)) == STEP_ROW) {
        struct catalog_column column = {marked_name + 1,
                                        text_at(statement, 0),
                                        text_at(statement, 1),
                                        sqlite3_column_int(statement, 2) != 0,
                                        sqlite3_column_int(statement, 3) != 0,
                                        (unsigned)sqlite3_column_int(statement, 4)};
        visit(context, &column);
    }
    return step == STEP_DONE;
}

/* A view of what is gone cannot be read; the others can. */
bool catalog_walk(struct sqlite *sqlite, catalog_visitor *visit, void *context,
                  struct failure *failure)
{
    struct names names = {NULL, 0, 0};
    struct failure own = {.status = STATUS_OK};
    bool walked = read_names(sqlite, &names, failure);
    for (size_t at = 0; walked && at < names.size; at += strlen(names.data + at) + 1)
        walked = walk_table(sqlite, names.data + at, visit, context, &own) ||
                 strcmp(own.code, "BAD_QUERY") == 0;
    if (!walked && own.status != STATUS_OK)
        *failure = own;
    free(names.data);
    return walked;
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

static void list_column(void *context, const struct catalog_column *column)
{
    struct listing *self = context;
    if (self->columns_left == 0)
        write_table(self, column);
    write_column(self->room, column);
    if (--self->columns_left > 0)
        return;
    self->full = self->full || self->room->full; /* from the first that does not fit on */
    if (self->full)
        self->room->used = self->table_start;
    else
        self->written++;
    self->room->full = false;
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
