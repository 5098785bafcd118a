/* dead_letters - requests that no worker survived, kept for people to look at; and the names of the
 * workers that were lost. Pure.
 *
 * Bounded by count and bytes: the oldest makes room, and is counted. Numbers rise and are never
 * used again. */
#ifndef BROKER_DEAD_LETTERS_H
#define BROKER_DEAD_LETTERS_H

#include "actors/runtime/actor.h" /* struct name */

struct dead_letter {
    uint64_t id;
    enum role role;
    struct name method, tenant;
    enum request_class class;
    uint16_t flags;
    uint8_t deaths;
    struct name workers[DEATHS_MAX]; /* lost with it, in order; empty: not known any more */
    int64_t died_at;
    struct bytes pair; /* as it came, in our widths */
};

struct dead_letters;

struct dead_letters *dead_letters_new(uint32_t letters_max, size_t bytes_max);
void dead_letters_destroy(struct dead_letters **self_p);

/* Remember the name of a worker that was lost, under a number; the same as the last one: under the
 * same. The last DEAD_NAMES_MAX are known; of an older one the name is empty. Never 0. */
uint32_t dead_letters_mourn(struct dead_letters *self, const struct name *worker);
struct name dead_letters_name(const struct dead_letters *self, uint32_t number);

/* Keep one; its id is set here, its pair is copied. returns its id */
uint64_t dead_letters_keep(struct dead_letters *self, const struct dead_letter *letter);

/* NULL: there is none (any more). Valid until the next change. */
const struct dead_letter *dead_letters_find(const struct dead_letters *self, uint64_t id);
const struct dead_letter *dead_letters_after(const struct dead_letters *self, uint64_t id);

void dead_letters_remove(struct dead_letters *self, uint64_t id); /* it is there */

uint32_t dead_letters_count(const struct dead_letters *self);
uint32_t dead_letters_of(const struct dead_letters *self, enum role role);
size_t dead_letters_bytes(const struct dead_letters *self);
uint64_t dead_letters_dropped(const struct dead_letters *self); /* to make room */

#endif
