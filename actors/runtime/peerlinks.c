/* peerlinks - see process_private.h: the view, and a link to each cache partition of it.
 *
 * A view comes in the middle of a turn, from a session; it is applied when the turn is over, since
 * that closes links. Only a role that asks has links. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/runtime/process_private.h"

#define PEERLINKS_MAX (2 * VIEW_MEMBERS_MAX)
#define NOBODY UINT32_MAX
#define ASKS_PER_PEER_MAX 1024u
#define WAITING_BYTES_MAX (4u << 20)

void peerlinks_offer_view(struct process *self, struct bytes view)
{
    struct msg_view decoded;
    if (message_decode(MSG_VIEW, view, &decoded) != STATUS_OK ||
        (decoded.epoch <= self->view_epoch && self->view_epoch != 0))
        return;
    free(self->view_bytes);
    self->view_bytes = malloc(view.size);
    assert(self->view_bytes != NULL);
    memcpy(self->view_bytes, view.data, view.size);
    self->view_size = view.size;
}

static void on_answer(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    acting_answer(context, tag, header, body);
}

/* server_key  of CURVE_KEY_BYTES; absent: the partition lets in whoever can reach it */
static struct link *open_link(struct process *self, const char *endpoint, struct bytes server_key)
{
    char reason[SOCKET_REASON_BYTES];
    struct curve_servers servers = {.count = server_key.size > 0};
    struct link_config config = {
        .zmq = self->zmq,
        .endpoint = endpoint,
        .reconnect_ms = self->reconnect_ms,
        .metrics = self->context.metrics,
        .socket_name = "peer",
        .own = servers.count > 0 ? &self->keys.own : NULL,
        .servers = &servers,
        .session = {.role = self->spec->role,
                    .instance = bytes_of(self->instance),
                    .version = bytes_of(FACT_VERSION),
                    .pid = (uint64_t)getpid(),
                    .asks_max = ASKS_PER_PEER_MAX,
                    .waiting_bytes_max = WAITING_BYTES_MAX},
        .owner = {.self = self, .on_answer = on_answer},
    };
    memcpy(config.session.id, self->front_session, SESSION_ID_BYTES);
    if (servers.count > 0)
        memcpy(servers.keys[0], server_key.data, CURVE_KEY_BYTES);
    struct link *link = link_open(&config, self->context.now_at, reason);
    if (link == NULL)
        log_event(EVENT_DISCONNECTED, log_text("reason", reason));
    return link;
}

/* Whether this link goes where the member is now. */
static bool leads_to(const struct peerlink *peer, const struct msg_member *member)
{
    return memcmp(peer->uuid, member->uuid.data, SESSION_ID_BYTES) == 0 &&
           bytes_are(member->endpoint, link_endpoint(peer->link)) &&
           bytes_equal(member->curve_key, bytes_of(link_server_key(peer->link)));
}

/* Without a key of our own one that wants a key cannot be asked. */
static bool may_ask(const struct process *self, const struct msg_member *member)
{
    return member->uuid.size == SESSION_ID_BYTES && member->endpoint.size < ENDPOINT_BYTES_MAX &&
           memcmp(member->uuid.data, self->context.session, SESSION_ID_BYTES) != 0 &&
           (member->curve_key.size == 0 ||
            (self->keys.used && curve_key_is_sound(member->curve_key)));
}

/* The place of this member; NOBODY: there is no link to it, and none can be had. */
static uint32_t place_of(struct process *self, const struct msg_member *member)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    uint32_t free_place = NOBODY;
    if (!may_ask(self, member))
        return NOBODY;
    for (uint32_t i = 0; i < PEERLINKS_MAX; i++) {
        struct peerlink *peer = &self->peerlinks[i];
        if (peer->link == NULL)
            free_place = free_place == NOBODY ? i : free_place;
        else if (leads_to(peer, member))
            return i;
    }
    if (free_place == NOBODY)
        return NOBODY;
    memcpy(endpoint, member->endpoint.data, member->endpoint.size);
    endpoint[member->endpoint.size] = '\0';
    struct peerlink *peer = &self->peerlinks[free_place];
    if (free_place >= self->peerlink_end)
        self->peerlink_end = free_place + 1;
    peer->link = open_link(self, endpoint, member->curve_key);
    memcpy(peer->uuid, member->uuid.data, SESSION_ID_BYTES);
    return peer->link != NULL ? free_place : NOBODY;
}

