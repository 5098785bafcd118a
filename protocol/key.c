/* key - see key.h. */
#include "protocol/key.h"

#include <assert.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

#include "protocol/value.h"

#define FORMAT "fact-key-1"

_Static_assert(KEY_TEXT_BYTES_MAX <= KEY_BYTES_MAX, "a cache takes our keys");
_Static_assert((CACHE_SLOTS & (CACHE_SLOTS - 1)) == 0, "a slot is the low bits of a hash");

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

bool key_is_namespace(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_word(text.data[i]))
            return false;
    return text.size > 0 && text.size <= NAMESPACE_BYTES_MAX;
}

static const char *const scope_kinds[] = {
    [KEY_PUBLIC] = "public", [KEY_TENANT] = "tenant", [KEY_USER] = "user"};

bool key_scope_kind_of(struct bytes name, enum key_scope_kind *ret)
{
    for (int kind = KEY_PUBLIC; kind <= KEY_USER; kind++) {
        if (!bytes_are(name, scope_kinds[kind]))
            continue;
        *ret = (enum key_scope_kind)kind;
        return true;
    }
    return false;
}

bool key_tool_name(struct bytes name, char *out, struct bytes *ret)
{
    if (name.size == 0 || name.size > METHOD_BYTES_MAX)
        return false;
    memcpy(out, name.data, name.size);
    char *dot = memchr(out, '.', name.size);
    if (dot != NULL)
        *dot = '_';
    const char *bar = memchr(out, '_', name.size);
    if (bar == NULL || bar == out + name.size - 1 || *out < 'A' || *out > 'Z')
        return false;
    for (const char *c = out; c < out + name.size; c++)
        if (!is_word(*c) && (c < bar || *c != '-'))
            return false;
    *ret = (struct bytes){out, name.size};
    return true;
}

static void little_endian(uint64_t number, unsigned width, char *out)
{
    for (unsigned i = 0; i < width; i++)
        out[i] = (char)(number >> 8 * i);
}

void key_digest_init(struct key_digest *self)
{
    int failed = crypto_generichash_init(&self->state, NULL, 0, KEY_DIGEST_BYTES);
    assert(failed == 0);
}

void key_digest_add(struct key_digest *self, struct bytes field)
{
    char length[4];
    assert(field.size <= UINT32_MAX);
    little_endian(field.size, sizeof length, length);
    (void)crypto_generichash_update(&self->state, (const unsigned char *)length, sizeof length);
    if (field.size > 0)
        (void)crypto_generichash_update(&self->state, (const unsigned char *)field.data,
                                        field.size);
}

void key_digest_end(struct key_digest *self, unsigned char ret[KEY_DIGEST_BYTES])
{
    int failed = crypto_generichash_final(&self->state, ret, KEY_DIGEST_BYTES);
    assert(failed == 0);
}

/* The fields that calls and questions share. */
static void add_scope(struct key_digest *self, const struct key_scope *scope)
{
    const struct bytes none = {0};
    key_digest_add(self, bytes_of(FORMAT));
    key_digest_add(self, scope->ns);
    key_digest_add(self, bytes_of(scope_kinds[scope->kind]));
    key_digest_add(self, scope->kind == KEY_PUBLIC ? none : scope->tenant);
    key_digest_add(self, scope->kind == KEY_USER ? scope->user : none);
}

/* <name>:<digest> */
static void write_key(struct key_digest *self, struct bytes name, struct key *ret)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[KEY_DIGEST_BYTES];
    key_digest_end(self, digest);
    memcpy(ret->text, name.data, name.size);
    ret->text[name.size] = ':';
    ret->size = name.size + 1;
    for (size_t i = 0; i < sizeof digest; i++) {
        ret->text[ret->size++] = digits[digest[i] >> 4];
        ret->text[ret->size++] = digits[digest[i] & 0x0f];
    }
    assert(ret->size <= sizeof ret->text);
}

enum status key_of_call(const struct key_scope *scope, const struct key_tool *tool,
                        struct bytes arguments, struct key *ret)
{
    char resolved[METHOD_BYTES_MAX], schema[sizeof tool->schema];
    struct bytes name;
    struct key_digest digest;
    if (!key_is_namespace(scope->ns) || !key_tool_name(tool->name, resolved, &name))
        return STATUS_BAD_REQUEST;
    little_endian(tool->schema, sizeof schema, schema);
    key_digest_init(&digest);
    add_scope(&digest, scope);
    key_digest_add(&digest, name);
    key_digest_add(&digest, tool->version);
    key_digest_add(&digest, (struct bytes){schema, sizeof schema});
    key_digest_add(&digest, arguments);
    write_key(&digest, name, ret);
    return STATUS_OK;
}

enum status key_of_question(const struct key_scope *scope, const struct key_planner *planner,
                            struct bytes question, struct bytes conversation, struct key *ret)
{
    const struct bytes subject = bytes_of("query");
    unsigned char turns[KEY_DIGEST_BYTES];
    struct bytes talk = {(const char *)turns, 0};
    struct key_digest digest;
    if (!key_is_namespace(scope->ns))
        return STATUS_BAD_REQUEST;
    if (values_count(conversation) > 0) {
        (void)crypto_generichash(turns, sizeof turns, (const unsigned char *)conversation.data,
                                 conversation.size, NULL, 0);
        talk.size = sizeof turns;
    }
    key_digest_init(&digest);
    add_scope(&digest, scope);
    key_digest_add(&digest, subject);
    key_digest_add(&digest, planner->name);
    key_digest_add(&digest, (struct bytes){(const char *)planner->fingerprint, KEY_DIGEST_BYTES});
    key_digest_add(&digest, question);
    key_digest_add(&digest, talk);
    write_key(&digest, subject, ret);
    return STATUS_OK;
}

