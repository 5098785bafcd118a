/* key_file - files with keys and allow lists: who may read and write them, and whether they have
 * changed. What stands in them is curve_key's and allow_list's.
 *
 * A reason is one line that says what to mend: KEY_FILE_REASON_BYTES, written only on failure. */
#ifndef ACTORS_RUNTIME_KEY_FILE_H
#define ACTORS_RUNTIME_KEY_FILE_H

#include "actors/runtime/allow_list.h"

#define KEY_FILE_REASON_BYTES 512u

/* The key pair of this process; nobody but its owner may have access to the file. */
bool key_file_read_pair(const char *path, struct curve_pair *ret, char *reason);

/* The public keys of those it connects to; nobody but the owner may write the file. */
bool key_file_read_servers(const char *path, struct curve_servers *ret, char *reason);

/* An allow list, on the same terms. NULL: with the reason. */
struct allow_list *key_file_read_allowed(const char *path, char *reason);

/* What a file looked like when it was last looked at. */
struct file_stamp {
    int64_t written_ns, changed_ns; /* its bytes; its owner, its mode, or its bytes */
    int64_t inode, size;
};

/* Look again; true: it is another one, or has changed, or is gone. */
bool file_stamp_changed(struct file_stamp *self, const char *path);

#endif
