/* query - see query.h. */
#include "actors/tool_executor/database/query.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Parameters. */

static bool fail_parameter(struct failure *failure, const char *message)
{
    failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "%s", message);
    failure_field(failure, "parameters");
    return false;
}

/* A whole float is an integer, as everywhere. */
static int bind_number(sqlite3_stmt *statement, int index, double number)
{
    if (number == floor(number) && fabs(number) <= 9007199254740992.0)
        return sqlite3_bind_int64(statement, index, (int64_t)number);
    return sqlite3_bind_double(statement, index, number);
}

/* returns  SQLITE_MISMATCH: a kind that SQLite has none for */
static int bind_value(sqlite3_stmt *statement, int index, struct bytes value)
{
    enum kind kind = value_kind(value);
    struct bytes bytes;
    int64_t integer;
    double number;
    bool truth;
    if (kind == KIND_NIL)
        return sqlite3_bind_null(statement, index);
    if (value_bool(value, &truth))
        return sqlite3_bind_int(statement, index, truth);
    if (value_i64(value, &integer))
        return sqlite3_bind_int64(statement, index, integer);
    if (kind != KIND_UINT && value_f64(value, &number))
        return bind_number(statement, index, number);
    if (value_text(value, &bytes))
        return sqlite3_bind_text64(statement, index, bytes.data, bytes.size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    if (value_blob(value, &bytes))
        return sqlite3_bind_blob64(statement, index, bytes.data, bytes.size, SQLITE_STATIC);
    return SQLITE_MISMATCH;
}

static bool fail_bind(int code, struct failure *failure)
{
    if (code == SQLITE_TOOBIG)
        return failure_set(failure, STATUS_TOO_LARGE, "LIMIT", "a parameter is too large");
    return fail_parameter(failure,
                          "a parameter is null, a truth value, a number of 64 bits or text");
}

static bool bind_array(sqlite3_stmt *statement, struct bytes array, struct failure *failure)
{
    struct values values = values_over(array);
    struct bytes value;
    int wanted = sqlite3_bind_parameter_count(statement);
    if (values.left != (uint64_t)wanted) {
        failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                    "the statement has %d parameters, %llu are given", wanted,
                    (unsigned long long)values.left);
        failure_field(failure, "parameters");
        return false;
    }
    for (int i = 0; values_next(&values, &value); i++) {
        int code = bind_value(statement, i + 1, value);
        if (code == SQLITE_OK)
            continue;
        fail_bind(code, failure);
        failure_field(failure, "parameters/%d", i);
        return false;
    }
    return true;
}

/* The parameter of this name, with or without its mark; 0: none. */
static int parameter_index(sqlite3_stmt *statement, struct bytes name)
{
    int count = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= count; i++) {
        const char *own = sqlite3_bind_parameter_name(statement, i);
        if (own != NULL && (bytes_are(name, own) || bytes_are(name, own + 1)))
            return i;
    }
    return 0;
}

static bool bind_map(sqlite3_stmt *statement, struct bytes map, struct failure *failure)
{
    struct values values = values_over(map);
    bool bound[SQL_VARIABLES_MAX + 1] = {false};
    struct bytes key, value, name = {0};
    int wanted = sqlite3_bind_parameter_count(statement);
    while (values_next(&values, &key) && values_next(&values, &value)) {
        int index = value_text(key, &name) ? parameter_index(statement, name) : 0;
        int code = index == 0 ? SQLITE_RANGE : bind_value(statement, index, value);
        if (code == SQLITE_OK) {
            bound[index] = true;
            continue;
        }
        if (index == 0)
            fail_parameter(failure, "the statement has no parameter of this name");
        else
            fail_bind(code, failure);
        failure_field(failure, "parameters/%.*s", (int)name.size,
                      name.data == NULL ? "" : name.data);
        return false;
    }
    for (int i = 1; i <= wanted; i++)
        if (!bound[i])
            return fail_parameter(failure, "a parameter of the statement is not given");
    return true;
}

static bool bind_all(sqlite3_stmt *statement, struct bytes parameters, struct failure *failure)
{
    assert(sqlite3_bind_parameter_count(statement) <= SQL_VARIABLES_MAX);
    if (value_kind(parameters) == KIND_MAP)
        return bind_map(statement, parameters, failure);
    if (parameters.data == NULL || value_kind(parameters) == KIND_ARRAY)
        return bind_array(statement, parameters, failure);
    return fail_parameter(failure, "parameters are an array or a map");
}

/* Columns and rows. */

struct column_name {
    char data[QUERY_NAME_BYTES_MAX + 1];
};

