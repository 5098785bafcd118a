/* curve_key - see curve_key.h. Lines that name no key are passed over, as czmq's metadata. */
#include "protocol/curve_key.h"

#include <sodium.h>
#include <stdio.h>

#define GROUP 5u /* characters that are one number of 32 bits */
#define COMMENT_BYTES_MAX 1024

/* source: ZeroMQ RFC 32 */
static const char digits[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

bool curve_key_is_sound(struct bytes text)
{
    uint64_t number = 0;
    if (text.size != CURVE_KEY_BYTES)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = text.data[i] == '\0' ? NULL : strchr(digits, text.data[i]);
        if (digit == NULL)
            return false;
        number = (i % GROUP == 0 ? 0 : number * (sizeof digits - 1)) + (uint64_t)(digit - digits);
        if (number > UINT32_MAX)
            return false;
    }
    return true;
}

void curve_key_id(const char *key, char *ret)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    int rc =
        crypto_generichash(hash, sizeof hash, (const unsigned char *)key, CURVE_KEY_BYTES, NULL, 0);
    assert(rc == 0);
    for (size_t i = 0; i < CURVE_KEY_ID_BYTES / 2; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

/* Cut the next line off, without the blanks around it. */
static struct bytes take_line(struct bytes *text)
{
    const char *end = memchr(text->data, '\n', text->size);
    struct bytes line = {text->data, end == NULL ? text->size : (size_t)(end - text->data)};
    size_t taken = line.size + (end != NULL);
    *text = (struct bytes){text->data + taken, text->size - taken};
    while (line.size > 0 && strchr(" \t\r", line.data[0]) != NULL)
        line = (struct bytes){line.data + 1, line.size - 1};
    while (line.size > 0 && strchr(" \t\r", line.data[line.size - 1]) != NULL)
        line.size--;
    return line;
}

/* If the line is name = value: the value, without its quotes; else data NULL. */
static struct bytes value_of(struct bytes line, const char *name)
{
    size_t at = strlen(name);
    if (line.size <= at || memcmp(line.data, name, at) != 0)
        return (struct bytes){0};
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    if (at == line.size || line.data[at] != '=')
        return (struct bytes){0};
    at++;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    struct bytes value = {line.data + at, line.size - at};
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
        value = (struct bytes){value.data + 1, value.size - 2};
    return value;
}

/* Every key of this name in the text; returns how many, or max + 1: too many, or one is none. */
static uint32_t read_keys(struct bytes text, const char *name, char (*ret)[CURVE_KEY_BYTES + 1],
                          uint32_t max)
{
    uint32_t count = 0;
    while (text.size > 0) {
        struct bytes value = value_of(take_line(&text), name);
        if (value.data == NULL)
            continue;
        if (count == max || !curve_key_is_sound(value))
            return max + 1;
        memcpy(ret[count], value.data, CURVE_KEY_BYTES);
        ret[count++][CURVE_KEY_BYTES] = '\0';
    }
    return count;
}

bool curve_pair_read(struct bytes text, struct curve_pair *ret)
{
    struct curve_pair pair = {.public_key = ""};
    uint32_t publics = read_keys(text, "public-key", &pair.public_key, 1);
    uint32_t secrets = read_keys(text, "secret-key", &pair.secret_key, 1);
    bool good = publics == 1 && secrets <= 1;
    if (good)
        *ret = pair;
    curve_pair_wipe(&pair);
    return good;
}

bool curve_servers_read(struct bytes text, struct curve_servers *ret)
{
    struct curve_servers servers;
    servers.count = read_keys(text, "public-key", servers.keys, CURVE_SERVER_KEYS_MAX);
    if (servers.count == 0 || servers.count > CURVE_SERVER_KEYS_MAX)
        return false;
    *ret = servers;
    return true;
}

size_t curve_pair_write(const struct curve_pair *self, const char *comment, bool secret, char *out)
{
    int size = snprintf(out, CURVE_FILE_BYTES_MAX, "# %.*s\ncurve\n    public-key = \"%s\"\n",
                        COMMENT_BYTES_MAX, comment, self->public_key);
    if (secret)
        size += snprintf(out + size, CURVE_FILE_BYTES_MAX - (size_t)size,
                         "    secret-key = \"%s\"\n", self->secret_key);
    assert(size > 0);
    assert((size_t)size < CURVE_FILE_BYTES_MAX);
    return (size_t)size;
}

void curve_pair_wipe(struct curve_pair *self)
{
    explicit_bzero(self, sizeof *self);
}
