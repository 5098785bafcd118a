/* secret - see secret.h. */
#include "actors/arcade_gateway/secret.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/limits.h"

#define LOOK_EVERY_US US_PER_S

void secret_wipe(char *value, size_t size)
{
    explicit_bzero(value, size);
}

/* One line of what a header may carry, without the blanks around it. */
static void clean(char *value)
{
    size_t end = strlen(value);
    size_t begin = strspn(value, " \t\r\n");
    while (end > begin && strchr(" \t\r\n", value[end - 1]) != NULL)
        end--;
    memmove(value, value + begin, end - begin);
    memset(value + (end - begin), 0, strlen(value + (end - begin)));
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at < 0x21 || (unsigned char)*at > 0x7e) {
            value[0] = '\0';
            return;
        }
}

/* The whole file; empty if it is not there, cannot be read, or is too long. */
static void read_file(const char *path, char *value, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t got = file < 0 ? -1 : read(file, value, size);
    if (file >= 0)
        (void)close(file);
    value[got >= 0 && (size_t)got < size ? got : 0] = '\0';
}

static bool has_changed(struct secret *self)
{
    struct stat status;
    int64_t changed_ns = 0, inode = 0, size = 0;
    if (stat(self->path, &status) == 0) {
        changed_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        inode = (int64_t)status.st_ino;
        size = (int64_t)status.st_size;
    }
    bool changed = changed_ns != self->changed_ns || inode != self->inode || size != self->size;
    self->changed_ns = changed_ns;
    self->inode = inode;
    self->size = size;
    return changed;
}

static void read_variable(const char *name, char *value, size_t size)
{
    const char *text = name == NULL ? NULL : getenv(name);
    value[0] = '\0';
    if (text != NULL && strlen(text) < size)
        (void)snprintf(value, size, "%s", text);
}

bool secret_refresh(struct secret *self, int64_t now_at, char *value, size_t size)
{
    char before[4096];
    assert(size <= sizeof before);
    if (self->looked_at != 0 && now_at < self->looked_at + LOOK_EVERY_US)
        return false;
    bool first = self->looked_at == 0;
    self->looked_at = now_at;
    if (self->path[0] == '\0' ? !first : !has_changed(self) && !first)
        return false;
    memcpy(before, value, size);
    if (self->path[0] != '\0')
        read_file(self->path, value, size);
    else
        read_variable(self->variable, value, size);
    clean(value);
    bool changed = first || strcmp(before, value) != 0;
    secret_wipe(before, sizeof before);
    return changed;
}

void secret_doubt(struct secret *self)
{
    if (self->looked_at != 0)
        self->looked_at = INT64_MIN / 2;
}
