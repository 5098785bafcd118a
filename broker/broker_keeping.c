/* broker_keeping - no reply is lost with a connection: it is held until its client says that it has
 * it, or comes back for it; and what was asked goes on meanwhile.
 *
 * Of a client that is away, as long as something is held or runs for it, its slots are those of
 * client sessions_max + its number in keeps. See docs/protocol.md, "A reply that gets lost". */
#include "broker/broker_private.h"

#define KEEPING_FLAGS (FLAG_KEEP | FLAG_DETACHED)

static uint32_t away(const struct broker *self, uint32_t keeper)
{
    return self->config.sessions_max + keeper;
}

void broker_keep(struct broker *self, struct peer *client, const struct slot *slot)
{
    if (!(slot->flags & KEEPING_FLAGS) || client->keeper != NONE)
        return;
    client->keeper = keeps_open(self->keeps, client->session);
    self->counts.unkept += client->keeper == NONE;
}

static uint32_t keeper_of(struct broker *self, const struct slot *slot)
{
    const struct peer *client = client_of(self, slot);
    if (client != NULL)
        return client->keeper;
    return slot->client == NONE ? NONE : slot->client - self->config.sessions_max;
}

/* Nobody is connected, nothing is held, and nothing runs. */
static void close_if_done(struct broker *self, uint32_t keeper)
{
    if (keeps_first(self->keeps, keeper) != NONE ||
        slots_first_of_client(self->slots, away(self, keeper)) != NULL)
        return;
    if (keeps_is_nobodys(self->keeps, keeper) ||
        sessions_find_session(self->sessions, SIDE_FRONTEND, keeps_session(self->keeps, keeper)) ==
            NULL)
        keeps_close(self->keeps, keeper);
}

void broker_drop_kept(struct broker *self, uint32_t reply)
{
    const struct kept *kept = keeps_at(self->keeps, reply);
    uint32_t keeper = kept->keeper;
    if (kept->identity != NONE)
        identities_remove(self->identities, kept->identity);
    timers_clear(self->timers, TIMER_KEPT + reply);
    keeps_drop(self->keeps, reply);
    close_if_done(self, keeper);
}

/* What must not be executed again can be asked for by its key as long as it is held. */
static void name_kept(struct broker *self, struct slot *slot, const struct header *header,
                      uint32_t reply)
{
    bool last = header->executed == EXECUTED_YES ||
                (header->executed == EXECUTED_MAYBE && !(slot->flags & FLAG_IDEMPOTENT));
    if (slot->identity == NONE || !last)
        return;
    identities_move(self->identities, slot->identity, self->config.slots_max + reply);
    keeps_at(self->keeps, reply)->identity = slot->identity;
    slot->identity = NONE;
}

/* A client that waits for it waits no longer than its deadline; one that has left it to be done
 * comes when it likes. source: docs/decisions/0116 */
static int64_t held_until(const struct broker *self, const struct slot *slot)
{
    int64_t until_at = self->now_at + KEPT_MS * US_PER_MS;
    bool detached = slot->flags & FLAG_DETACHED;
    return detached || slot->deadline_at > until_at ? until_at : slot->deadline_at;
}

bool broker_hold(struct broker *self, struct slot *slot, const struct header *header,
                 struct bytes body)
{
    uint32_t keeper = slot->flags & KEEPING_FLAGS ? keeper_of(self, slot) : NONE, victim;
    int64_t until_at = held_until(self, slot);
    if (keeper == NONE || until_at <= self->now_at)
        return false;
    while (!keeps_has_room(self->keeps, keeper, PAIR_HEAD_BYTES_MAX + body.size, &victim)) {
        self->counts.unkept++;
        if (victim == NONE)
            return false;
        broker_drop_kept(self, victim); /* its slot is there: the client stays known */
    }
    uint32_t reply = keeps_put(self->keeps, keeper, slot->client_id, header, body);
    timers_set(self->timers, TIMER_KEPT + reply, until_at);
    name_kept(self, slot, header, reply);
    self->counts.kept++;
    return true;
}

/* Send what is held to one who is there; it costs no credit, since it had its end before. */
static void say_kept(struct broker *self, const struct peer *client, uint32_t reply, uint64_t id)
{
    struct bytes whole = frame_bytes(&keeps_at(self->keeps, reply)->pair);
    struct pairs pairs = pairs_over(whole);
    struct pair pair;
    bool there = pairs_next(&pairs, &pair);
    assert(there);
    assert(pair.status == STATUS_OK);
    pair.header.id = id;
    pair.header.credit = client->ended + self->config.client_credit;
    broker_say(self, client, &pair.header, pair.body);
}

void broker_replay(struct broker *self, struct peer *client, uint64_t id, enum role role,
                   uint32_t reply)
{
    struct role_counts *counts = &self->counts.roles[role];
    struct pairs pairs = pairs_over(frame_bytes(&keeps_at(self->keeps, reply)->pair));
    struct pair pair;
    bool there = pairs_next(&pairs, &pair);
    assert(there);
    client->ended++;
    counts->replied++;
    counts->replayed++;
    counts->by_status[pair.header.status]++;
    say_kept(self, client, reply, id);
}

