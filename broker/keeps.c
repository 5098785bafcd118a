/* keeps - see keeps.h. Clients in chains by session; replies in a list for each, by age. */
#include "broker/keeps.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "broker/list.h"

struct keeper {
    bool taken, nobodys; /* nobodys: in no chain */
    char session[SESSION_ID_BYTES];
    uint32_t next; /* in its chain, or among the free */
    uint32_t replies;
    uint64_t bytes;
};

struct keeps {
    uint32_t keepers_max, keepers, first_keeper, mask;
    uint32_t replies_max, replies, first_reply;
    uint64_t bytes, bytes_max, seed;
    uint32_t *chains;
    struct keeper *of;   /* by number */
    struct link *links;  /* by reply; then the sentinels, by keeper */
    uint32_t *free_next; /* by reply */
    struct kept *kept;
};

static void *take(size_t count, size_t size)
{
    void *room = calloc(count, size);
    assert(room != NULL);
    return room;
}

struct keeps *keeps_new(uint32_t keepers_max, uint32_t replies_max, uint64_t bytes_max,
                        uint64_t seed)
{
    assert(keepers_max > 0);
    assert(replies_max > 0);
    struct keeps *self = take(1, sizeof *self);
    *self = (struct keeps){.keepers_max = keepers_max,
                           .replies_max = replies_max,
                           .bytes_max = bytes_max,
                           .seed = seed};
    for (self->mask = 1; self->mask < keepers_max; self->mask = 2 * self->mask + 1)
        ;
    self->chains = take((size_t)self->mask + 1, sizeof self->chains[0]);
    memset(self->chains, UINT8_MAX, ((size_t)self->mask + 1) * sizeof self->chains[0]);
    self->of = take(keepers_max, sizeof self->of[0]);
    self->links = take((size_t)replies_max + keepers_max, sizeof self->links[0]);
    list_out_all(self->links, 0, replies_max);
    list_clear_all(self->links, replies_max, replies_max + keepers_max);
    self->free_next = take(replies_max, sizeof self->free_next[0]);
    self->kept = take(replies_max, sizeof self->kept[0]);
    for (uint32_t i = 0; i < keepers_max; i++)
        self->of[i].next = i + 1 < keepers_max ? i + 1 : NONE;
    for (uint32_t i = 0; i < replies_max; i++) {
        self->free_next[i] = i + 1 < replies_max ? i + 1 : NONE;
        self->kept[i].keeper = NONE;
    }
    return self;
}

void keeps_destroy(struct keeps **self_p)
{
    assert(self_p != NULL);
    struct keeps *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->replies_max; i++)
        if (self->kept[i].keeper != NONE)
            zmq_msg_close(&self->kept[i].pair);
    free(self->chains);
    free(self->of);
    free(self->links);
    free(self->free_next);
    free(self->kept);
    free(self);
    *self_p = NULL;
}

static uint32_t *chain_of(const struct keeps *self, const char *session)
{
    return &self->chains[XXH3_64bits_withSeed(session, SESSION_ID_BYTES, self->seed) & self->mask];
}

uint32_t keeps_find(const struct keeps *self, const char *session)
{
    uint32_t at = *chain_of(self, session);
    while (at != NONE && memcmp(self->of[at].session, session, SESSION_ID_BYTES) != 0)
        at = self->of[at].next;
    return at;
}

uint32_t keeps_open_for_nobody(struct keeps *self)
{
    uint32_t at = self->first_keeper;
    if (at == NONE)
        return NONE;
    self->first_keeper = self->of[at].next;
    self->of[at] = (struct keeper){.taken = true, .nobodys = true, .next = NONE};
    self->keepers++;
    return at;
}

uint32_t keeps_open(struct keeps *self, const char *session)
{
    uint32_t at = keeps_find(self, session), *chain = chain_of(self, session);
    if (at != NONE || (at = keeps_open_for_nobody(self)) == NONE)
        return at;
    self->of[at].nobodys = false;
    self->of[at].next = *chain;
    memcpy(self->of[at].session, session, SESSION_ID_BYTES);
    *chain = at;
    return at;
}

bool keeps_is_nobodys(const struct keeps *self, uint32_t keeper)
{
    assert(keeper < self->keepers_max);
    assert(self->of[keeper].taken);
    return self->of[keeper].nobodys;
}

