/* curve_key - key pairs of CURVE as they stand in files, and their short names. Pure.
 *
 * A key is 32 bytes, written as 40 characters of Z85. The text of a file is that of czmq's
 * certificates, so that their tools and pyzmq's read ours:
 *
 *     # what it is, for people
 *     curve
 *         public-key = "..."
 *         secret-key = "..."      only in the file of its owner
 *
 * Never does: read a file, or make a key. source: ZeroMQ RFC 26 (CURVE), 32 (Z85) */
#ifndef PROTOCOL_CURVE_KEY_H
#define PROTOCOL_CURVE_KEY_H

#include "protocol/cursor.h"
#include "protocol/limits.h"

#define CURVE_KEY_BYTES 40u     /* as it is written ... */
#define CURVE_KEY_RAW_BYTES 32u /* ... and as it is */
#define CURVE_KEY_ID_BYTES 8u   /* of its short name */
#define CURVE_FILE_BYTES_MAX 4096u

struct curve_pair {
    char public_key[CURVE_KEY_BYTES + 1];
    char secret_key[CURVE_KEY_BYTES + 1]; /* empty: it is another's */
};

/* Public keys of a server: the one it has, and others that it may change to. */
struct curve_servers {
    char keys[CURVE_SERVER_KEYS_MAX][CURVE_KEY_BYTES + 1];
    uint32_t count;
};

/* Whether this is a key: 40 characters of Z85, each five of them a number of 32 bits. */
bool curve_key_is_sound(struct bytes text);

/* What people call a public key by: 8 hexadecimal digits of its hash.
 *
 * key  CURVE_KEY_BYTES; ret: CURVE_KEY_ID_BYTES + 1 */
void curve_key_id(const char *key, char *ret);

/* Read the text of a file. Both leave ret unwritten on false: it has no public key, a wrong one, or
 * more than there may be (of a pair 1, of servers CURVE_SERVER_KEYS_MAX). */
bool curve_pair_read(struct bytes text, struct curve_pair *ret);
bool curve_servers_read(struct bytes text, struct curve_servers *ret);

/* Write it; returns its size.
 *
 * comment  one line, without its #
 * secret   false: without the secret key
 * out      CURVE_FILE_BYTES_MAX */
size_t curve_pair_write(const struct curve_pair *self, const char *comment, bool secret, char *out);

/* Zero it, also where the compiler sees no use in that. */
void curve_pair_wipe(struct curve_pair *self);

#endif
