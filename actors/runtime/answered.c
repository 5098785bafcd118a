/* answered - see answered.h. Chains of indices in a hash table; index 0 is none. Answers stand in a
 * row by age, so that the oldest is found; what runs stands in none. */
#include "actors/runtime/answered.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct entry {
    char name[ANSWERED_NAME_BYTES];
    uint32_t next;  /* in its chain, or among the free */
    uint32_t newer; /* among the answers */
    bool runs;
    int64_t ended_at;
    struct answer answer; /* its body is a copy */
};

struct answered {
    uint64_t seed;
    uint32_t max, count, first_free, mask, oldest, newest;
    uint32_t touched; /* entries from here on have never been used, and take no memory */
    size_t bytes, bytes_max;
    uint32_t *chains;
    struct entry *entries; /* from 1 */
};

struct answered *answered_new(uint32_t entries_max, size_t bytes_max, uint64_t seed)
{
    struct answered *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(entries_max > 0);
    self->seed = seed;
    self->max = entries_max;
    self->bytes_max = bytes_max;
    for (self->mask = 1; self->mask < entries_max; self->mask = 2 * self->mask + 1)
        ;
    self->chains = calloc((size_t)self->mask + 1, sizeof *self->chains);
    self->entries = calloc((size_t)entries_max + 1, sizeof *self->entries);
    assert(self->chains != NULL);
    assert(self->entries != NULL);
    return self;
}

void answered_destroy(struct answered **self_p)
{
    assert(self_p != NULL);
    struct answered *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t at = self->oldest; at != 0; at = self->entries[at].newer)
        free((char *)self->entries[at].answer.body.data);
    free(self->chains);
    free(self->entries);
    free(self);
    *self_p = NULL;
}

/* Each part with its length, so that none runs into the next. */
static void hash_part(crypto_generichash_state *state, struct bytes part)
{
    uint64_t size = part.size;
    (void)crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    if (size > 0)
        (void)crypto_generichash_update(state, (const unsigned char *)part.data, size);
}

void answered_name(const struct answered *self, const struct header *header, struct bytes body,
                   char *out)
{
    crypto_generichash_state state;
    struct bytes user = {0};
    uint64_t body_hash = XXH3_64bits_withSeed(body.data, body.size, self->seed);
    assert(header->idempotency_key.size == IDEMPOTENCY_KEY_BYTES);
    if (!value_text(value_find(header->extension, "user"), &user))
        user = (struct bytes){0};
    (void)crypto_generichash_init(&state, (const unsigned char *)&self->seed, sizeof self->seed,
                                  ANSWERED_NAME_BYTES);
    hash_part(&state, header->idempotency_key);
    hash_part(&state, header->method);
    hash_part(&state, header->tenant);
    hash_part(&state, user);
    hash_part(&state, (struct bytes){(const char *)&body_hash, sizeof body_hash});
    (void)crypto_generichash_final(&state, (unsigned char *)out, ANSWERED_NAME_BYTES);
}

/* Where the index of the entry stands; *result 0: it is not there. A name is as good as random. */
static uint32_t *find(const struct answered *self, const char *name)
{
    uint32_t start;
    memcpy(&start, name, sizeof start);
    uint32_t *at = &self->chains[start & self->mask];
    while (*at != 0 && memcmp(self->entries[*at].name, name, ANSWERED_NAME_BYTES) != 0)
        at = &self->entries[*at].next;
    return at;
}

static void drop(struct answered *self, uint32_t *at)
{
    uint32_t index = *at;
    struct entry *entry = &self->entries[index];
    assert(index != 0);
    *at = entry->next;
    self->bytes -= entry->answer.body.size;
    free((char *)entry->answer.body.data);
    *entry = (struct entry){.next = self->first_free};
    self->first_free = index;
    self->count--;
}

static void forget_oldest(struct answered *self)
{
    uint32_t index = self->oldest;
    assert(index != 0);
    self->oldest = self->entries[index].newer;
    if (self->oldest == 0)
        self->newest = 0;
    drop(self, find(self, self->entries[index].name));
}

static void forget_old(struct answered *self, int64_t now_at)
{
    while (self->oldest != 0 &&
           now_at - self->entries[self->oldest].ended_at >= ANSWERED_MS * US_PER_MS)
        forget_oldest(self);
}

enum answered_state answered_begin(struct answered *self, const char *name, int64_t now_at,
                                   struct answer *ret)
{
    forget_old(self, now_at);
    uint32_t index = *find(self, name);
    if (index != 0) {
        *ret = self->entries[index].answer;
        return self->entries[index].runs ? ANSWERED_RUNNING : ANSWERED_DONE;
    }
    if (self->count == self->max)
        forget_oldest(self); /* not all of them run: fewer are held than there are entries */
    index = self->first_free != 0 ? self->first_free : ++self->touched;
    assert(index <= self->max);
    struct entry *entry = &self->entries[index];
    self->first_free = entry->next;
    *entry = (struct entry){.runs = true};
    memcpy(entry->name, name, ANSWERED_NAME_BYTES);
    uint32_t *chain = find(self, name);
    assert(*chain == 0);
    *chain = index;
    self->count++;
    return ANSWERED_NEW;
}

static void keep_body(struct answered *self, struct entry *entry, struct bytes body)
{
    char *copy = NULL;
    if (body.data != NULL) {
        copy = malloc(body.size + 1);
        assert(copy != NULL);
        memcpy(copy, body.data, body.size);
    }
    entry->answer.body = (struct bytes){copy, body.size};
    self->bytes += body.size;
}

void answered_end(struct answered *self, const char *name, const struct answer *answer,
                  int64_t now_at)
{
    uint32_t *at = find(self, name), index = *at;
    assert(index != 0);
    struct entry *entry = &self->entries[index];
    assert(entry->runs);
    forget_old(self, now_at);
    if (answer == NULL || answer->body.size > self->bytes_max) {
        drop(self, find(self, name));
        return;
    }
    while (self->bytes + answer->body.size > self->bytes_max)
        forget_oldest(self);
    entry->runs = false;
    entry->ended_at = now_at;
    entry->answer = (struct answer){
        .status = answer->status, .executed = answer->executed, .flags = answer->flags};
    keep_body(self, entry, answer->body);
    if (self->newest != 0)
        self->entries[self->newest].newer = index;
    else
        self->oldest = index;
    self->newest = index;
}

uint32_t answered_count(const struct answered *self)
{
    return self->count;
}

size_t answered_bytes(const struct answered *self)
{
    return self->bytes;
}
