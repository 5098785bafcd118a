/* document - see document.h. */
#include "actors/cli/document.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#define UNIX_MS_MAX UINT64_C(253402300799999) /* the end of year 9999 */

void document_init(struct document *self)
{
    self->data = malloc(DOCUMENT_BYTES_MAX);
    assert(self->data != NULL);
    writer_init(&self->writer, self->data, DOCUMENT_BYTES_MAX);
}

void document_fini(struct document *self)
{
    free(self->data);
    self->data = NULL;
}

struct bytes document_value(const struct document *self)
{
    struct bytes value = writer_bytes(&self->writer);
    assert(value.data != NULL); /* a reply is much smaller, and so is what stands around it */
    return value;
}

void put_text(struct writer *writer, const char *key, struct bytes text)
{
    writer_cstr(writer, key);
    if (text.data == NULL)
        writer_nil(writer);
    else
        writer_text(writer, text);
}

void put_u64(struct writer *writer, const char *key, uint64_t number)
{
    writer_cstr(writer, key);
    writer_u64(writer, number);
}

void put_f64(struct writer *writer, const char *key, double number)
{
    writer_cstr(writer, key);
    writer_f64(writer, number);
}

void put_bool(struct writer *writer, const char *key, bool value)
{
    writer_cstr(writer, key);
    writer_bool(writer, value);
}

void put_time(struct writer *writer, const char *key, uint64_t unix_ms)
{
    char text[RFC3339_BYTES];
    put_text(writer, key, bytes_of(unix_ms == 0 ? NULL : rfc3339(unix_ms, text)));
}

void put_value(struct writer *writer, const char *key, struct bytes value)
{
    writer_cstr(writer, key);
    if (value.data == NULL)
        writer_nil(writer);
    else
        writer_raw(writer, value);
}

const char *rfc3339(uint64_t unix_ms, char *out)
{
    char text[RFC3339_BYTES];
    struct tm parts;
    if (unix_ms > UNIX_MS_MAX)
        unix_ms = UNIX_MS_MAX;
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm *found = gmtime_r(&seconds, &parts);
    assert(found != NULL);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, RFC3339_BYTES, "%.20s.%03uZ", text, (unsigned)(unix_ms % 1000));
    return out;
}

const char *role_name(uint64_t role)
{
    return role < ROLE_COUNT ? role_names[role] : "unknown";
}

const char *executed_name(enum executed executed)
{
    static const char *const names[] = {
        [EXECUTED_NO] = "no", [EXECUTED_MAYBE] = "maybe", [EXECUTED_YES] = "yes"};
    return names[executed];
}
