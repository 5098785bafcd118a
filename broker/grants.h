/* grants - what the key of a peer lets it do. Pure.
 *
 * Each returns NULL: it may; else a hint for people, that says what to change. self is NULL where
 * nobody is asked for a key: then everybody may do everything. source: docs/protocol.md, "Keys" */
#ifndef BROKER_GRANTS_H
#define BROKER_GRANTS_H

#include "actors/runtime/allow_list.h"
#include "protocol/envelope.h"

/* HELLO: what a worker says it is must be a role of its key; only workers have to do with the side
 * of the workers.
 *
 * role  of HELLO, whatever it is */
const char *grants_refuse_hello(const struct allowed *self, bool is_backend, uint32_t role);

/* A REQUEST: its role, class, tenant and method. Of workers only drivers ask: for their clients,
 * who were judged. */
const char *grants_refuse_request(const struct allowed *self, const struct header *header);

/* READY: the role it serves; of a partition the key that others are to find there.
 *
 * curve_key  absent: it says none */
const char *grants_refuse_ready(const struct allowed *self, enum role role, struct bytes curve_key);

/* ADMIN, and questions that change how a process works. */
const char *grants_refuse_order(const struct allowed *self);

/* INVALIDATE: of those whose tools change data, and of operators. */
const char *grants_refuse_invalidate(const struct allowed *self);

#endif