struct bytes key_bytes(const struct key *key)
{
    return (struct bytes){key->text, key->size};
}

/* Bytes of the white space that text begins with; 0: none. text is UTF-8. */
static size_t space_bytes(struct bytes text)
{
    const unsigned char *c = (const unsigned char *)text.data;
    if (text.size >= 1 && ((c[0] >= 0x09 && c[0] <= 0x0d) || c[0] == ' '))
        return 1;
    if (text.size >= 2 && c[0] == 0xc2) /* U+0085, U+00A0 */
        return c[1] == 0x85 || c[1] == 0xa0 ? 2 : 0;
    if (text.size < 3)
        return 0;
    unsigned rest = (unsigned)c[1] << 8 | c[2];
    if (c[0] == 0xe2) /* U+2000 to 200A, 2028, 2029, 202F, 205F */
        return (rest >= 0x8080 && rest <= 0x808a) || rest == 0x80a8 || rest == 0x80a9 ||
                       rest == 0x80af || rest == 0x819f
                   ? 3
                   : 0;
    bool other = (c[0] == 0xe1 && rest == 0x9a80) || (c[0] == 0xe3 && rest == 0x8080);
    return other ? 3 : 0; /* U+1680, U+3000 */
}

static enum status refuse(struct fault *ret, const char *reason)
{
    (void)fault_set(ret, NULL, "%s", reason);
    return STATUS_BAD_REQUEST;
}

enum status key_question(enum key_rules rules, struct bytes question, char *out, struct bytes *ret,
                         struct fault *ret_fault)
{
    size_t size = 0;
    bool apart = false; /* white space since the last character */
    if (!cursor_is_utf8(question))
        return refuse(ret_fault, "text that is not UTF-8");
    if (cursor_characters(question) > QUESTION_CHARACTERS_MAX)
        return refuse(ret_fault, "text too long");
    for (size_t at = 0; at < question.size;) {
        struct bytes rest = {question.data + at, question.size - at};
        size_t space = space_bytes(rest);
        at += space > 0 ? space : 1;
        if (space > 0) {
            apart = size > 0;
            continue;
        }
        if (apart)
            out[size++] = ' ';
        apart = false;
        char c = *rest.data;
        out[size++] = (char)(rules == KEY_Q1F && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    if (size == 0)
        return refuse(ret_fault, "empty question");
    *ret = (struct bytes){out, size};
    return STATUS_OK;
}

struct bytes key_part(struct bytes key)
{
    const char *open = key.size > 0 ? memchr(key.data, '{', key.size) : NULL;
    if (open == NULL)
        return key;
    size_t left = key.size - (size_t)(open + 1 - key.data);
    const char *close = memchr(open + 1, '}', left);
    if (close == NULL || close == open + 1)
        return key;
    return (struct bytes){open + 1, (size_t)(close - open - 1)};
}

uint64_t key_hash(uint64_t seed, struct bytes key)
{
    struct bytes part = key_part(key);
    return XXH3_64bits_withSeed(part.data, part.size, seed);
}

unsigned key_slot(uint64_t hash)
{
    return (unsigned)(hash & (CACHE_SLOTS - 1));
}

/* A text and what stands before it, as one. */
static uint64_t hash_pieces(const struct bytes *pieces, size_t count)
{
    XXH3_state_t state;
    (void)XXH3_64bits_reset(&state);
    for (size_t i = 0; i < count; i++)
        if (pieces[i].size > 0)
            (void)XXH3_64bits_update(&state, pieces[i].data, pieces[i].size);
    return XXH3_64bits_digest(&state);
}

uint64_t key_tag(char kind, struct bytes text)
{
    char whole[1 + KEY_BYTES_MAX];
    struct bytes pieces[] = {{&kind, 1}, text};
    if (text.size > KEY_BYTES_MAX)
        return hash_pieces(pieces, 2);
    whole[0] = kind;
    if (text.size > 0)
        memcpy(whole + 1, text.data, text.size);
    return XXH3_64bits(whole, 1 + text.size);
}

size_t key_own_tags(struct bytes ns, struct bytes key, uint64_t *ret)
{
    size_t count = 0, prefixes = 0;
    ret[count++] = key_tag('k', key);
    ret[count++] = key_tag('n', ns);
    for (size_t i = 0; i < key.size && prefixes < KEY_PREFIXES_MAX; i++) {
        if (key.data[i] != ':')
            continue;
        ret[count++] = key_tag('p', (struct bytes){key.data, i + 1});
        prefixes++;
    }
    return count;
}

static bool add_tag(uint64_t tag, uint64_t *tags, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (tags[i] == tag)
            return true;
    if (*count == TAGS_MAX)
        return false;
    tags[(*count)++] = tag;
    return true;
}

bool key_declared_tags(const struct key_scope *scope, struct bytes deps, uint64_t *ret,
                       size_t *ret_count)
{
    const struct bytes tenant[] = {bytes_of("dtenant:"), scope->tenant};
    const struct bytes user[] = {bytes_of("duser:"), scope->tenant, bytes_of(":"), scope->user};
    struct values values = values_over(deps);
    struct bytes value, dep;
    size_t count = 0;
    if (deps.data != NULL && (!value_check(deps, 1) || value_kind(deps) != KIND_ARRAY))
        return false;
    if (scope->kind != KEY_PUBLIC)
        (void)add_tag(hash_pieces(tenant, 2), ret, &count);
    if (scope->kind == KEY_USER)
        (void)add_tag(hash_pieces(user, 4), ret, &count);
    while (values_next(&values, &value))
        if (!value_text(value, &dep) || !add_tag(key_tag('d', dep), ret, &count))
            return false;
    *ret_count = count;
    return true;
}