const char *keeps_session(const struct keeps *self, uint32_t keeper)
{
    assert(keeper < self->keepers_max);
    assert(self->of[keeper].taken);
    return self->of[keeper].session;
}

void keeps_close(struct keeps *self, uint32_t keeper)
{
    assert(keeper < self->keepers_max);
    assert(self->of[keeper].taken);
    assert(self->of[keeper].replies == 0);
    uint32_t *link = chain_of(self, self->of[keeper].session);
    while (!self->of[keeper].nobodys && *link != keeper)
        link = &self->of[*link].next;
    if (!self->of[keeper].nobodys)
        *link = self->of[keeper].next;
    self->of[keeper] = (struct keeper){.next = self->first_keeper};
    self->first_keeper = keeper;
    self->keepers--;
}

/* One client's flood costs it its own oldest, and takes nothing from others that is held already.
 */
bool keeps_has_room(const struct keeps *self, uint32_t keeper, size_t bytes, uint32_t *ret_victim)
{
    const struct keeper *of = &self->of[keeper];
    assert(of->taken);
    *ret_victim = NONE;
    bool own = of->replies < KEEPER_REPLIES_MAX && of->bytes + bytes <= KEEPER_BYTES_MAX;
    bool all = self->replies < self->replies_max && self->bytes + bytes <= self->bytes_max;
    if (!own && bytes <= KEEPER_BYTES_MAX)
        *ret_victim = keeps_first(self, keeper);
    return own && all;
}

uint32_t keeps_put(struct keeps *self, uint32_t keeper, uint64_t client_id,
                   const struct header *header, struct bytes body)
{
    uint32_t at = self->first_reply;
    assert(at != NONE);
    struct kept *kept = &self->kept[at];
    self->first_reply = self->free_next[at];
    *kept = (struct kept){.keeper = keeper, .identity = NONE, .client_id = client_id};
    frame_encode(&kept->pair, header, body);
    size_t bytes = zmq_msg_size(&kept->pair);
    self->of[keeper].replies++;
    self->of[keeper].bytes += bytes;
    self->replies++;
    self->bytes += bytes;
    list_put_before(self->links, at, self->replies_max + keeper);
    return at;
}

void keeps_drop(struct keeps *self, uint32_t reply)
{
    struct kept *kept = keeps_at(self, reply);
    size_t bytes = zmq_msg_size(&kept->pair);
    list_take_out(self->links, reply);
    self->of[kept->keeper].replies--;
    self->of[kept->keeper].bytes -= bytes;
    self->replies--;
    self->bytes -= bytes;
    zmq_msg_close(&kept->pair);
    kept->keeper = NONE;
    self->free_next[reply] = self->first_reply;
    self->first_reply = reply;
}

void keeps_move(struct keeps *self, uint32_t reply, uint32_t keeper)
{
    struct kept *kept = keeps_at(self, reply);
    size_t bytes = zmq_msg_size(&kept->pair);
    assert(self->of[keeper].taken);
    self->of[kept->keeper].replies--;
    self->of[kept->keeper].bytes -= bytes;
    self->of[keeper].replies++;
    self->of[keeper].bytes += bytes;
    kept->keeper = keeper;
    list_take_out(self->links, reply);
    list_put_before(self->links, reply, self->replies_max + keeper);
}

struct kept *keeps_at(struct keeps *self, uint32_t reply)
{
    assert(reply < self->replies_max);
    assert(self->kept[reply].keeper != NONE);
    return &self->kept[reply];
}

uint32_t keeps_first(const struct keeps *self, uint32_t keeper)
{
    assert(keeper < self->keepers_max);
    uint32_t first = self->links[self->replies_max + keeper].next;
    return first < self->replies_max ? first : NONE;
}

uint32_t keeps_next(const struct keeps *self, uint32_t reply)
{
    assert(reply < self->replies_max);
    uint32_t next = self->links[reply].next;
    return next < self->replies_max ? next : NONE;
}

uint32_t keeps_keepers(const struct keeps *self)
{
    return self->keepers;
}

uint32_t keeps_replies(const struct keeps *self)
{
    return self->replies;
}

uint64_t keeps_bytes(const struct keeps *self)
{
    return self->bytes;
}
