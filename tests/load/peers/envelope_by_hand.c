/* envelope_by_hand - see envelope_by_hand.h. */
#include "tests/load/peers/envelope_by_hand.h"

#include <string.h>

#define FIELDS 8
#define VERSION 1
#define DEADLINE_MS UINT64_C(1760000000000)

static const struct bytes method = {"get_item", 8}, source = {"client-0042@host", 16},
                          trace = {"0123456789abcdef", 16};

void hand_patch(char *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at + 1, &value, sizeof value);
}

static char *write_u64(char *at, uint64_t value)
{
    *at = (char)TAG_U64;
    hand_patch(at, value);
    return at + 9;
}

static char *write_small(char *at, unsigned value)
{
    *at = (char)value; /* below 128: a fixint */
    return at + 1;
}

static char *write_text(char *at, struct bytes text)
{
    *at = (char)(TAG_STR | text.size); /* below 32: a fixstr */
    memcpy(at + 1, text.data, text.size);
    return at + 1 + text.size;
}

static char *write_bin_head(char *at, size_t size)
{
    if (size < 256) {
        at[0] = (char)TAG_BIN8;
        at[1] = (char)size;
        return at + 2;
    }
    at[0] = (char)(TAG_BIN8 + 1);
    at[1] = (char)(size >> 8);
    at[2] = (char)size;
    return at + 3;
}

size_t hand_write(char *out, enum hand_kind kind, uint64_t id, struct bytes service, bool has_body,
                  size_t body_bytes)
{
    char *at = write_small(out, TAG_ARRAY | FIELDS);
    at = write_small(write_small(at, VERSION), (unsigned)kind);
    at = write_u64(at, id);
    at = write_text(write_text(write_text(at, service), method), source);
    at = write_bin_head(write_u64(at, DEADLINE_MS), trace.size);
    memcpy(at, trace.data, trace.size);
    at += trace.size;
    if (has_body)
        at = write_bin_head(at, body_bytes);
    return (size_t)(at - out);
}

/* Takes size bytes; NULL: they are not there. Once NULL it stays so. */
static char *take(char **at, const char *end, size_t size)
{
    char *here = *at;
    if (here == NULL || (size_t)(end - here) < size)
        here = NULL;
    *at = here == NULL ? NULL : here + size;
    return here;
}

static unsigned read_byte(char **at, const char *end)
{
    char *here = take(at, end, 1);
    return here == NULL ? 0 : (unsigned char)*here;
}

static uint64_t read_u64(char **at, const char *end, char **ret_at)
{
    uint64_t value = 0;
    *ret_at = take(at, end, 9);
    if (*ret_at == NULL || (unsigned char)**ret_at != TAG_U64)
        *at = NULL;
    else
        memcpy(&value, *ret_at + 1, sizeof value);
    return __builtin_bswap64(value);
}

static struct bytes read_text(char **at, const char *end)
{
    unsigned tag = read_byte(at, end);
    size_t size = tag & 31;
    if ((tag & 0xe0) != TAG_STR)
        *at = NULL;
    return (struct bytes){take(at, end, size), size};
}

static struct bytes read_bin(char **at, const char *end)
{
    unsigned tag = read_byte(at, end);
    size_t size = read_byte(at, end);
    if (tag == TAG_BIN8 + 1)
        size = size << 8 | read_byte(at, end);
    else if (tag != TAG_BIN8)
        *at = NULL;
    return (struct bytes){take(at, end, size), size};
}

bool hand_read(char **at, char *end, bool has_body, struct hand_pair *ret)
{
    char *begin = *at;
    bool is_ours = read_byte(at, end) == (TAG_ARRAY | FIELDS) && read_byte(at, end) == VERSION;
    ret->kind = (enum hand_kind)read_byte(at, end);
    ret->id = read_u64(at, end, &ret->id_at);
    ret->service = read_text(at, end);
    (void)read_text(at, end); /* method */
    (void)read_text(at, end); /* source */
    ret->deadline = read_u64(at, end, &ret->deadline_at);
    (void)read_bin(at, end); /* trace */
    ret->body = has_body ? read_bin(at, end) : (struct bytes){0};
    ret->whole = (struct bytes){begin, *at == NULL ? 0 : (size_t)(*at - begin)};
    return is_ours && *at != NULL;
}
