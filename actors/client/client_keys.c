/* client_keys - see client_keys.h. */
#include "actors/client/client_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS 077u /* the access that others than its owner must not have to a secret */

/* room: CURVE_FILE_BYTES_MAX + 1. False with errno. */
static bool read_file(const char *path, bool secret, char *room, struct bytes *ret)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0)
        return false;
    ssize_t size = fstat(file, &status) == 0 ? read(file, room, CURVE_FILE_BYTES_MAX + 1) : -1;
    int error = errno;
    close(file);
    if (size > (ssize_t)CURVE_FILE_BYTES_MAX)
        error = EINVAL;
    else if (size >= 0)
        error = secret && (status.st_mode & OTHERS) != 0 ? EACCES : 0;
    *ret = (struct bytes){room, size < 0 ? 0 : (size_t)size};
    errno = error;
    return error == 0;
}

bool client_keys_read(const char *key_file, const char *server_file, struct client_keys *ret)
{
    char room[CURVE_FILE_BYTES_MAX + 1];
    struct bytes text;
    memset(ret, 0, sizeof *ret);
    if (key_file == NULL && server_file == NULL)
        return true;
    errno = EINVAL;
    bool good = key_file != NULL && server_file != NULL && read_file(key_file, true, room, &text);
    if (good) {
        good = curve_pair_read(text, &ret->own) && ret->own.secret_key[0] != '\0';
        errno = EINVAL; /* what counts where it is not good */
    }
    good = good && read_file(server_file, false, room, &text);
    if (good) {
        good = curve_servers_read(text, &ret->servers);
        errno = EINVAL;
    }
    int error = errno;
    explicit_bzero(room, sizeof room);
    ret->used = good;
    if (!good)
        client_keys_wipe(ret);
    errno = error;
    return good;
}

void client_keys_wipe(struct client_keys *self)
{
    explicit_bzero(self, sizeof *self);
}
