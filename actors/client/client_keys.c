/* client_keys - see client_keys.h. */
#include "actors/client/client_keys.h"

#include <errno.h>
#include <string.h>

#include "actors/files/file_text.h"

/* room: CURVE_FILE_BYTES_MAX. False with errno, as client_keys_read() says. */
static bool read_file(const char *path, unsigned forbidden, char *room, struct bytes *ret)
{
    if (file_text_read(path, forbidden, room, CURVE_FILE_BYTES_MAX, ret))
        return true;
    if (errno == EPERM)
        errno = EACCES;
    else if (errno == EFBIG || errno == EISDIR)
        errno = EINVAL;
    return false;
}

bool client_keys_read(const char *key_file, const char *server_file, struct client_keys *ret)
{
    char room[CURVE_FILE_BYTES_MAX];
    struct bytes text;
    memset(ret, 0, sizeof *ret);
    if (key_file == NULL && server_file == NULL)
        return true;
    errno = EINVAL;
    bool good = key_file != NULL && server_file != NULL &&
                read_file(key_file, FILE_TEXT_SECRET, room, &text);
    if (good) {
        good = curve_pair_read(text, &ret->own) && ret->own.secret_key[0] != '\0';
        errno = EINVAL; /* what counts where it is not good */
    }
    good = good && read_file(server_file, FILE_TEXT_OWNERS_WRITE, room, &text);
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
