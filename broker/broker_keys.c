/* broker_keys - whose key a connection has, and what it may do with it; see grants.h. */
#include <sodium.h>
#include <string.h>

#include "broker/broker_private.h"

_Static_assert(NAME_BYTES_MAX <= crypto_generichash_KEYBYTES_MAX, "a name keys a hash");
_Static_assert(SESSION_ID_BYTES >= crypto_generichash_BYTES_MIN, "a session is one");

/* role: of its HELLO, or what it was until now */
static enum role role_of(const struct allowed *allowed, uint32_t role)
{
    if (allowed != NULL && allowed->kind != KEY_WORKER)
        return ROLE_CLIENT;
    return role < ROLE_COUNT ? (enum role)role : ROLE_NONE;
}

struct verdict broker_know(const struct broker *self, const struct source *from,
                           const struct header *header, const struct allowed **ret,
                           enum role *ret_role)
{
    const struct allowed *allowed = NULL;
    if (self->outside.identify != NULL) {
        allowed = self->outside.identify(self->outside.self, from->message);
        if (allowed == NULL)
            return (struct verdict){.status = STATUS_UNAUTHENTICATED,
                                    .hint = "this key is not in the allow list"};
    }
    const char *hint = grants_refuse_hello(allowed, from->side == SIDE_BACKEND, header->role);
    *ret = allowed;
    *ret_role = role_of(allowed, header->role);
    return (struct verdict){.status = hint == NULL ? STATUS_OK : STATUS_FORBIDDEN, .hint = hint};
}

struct bytes broker_session_of(const struct allowed *allowed, struct bytes session, char *ret)
{
    if (allowed == NULL)
        return session;
    int rc = crypto_generichash((unsigned char *)ret, SESSION_ID_BYTES,
                                (const unsigned char *)session.data, session.size,
                                (const unsigned char *)allowed->name, strlen(allowed->name));
    assert(rc == 0);
    return (struct bytes){ret, SESSION_ID_BYTES};
}

struct verdict broker_check_grants(struct broker *self, struct admission *admission)
{
    const char *hint = grants_refuse_request(admission->peer->allowed, admission->header);
    (void)self;
    return (struct verdict){.status = hint == NULL ? STATUS_OK : STATUS_FORBIDDEN, .hint = hint};
}

bool broker_is_granted(struct broker *self, const struct source *from, const struct pair *pair,
                       const char *refusal)
{
    if (refusal != NULL)
        broker_refuse_question(self, from, pair, STATUS_FORBIDDEN, refusal);
    return refusal == NULL;
}

void broker_revoke(struct broker *self, struct peer *peer, enum status status, const char *reason)
{
    const struct log_field fields[] = {log_bytes("peer", name_bytes(&peer->instance)),
                                       log_text("reason", reason)};
    broker_note(self, EVENT_REVOKED, fields, sizeof fields / sizeof fields[0]);
    broker_send_away(self, peer, status, reason);
}

/* Why it may not be any more what it has greeted as; NULL: it may. */
static const char *refuse_peer(struct broker *self, const struct peer *peer)
{
    const struct worker *worker = worker_of(self, peer);
    const char *hint = grants_refuse_hello(peer->allowed, peer->side == SIDE_BACKEND, peer->role);
    if (hint == NULL && worker != NULL)
        hint = grants_refuse_ready(peer->allowed, worker->role, (struct bytes){0});
    return hint;
}

void broker_grant_anew(struct broker *self, const struct allow_list *list, int64_t now_at)
{
    self->now_at = now_at;
    for (uint32_t i = 0; i < self->config.sessions_max; i++) {
        struct peer *peer = sessions_at(self->sessions, i);
        if (peer == NULL || peer->allowed == NULL)
            continue;
        peer->allowed = allow_list_find(list, bytes_of(peer->allowed->key));
        if (peer->allowed == NULL) {
            broker_revoke(self, peer, STATUS_UNAUTHENTICATED, "this key is not allowed any more");
            continue;
        }
        peer->role = role_of(peer->allowed, peer->role);
        const char *hint = refuse_peer(self, peer);
        if (hint != NULL)
            broker_revoke(self, peer, STATUS_FORBIDDEN, hint);
    }
}
