/* key - where an answer is kept, and what makes it invalid (docs/tools.md, section 1;
 * docs/cache.md).
 *
 * A key is the text <tool>:<digest>, or query:<digest> of a question. The digest, 16 bytes of
 * BLAKE2b, is over all that an answer depends on but the data: namespace, whose answer it is, tool
 * with version and schema, arguments. What the data changes stands in tags. Pure. */
#ifndef PROTOCOL_KEY_H
#define PROTOCOL_KEY_H

#include <sodium.h>

#include "protocol/envelope.h"
#include "protocol/fault.h"

#define KEY_DIGEST_BYTES 16u
#define KEY_TEXT_BYTES_MAX (METHOD_BYTES_MAX + 1u + 2u * KEY_DIGEST_BYTES)
#define KEY_TAGS_MAX (2u + KEY_PREFIXES_MAX)

struct key {
    char text[KEY_TEXT_BYTES_MAX];
    size_t size;
};

enum key_scope_kind { KEY_PUBLIC, KEY_TENANT, KEY_USER };

/* Who may share an answer. */
struct key_scope {
    struct bytes ns; /* the cache's namespace */
    enum key_scope_kind kind;
    struct bytes tenant, user; /* absent or empty: none, which is one of its own */
};

struct key_tool {
    struct bytes name;    /* or its alias with a dot */
    struct bytes version; /* of the one that serves */
    uint64_t schema;      /* hash of its definition */
};

struct key_planner {
    struct bytes name; /* template or model */
    unsigned char fingerprint[KEY_DIGEST_BYTES];
};

/* [A-Za-z0-9_], 1 to NAMESPACE_BYTES_MAX. */
bool key_is_namespace(struct bytes text);

/* The kind by its name: public, tenant or user; false: another. */
bool key_scope_kind_of(struct bytes name, enum key_scope_kind *ret);

/* The name of a tool, of an alias too: its first dot reads as an underscore.
 *
 * out      METHOD_BYTES_MAX bytes
 * ret      borrows out; written only if true
 * returns  false: no name of a tool, which is ^[A-Z][A-Za-z0-9]*_[A-Za-z0-9_-]+$ */
MUST_USE bool key_tool_name(struct bytes name, char *out, struct bytes *ret);

/* The key of a call.
 *
 * arguments  canonical
 * returns    OK; BAD_REQUEST: no namespace, or no name of a tool */
MUST_USE enum status key_of_call(const struct key_scope *scope, const struct key_tool *tool,
                                 struct bytes arguments, struct key *ret);

/* The key of a question.
 *
 * question      normalised
 * conversation  a canonical array; absent or empty: none
 * returns       OK; BAD_REQUEST: no namespace */
MUST_USE enum status key_of_question(const struct key_scope *scope,
                                     const struct key_planner *planner, struct bytes question,
                                     struct bytes conversation, struct key *ret);

struct bytes key_bytes(const struct key *key);

/* How questions are made alike: q1 trims, and makes white space one space; q1f also folds A-Z. */
enum key_rules { KEY_Q1, KEY_Q1F };

/* A question by its rules.
 *
 * question   as it came
 * out        question.size bytes
 * ret        borrows out; written only on OK
 * ret_fault  written only otherwise
 * returns    OK; BAD_REQUEST: bad UTF-8, more than QUESTION_CHARACTERS_MAX, nothing but space
 * source     Unicode 15, White_Space */
MUST_USE enum status key_question(enum key_rules rules, struct bytes question, char *out,
                                  struct bytes *ret, struct fault *ret_fault);

/* A digest of fields, each with its length: of keys, and of what a planner answers by (its
 * fingerprint): the rules, then its templates; or the rules, model, system prompt, and name,
 * version and schema hash (8 bytes, little-endian) of each tool. */
struct key_digest {
    crypto_generichash_state state;
};
void key_digest_init(struct key_digest *self);
void key_digest_add(struct key_digest *self, struct bytes field);
void key_digest_end(struct key_digest *self, unsigned char ret[KEY_DIGEST_BYTES]);

/* The part of a key that is hashed: what stands between the first { and the next }, if that is not
 * empty; else the key. */
struct bytes key_part(struct bytes key);

/* The hash of that part, which is header field 9; and its slot. seed: of the view. */
uint64_t key_hash(uint64_t seed, struct bytes key);
unsigned key_slot(uint64_t hash);

/* A tag is the hash of a kind and a text. Kinds: k key, p prefix, n namespace, d what an answer
 * depends on. */
uint64_t key_tag(char kind, struct bytes text);

/* The tags that every entry has: its key, prefixes and namespace.
 *
 * ret      KEY_TAGS_MAX
 * returns  how many */
size_t key_own_tags(struct bytes ns, struct bytes key, uint64_t *ret);

/* The tags that an entry declares: its scope (tenant:<tenant>, and user:<tenant>:<user>), and what
 * it depends on.
 *
 * deps     array of texts, MessagePack (db:<name>, t:<db>.<table> ...); absent: none
 * ret      TAGS_MAX; which are there once only
 * returns  false: no array of texts, or more tags than TAGS_MAX. Such an answer is not to be kept:
 *          docs/decisions has why it is not folded */
MUST_USE bool key_declared_tags(const struct key_scope *scope, struct bytes deps, uint64_t *ret,
                                size_t *ret_count);

#endif