static bool is_taken(const struct column_name *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i].data, name) == 0)
            return true;
    return false;
}

/* A name that none of those before has. */
static void name_column(struct column_name *names, int index, const char *name)
{
    char *own = names[index].data;
    size_t size = strnlen(name, QUERY_NAME_BYTES_MAX - 8); /* leaves room for a suffix */
    while (size > 0 && !cursor_is_utf8((struct bytes){name, size}) && size + 4 > strlen(name))
        size--;
    if (!cursor_is_utf8((struct bytes){name, size}))
        snprintf(own, sizeof names->data, "column_%d", index + 1);
    else
        snprintf(own, sizeof names->data, "%.*s", (int)size, name);
    size = strlen(own);
    for (int suffix = 2; is_taken(names, index, own); suffix++)
        snprintf(own + size, sizeof names->data - size, "_%d", suffix);
}

static void write_columns(sqlite3_stmt *statement, struct column_name *names, struct writer *room)
{
    int count = sqlite3_column_count(statement);
    writer_array(room, (size_t)count);
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_column_name(statement, i);
        name_column(names, i, name == NULL ? "" : name);
        writer_cstr(room, names[i].data);
    }
}

static void write_value(sqlite3_stmt *statement, int column, struct writer *room)
{
    struct bytes bytes;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        writer_i64(room, sqlite3_column_int64(statement, column));
        return;
    case SQLITE_FLOAT:
        writer_f64(room, sqlite3_column_double(statement, column));
        return;
    case SQLITE_NULL:
        writer_nil(room);
        return;
    case SQLITE_TEXT:
        bytes.data = (const char *)sqlite3_column_text(statement, column);
        bytes.size = (size_t)sqlite3_column_bytes(statement, column);
        if (cursor_is_utf8(bytes)) {
            writer_text(room, bytes);
            return;
        }
        break;
    default:
        bytes.data = sqlite3_column_blob(statement, column);
        bytes.size = (size_t)sqlite3_column_bytes(statement, column);
    }
    writer_blob(room, bytes);
}

/* One row; taken back if it does not fit. */
static bool write_row(sqlite3_stmt *statement, const struct column_name *names, struct writer *room)
{
    size_t before = room->used;
    int count = sqlite3_column_count(statement);
    writer_map(room, (size_t)count);
    for (int i = 0; i < count && !room->full; i++) {
        writer_cstr(room, names[i].data);
        write_value(statement, i, room);
    }
    bool fits = !room->full;
    if (!fits)
        room->used = before;
    room->full = false;
    return fits;
}

static bool fail_large_row(struct failure *failure, const struct writer *room)
{
    failure_set(failure, STATUS_APP_ERROR, "LIMIT",
                "the statement passes a limit: result size (its first row has more than %zu bytes)",
                room->size);
    failure_field(failure, "statement");
    failure_hint(failure, "Select fewer columns, or a part of a long value with substr().");
    return false;
}

static bool write_rows(struct sqlite *sqlite, sqlite3_stmt *statement, uint64_t rows_max,
                       struct writer *room, struct query_result *ret, struct failure *failure)
{
    struct column_name names[SQL_COLUMNS_MAX];
    size_t start = room->used;
    write_columns(statement, names, room);
    if (room->full)
        return fail_large_row(failure, room);
    ret->columns = (struct bytes){room->data + start, room->used - start};
    start = room->used;
    enum step step = sqlite_step(sqlite, statement, failure);
    while (step == STEP_ROW && ret->row_count < rows_max && write_row(statement, names, room)) {
        ret->row_count++;
        step = sqlite_step(sqlite, statement, failure);
    }
    if (step == STEP_ROW && ret->row_count == 0)
        return fail_large_row(failure, room);
    ret->rows = (struct bytes){room->data + start, room->used - start};
    ret->truncated = step == STEP_ROW;
    return step != STEP_FAILED;
}

bool query_run(struct sqlite *sqlite, const struct query *query, struct writer *room,
               struct query_result *ret, struct failure *failure)
{
    assert(query->rows_max > 0);
    assert(query->rows_max <= QUERY_ROWS_MAX);
    *ret = (struct query_result){0};
    sqlite3_stmt *statement = sqlite_compile(sqlite, query->statement, false, &ret->deps, failure);
    if (statement == NULL || !bind_all(statement, query->parameters, failure))
        return false;
    assert(sqlite3_column_count(statement) <= SQL_COLUMNS_MAX);
    return write_rows(sqlite, statement, query->rows_max, room, ret, failure);
}
