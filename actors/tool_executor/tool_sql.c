/* tool_sql - SQL_QueryReadonly, SQL_GetSchema and SQL_GetSampleQueries. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "actors/tool_executor/database/catalog.h"
#include "actors/tool_executor/database/query.h"
#include "actors/tool_executor/samples.h"
#include "actors/tool_executor/tool_functions.h"

#define SHOWN_CHARACTERS_MAX 100u
#define RESULT_REST_BYTES 2048u /* of a result, besides what was read */

/* Begin to read, on the database that was asked for. */
static bool begin(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct bytes wanted = tool_text(call, "database");
    struct sqlite *sqlite = call->thread->sqlite;
    if (sqlite == NULL) {
        failure_set(failure, STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "no database is served here");
        failure_hint(failure, "Start the tool executor with --database FILE.");
        failure->retry_after_ms = 1000;
        return false;
    }
    const char *name = sqlite_database(sqlite)->name;
    if (wanted.data != NULL && !bytes_are(wanted, name)) {
        failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "there is no database %.*s",
                    (int)wanted.size, wanted.data);
        failure_field(failure, "database");
        failure_hint(failure, "The database that is served is %s.", name);
        return false;
    }
    if (!sqlite_begin(sqlite, &call->budget, failure))
        return false;
    out->as_of = sqlite_as_of(sqlite);
    return true;
}

/* db:<name>, and t:<name>.<table> of each table that was read; deps NULL: the whole database. */
static void write_deps(struct sqlite *sqlite, const struct deps *deps, struct writer *out)
{
    const char *name = sqlite_database(sqlite)->name;
    char text[DATABASE_NAME_BYTES_MAX + GUARD_NAME_BYTES_MAX + 8];
    unsigned tables = deps == NULL || deps->folded ? 0 : deps->count;
    writer_array(out, tables + 1);
    snprintf(text, sizeof text, "db:%s", name);
    writer_cstr(out, text);
    for (unsigned i = 0; i < tables; i++) {
        snprintf(text, sizeof text, "t:%s.%s", name, deps->tables[i]);
        writer_cstr(out, text);
    }
}

static void write_id(struct writer *out, struct bytes arguments)
{
    char id[17];
    snprintf(id, sizeof id, "%016llx",
             (unsigned long long)XXH3_64bits(arguments.data, arguments.size));
    writer_cstr(out, "query_id");
    writer_cstr(out, id);
}

static struct bytes first_characters(struct bytes text)
{
    size_t size = 0;
    for (unsigned count = 0; size < text.size; size++) {
        count += ((unsigned char)text.data[size] & 0xc0) != 0x80;
        if (count > SHOWN_CHARACTERS_MAX)
            break;
    }
    return (struct bytes){text.data, size};
}

static void write_result(const struct tool_call *call, const struct query_result *result,
                         int64_t taken_us, struct writer *out)
{
    writer_map(out, 7);
    write_id(out, call->arguments);
    writer_cstr(out, "rows");
    writer_array(out, result->row_count);
    if (result->rows.size > 0)
        writer_raw(out, result->rows);
    writer_cstr(out, "row_count");
    writer_u64(out, result->row_count);
    writer_cstr(out, "columns");
    writer_raw(out, result->columns);
    writer_cstr(out, "execution_time_ms");
    writer_f64(out, (double)taken_us / US_PER_MS);
    writer_cstr(out, "statement");
    writer_text(out, first_characters(tool_text(call, "statement")));
    writer_cstr(out, "truncated");
    writer_bool(out, result->truncated);
}

bool tool_sql_query(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct query query = {tool_text(call, "statement"), value_find(call->arguments, "parameters"),
                          tool_u64(call, "max_rows")};
    struct query_result result;
    struct writer room;
    int64_t begun_at = sqlite_clock_us();
    if (!begin(call, out, failure))
        return false;
    /* Rows are counted after they are written, so they are written elsewhere first. */
    writer_init(&room, call->thread->reply, out->data.size - RESULT_REST_BYTES);
    bool answered = query_run(call->thread->sqlite, &query, &room, &result, failure);
    if (answered) {
        write_result(call, &result, sqlite_clock_us() - begun_at, &out->data);
        write_deps(call->thread->sqlite, result.deps, &out->deps);
        out->truncated = result.truncated;
    }
    sqlite_end(call->thread->sqlite);
    return answered;
}

bool tool_sql_schema(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    uint64_t total = 0, count = 0;
    struct writer room;
    if (!begin(call, out, failure))
        return false;
    writer_init(&room, call->thread->reply, out->data.size - RESULT_REST_BYTES);
    bool answered = catalog_write(call->thread->sqlite, &room, &total, &count, failure);
    write_deps(call->thread->sqlite, NULL, &out->deps);
    sqlite_end(call->thread->sqlite);
    if (!answered)
        return false;
    writer_map(&out->data, 3);
    writer_cstr(&out->data, "tables");
    writer_array(&out->data, count);
    if (room.used > 0)
        writer_raw(&out->data, writer_bytes(&room));
    writer_cstr(&out->data, "total_tables");
    writer_u64(&out->data, total);
    writer_cstr(&out->data, "database_type");
    writer_cstr(&out->data, "sqlite");
    out->truncated = count < total;
    return true;
}

bool tool_sql_samples(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    if (!begin(call, out, failure))
        return false;
    struct samples *samples = calloc(1, sizeof *samples);
    assert(samples != NULL);
    bool found = samples_find(call->thread->sqlite, samples, failure);
    write_deps(call->thread->sqlite, NULL, &out->deps);
    sqlite_end(call->thread->sqlite);
    writer_map(&out->data, 2);
    writer_cstr(&out->data, "sample_queries");
    writer_array(&out->data, samples->count);
    for (size_t i = 0; i < samples->count; i++) {
        writer_map(&out->data, 2);
        writer_cstr(&out->data, "description");
        writer_cstr(&out->data, samples->list[i].description);
        writer_cstr(&out->data, "query");
        writer_cstr(&out->data, samples->list[i].query);
    }
    writer_cstr(&out->data, "total_queries");
    writer_u64(&out->data, samples->count);
    free(samples);
    return found;
}
