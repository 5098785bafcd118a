/* keys - what the settings of a process say of CURVE: whether its connections are encrypted, and
 * with which keys. */
#ifndef ACTORS_RUNTIME_KEYS_H
#define ACTORS_RUNTIME_KEYS_H

#include "actors/runtime/key_file.h"
#include "actors/runtime/settings.h"

struct keys {
    bool used; /* false: connections are plain, and all below is empty */
    struct curve_pair own;
    struct curve_servers servers; /* of the brokers; count 0: it connects to none */
    const char *allow_file;       /* borrowed from the settings; empty: it lets nobody in */
};

/* What a process does with its sockets. */
enum { KEYS_CONNECTS = 1, KEYS_LETS_IN = 2 };

/* Read the settings of this section, and the files that they name.
 *
 * does    bits: what it needs keys for
 * reason  KEY_FILE_REASON_BYTES; on false what to mend */
bool keys_read(const struct settings *settings, const char *section, unsigned does,
               struct keys *ret, char *reason);
void keys_wipe(struct keys *self);

#endif
