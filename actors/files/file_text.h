/* file_text - a small file that is believed, as a text: a key, an allow list. */
#ifndef ACTORS_FILES_FILE_TEXT_H
#define ACTORS_FILES_FILE_TEXT_H

#include "protocol/cursor.h"

/* What others than the owner may not be able to do with it: bits of its mode. */
enum { FILE_TEXT_ANY = 0, FILE_TEXT_OWNERS_WRITE = 022, FILE_TEXT_SECRET = 077 };

/* Read a whole file.
 *
 * forbidden  one of the above
 * room       its bytes; it holds the text also when that was refused: wipe it after a secret
 * returns    false with errno: EPERM, others may do what is forbidden; EISDIR, it is no file;
 *            EFBIG, it is longer than room_bytes; else as of open() and read() */
bool file_text_read(const char *path, unsigned forbidden, char *room, size_t room_bytes,
                    struct bytes *ret);

#endif
