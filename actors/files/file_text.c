/* file_text - see file_text.h. */
#include "actors/files/file_text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or what is wrong with it. The open file is looked at, not its path: that may be another now.
 */
static int check(int file, unsigned forbidden)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EISDIR;
    return (status.st_mode & forbidden) != 0 ? EPERM : 0;
}

static int read_all(int file, char *room, size_t room_bytes, size_t *ret_size)
{
    size_t size = 0;
    char one_more;
    for (;;) {
        bool full = size == room_bytes;
        ssize_t got = read(file, full ? &one_more : room + size, full ? 1 : room_bytes - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got > 0 && full)
            return EFBIG;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *ret_size = size;
    return 0;
}

bool file_text_read(const char *path, unsigned forbidden, char *room, size_t room_bytes,
                    struct bytes *ret)
{
    size_t size = 0;
    assert(room != NULL);
    assert(room_bytes > 0);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0)
        return false;
    int error = check(file, forbidden);
    if (error == 0)
        error = read_all(file, room, room_bytes, &size);
    (void)close(file);
    assert(size <= room_bytes);
    *ret = (struct bytes){room, size};
    errno = error;
    return error == 0;
}
