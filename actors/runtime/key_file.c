/* key_file - see key_file.h. */
#include "actors/runtime/key_file.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/files/file_text.h"

__attribute__((format(printf, 2, 3))) static bool fail(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, KEY_FILE_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

static bool tell(const char *path, unsigned forbidden, int error, char *reason)
{
    if (error == EPERM && forbidden == FILE_TEXT_SECRET)
        return fail(reason, "%.300s: others may read it: chmod 600", path);
    if (error == EPERM)
        return fail(reason, "%.300s: others may change it: chmod 644", path);
    if (error == EISDIR)
        return fail(reason, "%.300s: is no file", path);
    if (error == EFBIG)
        return fail(reason, "%.300s: is too long for what it should be", path);
    return fail(reason, "%.300s: %s", path, strerror(error));
}

/* The whole file; data NULL: with the reason. To be wiped, if need be, and freed.
 *
 * room  for its bytes */
static struct bytes read_file(const char *path, unsigned forbidden, size_t room, char *reason)
{
    struct bytes text = {0};
    char *bytes = malloc(room);
    assert(bytes != NULL);
    if (file_text_read(path, forbidden, bytes, room, &text))
        return text;
    (void)tell(path, forbidden, errno, reason);
    explicit_bzero(bytes, room);
    free(bytes);
    return (struct bytes){0};
}

static void wipe_and_free(struct bytes text)
{
    explicit_bzero((char *)text.data, text.size);
    free((char *)text.data);
}

bool key_file_read_pair(const char *path, struct curve_pair *ret, char *reason)
{
    struct curve_pair pair;
    struct bytes text = read_file(path, FILE_TEXT_SECRET, CURVE_FILE_BYTES_MAX, reason);
    if (text.data == NULL)
        return false;
    bool good = curve_pair_read(text, &pair);
    wipe_and_free(text);
    if (!good)
        return fail(reason, "%.300s: holds no key; make one with fact keys generate", path);
    good = pair.secret_key[0] != '\0';
    if (good)
        *ret = pair;
    curve_pair_wipe(&pair);
    return good || fail(reason, "%.300s: holds no secret key; name NAME.secret", path);
}

bool key_file_read_servers(const char *path, struct curve_servers *ret, char *reason)
{
    struct bytes text = read_file(path, FILE_TEXT_OWNERS_WRITE, CURVE_FILE_BYTES_MAX, reason);
    if (text.data == NULL)
        return false;
    bool good = curve_servers_read(text, ret);
    wipe_and_free(text); /* somebody may have given the secret file */
    return good || fail(reason, "%.300s: holds no public key, or more than %u", path,
                        CURVE_SERVER_KEYS_MAX);
}

struct allow_list *key_file_read_allowed(const char *path, char *reason)
{
    struct bytes text = read_file(path, FILE_TEXT_OWNERS_WRITE, ALLOW_LIST_BYTES_MAX, reason);
    if (text.data == NULL)
        return NULL;
    struct allow_list *list = allow_list_read(text, path, reason);
    free((char *)text.data);
    return list;
}

static int64_t in_ns(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

bool file_stamp_changed(struct file_stamp *self, const char *path)
{
    struct stat status;
    struct file_stamp now = {0};
    if (stat(path, &status) == 0)
        now = (struct file_stamp){in_ns(status.st_mtim), in_ns(status.st_ctim),
                                  (int64_t)status.st_ino, (int64_t)status.st_size};
    bool changed = now.written_ns != self->written_ns || now.changed_ns != self->changed_ns ||
                   now.inode != self->inode || now.size != self->size;
    *self = now;
    return changed;
}
