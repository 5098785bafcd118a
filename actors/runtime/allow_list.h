/* allow_list - which keys may connect, as whom, and what each is granted. Pure.
 *
 * A text with one line for each key; # begins a line that is none:
 *
 *     client    billing  KEY  tenants=acme,globex methods=SQL_*,query
 *     client    pager    KEY  classes=0,1,2,3
 *     worker    drivers  KEY  roles=driver
 *     operator  alice    KEY
 *
 * A client asks: roles=driver, classes=1,2,3, every tenant and method, if it does not say
 * otherwise. A worker serves the roles it names, and asks what its work needs. An operator asks
 * everything and gives orders; admin makes a client one that may, too. Several keys may have one
 * name: so one is changed for another. Owns  a copy of the text. source: docs/protocol.md, "Keys"
 */
#ifndef ACTORS_RUNTIME_ALLOW_LIST_H
#define ACTORS_RUNTIME_ALLOW_LIST_H

#include "protocol/curve_key.h"
#include "protocol/message.h" /* roles, classes */

#define ALLOW_REASON_BYTES 512u

enum key_kind { KEY_CLIENT, KEY_WORKER, KEY_OPERATOR, KEY_KIND_COUNT };

struct allowed {
    const char *key, *name; /* of CURVE_KEY_BYTES; 1 to NAME_BYTES_MAX bytes */
    enum key_kind kind;
    uint32_t roles;                /* bits: those a client asks; those a worker serves */
    uint32_t classes;              /* bits */
    const char *tenants, *methods; /* with commas, a * at an end stands for the rest; NULL: all */
    bool admin;                    /* orders, and what changes how the system works */
};

struct allow_list;

/* NULL: it is wrong somewhere.
 *
 * source  what the reason calls it
 * reason  ALLOW_REASON_BYTES; on NULL one line with the number of the line that is to be mended */
struct allow_list *allow_list_read(struct bytes text, const char *source, char *reason);
void allow_list_destroy(struct allow_list **self_p);

/* NULL: not allowed. ret borrows the list. key: as it is written */
const struct allowed *allow_list_find(const struct allow_list *self, struct bytes key);
uint32_t allow_list_count(const struct allow_list *self);
const struct allowed *allow_list_at(const struct allow_list *self, uint32_t index); /* by key */

/* Whether text is one of a list with commas. list: NULL, it is. */
bool allow_names(const char *list, struct bytes text);

const char *key_kind_name(enum key_kind kind);

/* Whether this is the key of a worker that serves the role. */
bool allowed_serves(const struct allowed *self, uint32_t role);

/* Whether another line for the same key lets it do what it was let in for. */
bool allowed_is_same(const struct allowed *self, const struct allowed *before);

#endif
