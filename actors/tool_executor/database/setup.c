/* setup - see setup.h. No page is mapped: a foreign program may cut the file, and reading beyond
 * its end would be a signal, not an error. Temporary tables stay in memory, under the heap limit.
 */
#include "actors/tool_executor/database/setup.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "actors/tool_executor/database/functions.h"
#include "actors/tool_executor/database/guard.h"

static const struct {
    int limit, narrow;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES_MAX},
    {SQLITE_LIMIT_SQL_LENGTH, SQL_TEXT_BYTES_MAX},
    {SQLITE_LIMIT_COLUMN, SQL_COLUMNS_MAX},
    {SQLITE_LIMIT_EXPR_DEPTH, SQL_EXPRESSION_DEPTH_MAX},
    {SQLITE_LIMIT_COMPOUND_SELECT, SQL_COMPOUND_SELECT_MAX},
    {SQLITE_LIMIT_VDBE_OP, SQL_OPERATIONS_MAX},
    {SQLITE_LIMIT_FUNCTION_ARG, SQL_FUNCTION_ARGUMENTS_MAX},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, SQL_LIKE_PATTERN_BYTES_MAX},
    {SQLITE_LIMIT_VARIABLE_NUMBER, SQL_VARIABLES_MAX},
    {SQLITE_LIMIT_TRIGGER_DEPTH, SQL_TRIGGER_DEPTH_MAX},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

void setup_limits(sqlite3 *db, bool narrow)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].limit, narrow ? limits[i].narrow : INT32_MAX);
}

int setup_open(const char *path, int (*is_over)(void *context), void *context, sqlite3 **ret)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    char pragmas[128];
    int code = sqlite3_open_v2(path, ret, flags, NULL);
    sqlite3 *db = *ret;
    if (code != SQLITE_OK)
        return code;
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_progress_handler(db, SQL_STEPS_A_LOOK, is_over, context);
    code = functions_register(db, is_over, context);
    snprintf(pragmas, sizeof pragmas,
             "pragma query_only=1; pragma temp_store=memory; pragma mmap_size=0; "
             "pragma cache_size=-%d",
             SQL_CACHE_KIB);
    return code == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : code;
}

/* Run one statement of ours; what it yields is not wanted. */
static int run(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
    if (code == SQLITE_OK)
        (void)sqlite3_step(statement);
    int ended = sqlite3_finalize(statement);
    return code == SQLITE_OK ? ended : code;
}

/* pragma_table_list constructs the user's virtual tables, to know their columns. */
int setup_warm(sqlite3 *db)
{
    char text[96];
    for (size_t i = 0; guard_table_functions[i] != NULL; i++) {
        snprintf(text, sizeof text, "select 1 from %s('') limit 1", guard_table_functions[i]);
        (void)run(db, text);
    }
    return run(db, "select 1 from sqlite_schema");
}