static void close_unwanted(struct process *self)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++) {
        struct peerlink *peer = &self->peerlinks[i];
        if (peer->link == NULL || peer->wanted)
            continue;
        session_end(link_session(peer->link));
        link_close(&peer->link, 0);
    }
}

static void link_members(struct process *self, struct values members)
{
    struct msg_member member;
    struct bytes value;
    self->member_count = 0;
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        self->peerlinks[i].wanted = false;
    while (values_next(&members, &value) && self->member_count < VIEW_MEMBERS_MAX) {
        bool good = message_decode(MSG_MEMBER, value, &member) == STATUS_OK;
        uint32_t place = good ? place_of(self, &member) : NOBODY;
        if (place != NOBODY)
            self->peerlinks[place].wanted = true;
        self->members[self->member_count++] = place;
    }
    close_unwanted(self);
}

void peerlinks_apply_view(struct process *self)
{
    struct msg_view view;
    if (self->view_bytes == NULL)
        return;
    char *bytes = self->view_bytes;
    self->view_bytes = NULL;
    enum status status = message_decode(MSG_VIEW, (struct bytes){bytes, self->view_size}, &view);
    assert(status == STATUS_OK); /* checked when it was offered */
    self->view_epoch = view.epoch;
    if (self->spec->on_view != NULL && self->spec->on_answer != NULL)
        link_members(self, values_over(view.members));
    if (self->spec->on_view != NULL)
        self->spec->on_view(self->actor.state, &self->context, &view);
    free(bytes);
}

/* One that was never up is waited for: it is on its way. One that was, and is not, is not asked. */
struct session *peerlinks_asker(struct process *self, uint32_t member)
{
    uint32_t place = member < self->member_count ? self->members[member] : NOBODY;
    if (place == NOBODY)
        return NULL;
    struct session *session = link_session(self->peerlinks[place].link);
    bool is_new =
        session_state(session) == SESSION_GREETING && session_counts(session)->connections == 0;
    return is_new || session_state(session) == SESSION_UP ? session : NULL;
}

unsigned peerlinks_take(struct process *self)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        if (self->peerlinks[i].link != NULL)
            count += link_take(self->peerlinks[i].link, LINK_BURST_MAX, self->context.now_at);
    return count;
}

void peerlinks_tick(struct process *self)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        if (self->peerlinks[i].link != NULL)
            session_tick(link_session(self->peerlinks[i].link), self->context.now_at);
}

void peerlinks_flush(struct process *self)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        if (self->peerlinks[i].link != NULL)
            link_flush(self->peerlinks[i].link, self->context.now_at);
}

int64_t peerlinks_due_at(const struct process *self)
{
    int64_t due_at = INT64_MAX;
    for (uint32_t i = 0; i < self->peerlink_end; i++) {
        if (self->peerlinks[i].link == NULL)
            continue;
        int64_t one_at = session_due_at(link_session(self->peerlinks[i].link));
        due_at = one_at < due_at ? one_at : due_at;
    }
    return due_at;
}

void peerlinks_watch(struct process *self, struct inlets *inlets)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        if (self->peerlinks[i].link != NULL)
            link_watch(self->peerlinks[i].link, inlets);
}

bool peerlinks_cancel(struct process *self, uint64_t tag)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        if (self->peerlinks[i].link != NULL &&
            session_cancel(link_session(self->peerlinks[i].link), tag))
            return true;
    return false;
}

void peerlinks_close(struct process *self, int linger_ms)
{
    for (uint32_t i = 0; i < self->peerlink_end; i++)
        link_close(&self->peerlinks[i].link, linger_ms);
    free(self->view_bytes);
    self->view_bytes = NULL;
}
