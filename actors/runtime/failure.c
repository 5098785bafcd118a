/* failure - see failure.h. */
#include "actors/runtime/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Take away the end of a character that has been cut; then whatever else is not UTF-8. */
static void make_utf8(char *text, bool was_cut)
{
    size_t size = strlen(text);
    for (int i = 0; i < 3 && was_cut && size > 0 && !cursor_is_utf8((struct bytes){text, size});
         i++)
        text[--size] = '\0';
    if (cursor_is_utf8((struct bytes){text, size}))
        return;
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
}

static void print(char *text, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(text, size, format, arguments);
    make_utf8(text, length >= (int)size);
}

bool failure_set(struct failure *self, enum status status, const char *code, const char *format,
                 ...)
{
    va_list arguments;
    *self = (struct failure){.status = status};
    snprintf(self->code, sizeof self->code, "%s", code);
    va_start(arguments, format);
    print(self->message, sizeof self->message, format, arguments);
    va_end(arguments);
    return false;
}

void failure_field(struct failure *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(self->field, sizeof self->field, format, arguments);
    va_end(arguments);
}

void failure_hint(struct failure *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(self->hint, sizeof self->hint, format, arguments);
    va_end(arguments);
}
