/* sites - the remote sides that the settings name: who each is (remote), whether one may go there
 * (target), how it is spoken with (dialect), and its key.
 *
 * Owns all of that. A site without a key that needs one is there, says so, and answers nobody. */
#ifndef ACTORS_ARCADE_GATEWAY_SITES_H
#define ACTORS_ARCADE_GATEWAY_SITES_H

#include "actors/arcade_gateway/dialogue.h"
#include "actors/arcade_gateway/secret.h"
#include "actors/arcade_gateway/target.h"

#define SITES_MAX 24u
#define SITE_TROUBLE_BYTES 200u

struct settings;

struct site {
    struct remote remote;
    struct target target;
    const struct dialect *dialect;
    struct secret secret;
    bool needs_key;
    bool is_foreign;                  /* its addresses come with requests: Web */
    bool key_is_new;                  /* since visits.c has looked */
    char trouble[SITE_TROUBLE_BYTES]; /* what is wrong with it; empty: nothing that is known */

    /* visits.c's own */
    enum dialogue_purpose next_visit;
    int64_t visit_at, retry_at;
    unsigned failures; /* in a row */
    bool visiting, listed;
    size_t tools_seen; /* how many its last list had */
};

struct sites {
    struct site list[SITES_MAX];
    size_t count;
    struct target_rule rule;
};

/* Make the sites of the settings.
 *
 * reason   one line on what to mend
 * returns  false: an address or name in the settings is none */
bool sites_read(struct sites *self, const struct settings *settings, struct imports *imports,
                char *reason, size_t reason_size);
void sites_fini(struct sites *self);

/* By its name; NULL: none. */
struct site *sites_find(struct sites *self, const char *name);

/* Look at its key.
 *
 * returns  false: it needs one and has none */
bool site_has_key(struct site *self, int64_t now_at);

#endif
