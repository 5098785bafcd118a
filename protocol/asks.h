/* asks - the questions of one session that have no answer yet. Pure; memory taken once, but for the
 * bytes of those that wait.
 *
 * Found by number, by the owner's tag, and by the nearest deadline. Those that have not left stand
 * in line; those that have stand in a list of their own, since they end when the connection does.
 */
#ifndef PROTOCOL_ASKS_H
#define PROTOCOL_ASKS_H

#include "protocol/cursor.h"

struct asks;

struct ask_entry {
    uint64_t id, tag;
    int64_t deadline_at;
    int64_t due_at; /* when to give up */
    bool sent;
    bool counts;   /* against the credit of the other side */
    bool kept;     /* its answer is held for us while there is no connection */
    bool resuming; /* there was none since: the other side has not said yet what became of it */
    char *pair;    /* while it waits: its bytes, owned; else NULL */
    size_t size;
    /* asks.c's own */
    uint32_t next_id, next_tag, heap_at;
    struct ask_entry *next, *previous;
};

struct asks *asks_new(uint32_t asks_max);
void asks_destroy(struct asks **self_p);

/* A new one, in line; NULL: asks_max are there. Asserts that id and tag are new.
 *
 * due_at  when to give up: not before its deadline; what will be sent at once has that of what is
 *         sent, and is not moved among the others twice */
struct ask_entry *asks_add(struct asks *self, uint64_t id, uint64_t tag, int64_t deadline_at,
                           int64_t due_at);
void asks_remove(struct asks *self, struct ask_entry *entry);

/* due_at: from now on, when to give up: not before its deadline. */
void asks_mark_sent(struct asks *self, struct ask_entry *entry, int64_t due_at);
void asks_keep_bytes(struct ask_entry *entry, struct bytes head, struct bytes body);
void asks_free_bytes(struct ask_entry *entry);

/* NULL: none. */
struct ask_entry *asks_find_id(struct asks *self, uint64_t id);
struct ask_entry *asks_find_tag(struct asks *self, uint64_t tag);
struct ask_entry *asks_first_due(const struct asks *self);
struct ask_entry *asks_first_waiting(const struct asks *self); /* oldest first */
struct ask_entry *asks_first_sent(const struct asks *self);    /* oldest first */
struct ask_entry *asks_next_sent(const struct asks *self, const struct ask_entry *entry);

/* Give one that was sent up at another time. */
void asks_set_due(struct asks *self, struct ask_entry *entry, int64_t due_at);
uint32_t asks_count(const struct asks *self);

#endif