/* One that leaves for good wants no reply; what it has left to be done is fetched by its key. */
static void forget_unnamed(struct broker *self, uint32_t keeper)
{
    uint32_t reply = keeps_first(self->keeps, keeper), next;
    for (; reply != NONE; reply = next) {
        next = keeps_next(self->keeps, reply);
        if (keeps_at(self->keeps, reply)->identity == NONE)
            broker_drop_kept(self, reply);
    }
}

/* What of a client's goes on without it: all that it has left to be done; and what it wants to have
 * kept, but for what waits, where nobody knows when it comes back. */
static bool goes_on(struct broker *self, const struct peer *client, struct slot *slot)
{
    bool runs = slots_execution(self->slots, slot)->state == SLOT_RUNNING;
    if (slot->flags & FLAG_DETACHED)
        return true;
    return slot->flags & FLAG_KEEP && !client->leaves && (runs || client->resumes);
}

/* Nobody is there to be answered: what has not to be done all the same is cancelled. */
void broker_lose_client(struct broker *self, const struct peer *client)
{
    uint32_t place = sessions_index(self->sessions, client), keeper = client->keeper;
    struct slot *slot;
    while ((slot = slots_first_of_client(self->slots, place)) != NULL) {
        bool stays = goes_on(self, client, slot);
        bool kept = keeper != NONE && slot->flags & KEEPING_FLAGS && !client->leaves;
        slots_rename(self->slots, slot,
                     keeper != NONE && (kept || stays) ? away(self, keeper) : NONE);
        if (!stays)
            broker_withdraw(self, slot, STATUS_CANCELLED);
    }
    if (keeper != NONE && client->leaves)
        forget_unnamed(self, keeper);
}

void broker_close_keeper(struct broker *self, uint32_t keeper)
{
    if (keeper != NONE)
        close_if_done(self, keeper);
}

/* It is back: what goes on for it is its again, and counts against its credit. */
void broker_resume(struct broker *self, struct peer *client)
{
    struct slot *slot;
    uint32_t place = sessions_index(self->sessions, client);
    client->keeper = keeps_find(self->keeps, client->session);
    if (client->keeper == NONE)
        return;
    while ((slot = slots_first_of_client(self->slots, away(self, client->keeper))) != NULL) {
        slots_rename(self->slots, slot, place);
        client->ended--;
    }
}

void broker_say_all_kept(struct broker *self, const struct peer *client)
{
    if (client->keeper == NONE)
        return;
    uint32_t reply = keeps_first(self->keeps, client->keeper);
    for (; reply != NONE; reply = keeps_next(self->keeps, reply)) {
        say_kept(self, client, reply, keeps_at(self->keeps, reply)->client_id);
        self->counts.resumed++;
    }
}

/* What is asked for by its key stays, for whoever asks. */
static void leave_named(struct broker *self, uint32_t keeper, uint32_t heir)
{
    uint32_t reply = keeps_first(self->keeps, keeper), next;
    for (; reply != NONE; reply = next) {
        next = keeps_next(self->keeps, reply);
        if (keeps_at(self->keeps, reply)->identity != NONE)
            keeps_move(self->keeps, reply, heir);
    }
}

/* A session that begins anew, though it was here before: nothing of the old one is told to it. Its
 * ids begin anew, too. What it has left to be done is done, and fetched by its key. */
void broker_forget_session(struct broker *self, const char *session)
{
    uint32_t keeper = keeps_find(self->keeps, session);
    struct slot *slot;
    if (keeper == NONE)
        return;
    uint32_t heir = keeps_open_for_nobody(self->keeps);
    while ((slot = slots_first_of_client(self->slots, away(self, keeper))) != NULL) {
        bool stays = slot->flags & FLAG_DETACHED;
        bool named = stays && slot->identity != NONE;
        slots_rename(self->slots, slot, named && heir != NONE ? away(self, heir) : NONE);
        self->counts.unkept += named && heir == NONE;
        if (!stays)
            broker_withdraw(self, slot, STATUS_CANCELLED);
    }
    if (heir != NONE) {
        leave_named(self, keeper, heir);
        close_if_done(self, heir);
    }
    forget_unnamed(self, keeper);
    if (keeps_find(self->keeps, session) != NONE)
        close_if_done(self, keeper);
}

bool broker_holds(struct broker *self, const struct peer *client, uint64_t id)
{
    uint32_t reply = client->keeper == NONE ? NONE : keeps_first(self->keeps, client->keeper);
    while (reply != NONE && keeps_at(self->keeps, reply)->client_id != id)
        reply = keeps_next(self->keeps, reply);
    return reply != NONE;
}

void broker_on_ackfloor(struct broker *self, const struct source *from, const struct pair *pair)
{
    uint32_t keeper = from->peer->keeper, next;
    uint32_t reply = keeper == NONE ? NONE : keeps_first(self->keeps, keeper);
    for (; reply != NONE; reply = next) {
        next = keeps_next(self->keeps, reply);
        if (keeps_at(self->keeps, reply)->client_id <= pair->header.id)
            broker_drop_kept(self, reply);
    }
}
