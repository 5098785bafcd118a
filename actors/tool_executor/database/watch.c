/* watch - see watch.h. data_version changes with each commit of any other connection, in both
 * journal modes; asking costs a read of the file's head, or of shared memory in WAL mode. */
#include "actors/tool_executor/database/watch.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

struct watch {
    const struct database *database;
    sqlite3 *db; /* NULL: closed */
    sqlite3_stmt *ask;
    bool looked, was_there;
    dev_t device;
    ino_t inode;
    int64_t version; /* at the last look that could tell; of this connection */
    bool has_version;
};

struct watch *watch_new(const struct database *database)
{
    struct watch *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->database = database;
    return self;
}

static void close_file(struct watch *self)
{
    sqlite3_finalize(self->ask);
    sqlite3_close(self->db);
    self->ask = NULL;
    self->db = NULL;
    self->has_version = false;
}

void watch_destroy(struct watch **self)
{
    if (*self == NULL)
        return;
    close_file(*self);
    free(*self);
    *self = NULL;
}

static void open_file(struct watch *self)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(self->database->path, &self->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        code = sqlite3_prepare_v3(self->db, "pragma data_version", -1, SQLITE_PREPARE_PERSISTENT,
                                  &self->ask, NULL);
    }
    if (code != SQLITE_OK)
        close_file(self);
}

/* returns  an SQLite code; OK: it is written to ret */
static int read_version(struct watch *self, int64_t *ret)
{
    int code = sqlite3_step(self->ask);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(self->ask, 0);
    sqlite3_reset(self->ask);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* True: another commit than at the last look, or nothing to compare it with; or what could be read
 * then is damaged now. */
static bool look_at_version(struct watch *self)
{
    int64_t version = 0;
    bool was_readable = self->has_version;
    if (self->db == NULL)
        open_file(self);
    if (self->db == NULL)
        return was_readable;
    int code = read_version(self, &version);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return false; /* a writer is at it: its commit is seen next time */
    if (code != SQLITE_OK) {
        close_file(self);
        return was_readable;
    }
    bool changed = !was_readable || version != self->version;
    self->has_version = true;
    self->version = version;
    return changed;
}

bool watch_look(struct watch *self)
{
    struct stat file = {0};
    bool is_there = stat(self->database->path, &file) == 0;
    bool is_other =
        is_there != self->was_there || file.st_dev != self->device || file.st_ino != self->inode;
    bool is_first = !self->looked;
    self->looked = true;
    self->was_there = is_there;
    self->device = file.st_dev;
    self->inode = file.st_ino;
    if (is_other || !is_there)
        close_file(self);
    bool is_changed = is_there && look_at_version(self);
    return is_first || is_other || is_changed;
}
