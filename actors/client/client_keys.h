/* client_keys - the files with the keys that a connection of libfact is made with. */
#ifndef ACTORS_CLIENT_CLIENT_KEYS_H
#define ACTORS_CLIENT_CLIENT_KEYS_H

#include "protocol/curve_key.h"

struct client_keys {
    bool used; /* false: connections are plain */
    struct curve_pair own;
    struct curve_servers servers; /* the keys that the broker may have */
};

/* Read both files. Without either connections are plain.
 *
 * key_file     the pair of this client; nobody but its owner may have access to it
 * server_file  the public key of the broker, or several that are tried in turn; nobody but its
 *              owner may write it
 * returns      false with errno: EINVAL, only one of the two, or what they hold is none; EACCES,
 *              others may read the pair, or write the other file; else as of open() */
bool client_keys_read(const char *key_file, const char *server_file, struct client_keys *ret);
void client_keys_wipe(struct client_keys *self);

#endif
