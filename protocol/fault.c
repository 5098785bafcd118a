/* fault - see fault.h. */
#include "protocol/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STEPS_MAX 64u /* more are inside the deepest definition, and not shown */
#define NAME_SHOWN_BYTES_MAX 64u

struct text {
    char *at, *end; /* room for the 0 is behind end */
};

/* As much of a name as is shown: no control bytes, no broken or half characters. */
static void add_name(struct text *self, struct bytes name)
{
    bool whole = name.size <= NAME_SHOWN_BYTES_MAX && cursor_is_utf8(name);
    size_t size = name.size < NAME_SHOWN_BYTES_MAX ? name.size : NAME_SHOWN_BYTES_MAX;
    if (whole && size > (size_t)(self->end - self->at))
        whole = false;
    for (size_t i = 0; i < size && self->at < self->end; i++) {
        char byte = name.data[i];
        bool printable = (unsigned char)byte >= 0x20 && byte != 0x7f;
        bool ascii = (unsigned char)byte < 0x80;
        if (!printable || (!ascii && !whole))
            byte = '?';
        *self->at++ = byte;
    }
}

static void add_step(struct text *self, const struct place *place)
{
    char digits[24];
    struct bytes name = place->name;
    if (name.data == NULL) {
        int size = snprintf(digits, sizeof digits, "%zu", place->index);
        name = (struct bytes){digits, (size_t)size};
    }
    add_name(self, name);
}

static void write_path(char *path, const struct place *place)
{
    const struct place *steps[STEPS_MAX];
    size_t count = 0;
    struct text text = {path, path + FAULT_PATH_BYTES_MAX - 1};
    for (; place != NULL && place->outer != NULL && count < STEPS_MAX; place = place->outer)
        steps[count++] = place;
    for (size_t i = count; i > 0; i--) {
        if (i < count && text.at < text.end)
            *text.at++ = '/';
        add_step(&text, steps[i - 1]);
    }
    *text.at = '\0';
}

/* A format may end in the midst of a character. */
static void trim_character(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && !cursor_is_utf8((struct bytes){text, size}))
        text[--size] = '\0';
}

bool fault_set(struct fault *ret, const struct place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret->reason, sizeof ret->reason, format, arguments);
    va_end(arguments);
    trim_character(ret->reason);
    write_path(ret->path, place);
    return false;
}
