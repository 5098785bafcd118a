/* secret - a key, from a file or from the environment, and never from anywhere else.
 *
 * Read again when its file changes, so that keys rotate without a restart; zeroed when it is not
 * needed any more. Nothing here prints one. */
#ifndef ACTORS_ARCADE_GATEWAY_SECRET_H
#define ACTORS_ARCADE_GATEWAY_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_PATH_BYTES_MAX 512u

struct secret {
    char path[SECRET_PATH_BYTES_MAX]; /* empty: there is no file */
    const char *variable;             /* of the environment, used without a file; NULL: none */
    int64_t looked_at;                /* monotonic; when its file was last looked at */
    int64_t changed_ns, inode, size;  /* of the file as it was read */
};

/* Look whether it has changed, at most once a second, and read it.
 *
 * value    size bytes; its text, ended in 0; empty: there is none, or none that can be sent (over
 *          the bound, several lines, control characters)
 * returns  true: value has changed */
bool secret_refresh(struct secret *self, int64_t now_at, char *value, size_t size);

/* Look again with the next refresh, however soon: somebody has refused it. */
void secret_doubt(struct secret *self);

void secret_wipe(char *value, size_t size);

#endif
