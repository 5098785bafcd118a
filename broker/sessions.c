/* sessions - see sessions.h. Two rows of chains over one array of entries. */
#include "broker/sessions.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "broker/list.h"

struct sessions {
    uint32_t sessions_max, count, first_free; /* free ones are chained by next_number */
    uint32_t chains;                          /* a power of two */
    uint64_t seed;
    uint32_t *by_number, *by_session; /* heads */
    struct peer peers[];              /* number 0: free */
};

struct sessions *sessions_new(uint32_t sessions_max, uint64_t seed)
{
    assert(sessions_max > 0);
    struct sessions *self = calloc(1, sizeof *self + sessions_max * sizeof self->peers[0]);
    assert(self != NULL);
    self->sessions_max = sessions_max;
    self->seed = seed;
    for (self->chains = 1; self->chains < sessions_max; self->chains *= 2)
        ;
    size_t heads_bytes = self->chains * sizeof self->by_number[0];
    self->by_number = malloc(heads_bytes);
    self->by_session = malloc(heads_bytes);
    assert(self->by_number != NULL);
    assert(self->by_session != NULL);
    memset(self->by_number, UINT8_MAX, heads_bytes);
    memset(self->by_session, UINT8_MAX, heads_bytes);
    for (uint32_t at = 0; at < sessions_max; at++)
        self->peers[at].next_number = at + 1 < sessions_max ? at + 1 : NONE;
    return self;
}

void sessions_destroy(struct sessions **self_p)
{
    assert(self_p != NULL);
    if (*self_p == NULL)
        return;
    free((*self_p)->by_number);
    free((*self_p)->by_session);
    free(*self_p);
    *self_p = NULL;
}

/* libzmq counts its routing ids up, so the low bits spread them well. */
static uint32_t *number_chain(struct sessions *self, enum side side, uint64_t number)
{
    return &self->by_number[(number * SIDE_COUNT + side) & (self->chains - 1)];
}

static uint32_t *session_chain(struct sessions *self, enum side side, const char *session)
{
    uint64_t hash = XXH3_64bits_withSeed(session, SESSION_ID_BYTES, self->seed + side);
    return &self->by_session[hash & (self->chains - 1)];
}

struct peer *sessions_find(struct sessions *self, enum side side, uint64_t number)
{
    assert(number != 0);
    uint32_t at = *number_chain(self, side, number);
    while (at != NONE && (self->peers[at].number != number || self->peers[at].side != side))
        at = self->peers[at].next_number;
    return at == NONE ? NULL : &self->peers[at];
}

struct peer *sessions_find_session(struct sessions *self, enum side side, const char *session)
{
    uint32_t at = *session_chain(self, side, session);
    while (at != NONE && (self->peers[at].side != side ||
                          memcmp(self->peers[at].session, session, SESSION_ID_BYTES) != 0))
        at = self->peers[at].next_session;
    return at == NONE ? NULL : &self->peers[at];
}

struct peer *sessions_add(struct sessions *self, enum side side, uint64_t number,
                          const char *session)
{
    assert(sessions_find(self, side, number) == NULL);
    assert(sessions_find_session(self, side, session) == NULL);
    uint32_t at = self->first_free;
    if (at == NONE)
        return NULL;
    struct peer *peer = &self->peers[at];
    uint32_t *of_number = number_chain(self, side, number);
    uint32_t *of_session = session_chain(self, side, session);
    self->first_free = peer->next_number;
    *peer = (struct peer){.side = side,
                          .number = number,
                          .worker = NONE,
                          .keeper = NONE,
                          .next_number = *of_number,
                          .next_session = *of_session};
    memcpy(peer->session, session, SESSION_ID_BYTES);
    *of_number = at;
    *of_session = at;
    self->count++;
    return peer;
}

void sessions_remove(struct sessions *self, struct peer *peer)
{
    uint32_t at = sessions_index(self, peer);
    uint32_t *link = number_chain(self, peer->side, peer->number);
    while (*link != at)
        link = &self->peers[*link].next_number;
    *link = peer->next_number;
    link = session_chain(self, peer->side, peer->session);
    while (*link != at)
        link = &self->peers[*link].next_session;
    *link = peer->next_session;
    *peer = (struct peer){.next_number = self->first_free};
    self->first_free = at;
    self->count--;
}

uint32_t sessions_index(const struct sessions *self, const struct peer *peer)
{
    assert(peer >= self->peers);
    assert(peer < self->peers + self->sessions_max);
    return (uint32_t)(peer - self->peers);
}

struct peer *sessions_at(struct sessions *self, uint32_t index)
{
    assert(index < self->sessions_max);
    return self->peers[index].number == 0 ? NULL : &self->peers[index];
}

uint32_t sessions_count(const struct sessions *self)
{
    return self->count;
}

bool peer_strike(struct peer *self, int64_t now_at)
{
    if (self->strikes == 0 || now_at - self->strikes_at > STRIKES_MS * US_PER_MS) {
        self->strikes = 0;
        self->strikes_at = now_at;
    }
    self->strikes++;
    return self->strikes >= STRIKES_MAX;
}
