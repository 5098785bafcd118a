/* sql_tools - see sql_tools.h. */
#include "tests/support/sql_tools.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static sqlite3_stmt *prepare(sqlite3 *database, struct bytes sql)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(database, sql.data, (int)sql.size, &statement, NULL);
    ck_assert_msg(result == SQLITE_OK, "%.*s: %s", (int)sql.size, sql.data,
                  sqlite3_errmsg(database));
    return statement;
}

static void bind_values(sqlite3_stmt *statement, struct bytes parameters)
{
    struct values values = values_over(parameters);
    struct bytes value, text;
    int64_t number;
    ck_assert_int_eq(sqlite3_bind_parameter_count(statement), (int)values.left);
    for (int i = 1; values_next(&values, &value); i++)
        if (value_text(value, &text)) {
            sqlite3_bind_text(statement, i, text.data, (int)text.size, SQLITE_TRANSIENT);
        } else {
            ck_assert(value_i64(value, &number));
            sqlite3_bind_int64(statement, i, number);
        }
}

static void write_cell(struct writer *writer, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        writer_i64(writer, sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        writer_f64(writer, sqlite3_column_double(statement, column));
        break;
    case SQLITE_TEXT:
        writer_cstr(writer, (const char *)sqlite3_column_text(statement, column));
        break;
    default:
        writer_nil(writer);
    }
}

static size_t count_rows(sqlite3_stmt *statement)
{
    size_t count = 0;
    while (sqlite3_step(statement) == SQLITE_ROW)
        count++;
    sqlite3_reset(statement);
    return count;
}

static void write_rows(struct writer *writer, sqlite3_stmt *statement)
{
    int columns = sqlite3_column_count(statement);
    writer_map(writer, 2);
    writer_cstr(writer, "rows");
    writer_array(writer, count_rows(statement));
    while (sqlite3_step(statement) == SQLITE_ROW) {
        writer_map(writer, (size_t)columns);
        for (int column = 0; column < columns; column++) {
            writer_cstr(writer, sqlite3_column_name(statement, column));
            write_cell(writer, statement, column);
        }
    }
    writer_cstr(writer, "truncated");
    writer_bool(writer, false);
}

static void query(sqlite3 *database, struct bytes arguments, struct writer *writer)
{
    struct bytes sql;
    ck_assert(value_text(value_find(arguments, "statement"), &sql));
    sqlite3_stmt *statement = prepare(database, sql);
    bind_values(statement, value_find(arguments, "parameters"));
    write_rows(writer, statement);
    sqlite3_finalize(statement);
}

static void write_table(sqlite3 *database, const char *name, struct writer *writer)
{
    sqlite3_stmt *columns =
        prepare(database, bytes_of("select name, type from pragma_table_info(?)"));
    sqlite3_bind_text(columns, 1, name, -1, SQLITE_TRANSIENT);
    writer_map(writer, 2);
    writer_cstr(writer, "name");
    writer_cstr(writer, name);
    writer_cstr(writer, "columns");
    writer_array(writer, count_rows(columns));
    while (sqlite3_step(columns) == SQLITE_ROW) {
        writer_map(writer, 2);
        writer_cstr(writer, "name");
        write_cell(writer, columns, 0);
        writer_cstr(writer, "type");
        write_cell(writer, columns, 1);
    }
    sqlite3_finalize(columns);
}

static void schema(sqlite3 *database, struct writer *writer)
{
    sqlite3_stmt *tables =
        prepare(database, bytes_of("select name from sqlite_master where type = 'table'"));
    writer_map(writer, 1);
    writer_cstr(writer, "tables");
    writer_array(writer, count_rows(tables));
    while (sqlite3_step(tables) == SQLITE_ROW)
        write_table(database, (const char *)sqlite3_column_text(tables, 0), writer);
    sqlite3_finalize(tables);
}

struct bytes sql_tools_call(sqlite3 *database, const char *tool, struct bytes arguments, char *out,
                            size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    ck_assert(value_check(arguments, 4));
    bool is_schema = strcmp(tool, "SQL_GetSchema") == 0;
    ck_assert(is_schema || strcmp(tool, "SQL_QueryReadonly") == 0);
    if (is_schema)
        schema(database, &writer);
    else
        query(database, arguments, &writer);
    ck_assert(!writer.full);
    return writer_bytes(&writer);
}
