/* seal - what is kept of an answer, closed so that a hit copies it and does not read it.
 *
 * The last field of a message kept says where the parts of an answer are in it, and what all bytes
 * before hash to. Whoever finds the hash right knows that a driver wrote them, and that nothing was
 * damaged since: what that driver has checked is not checked again. Marks are looked at all the
 * same: what lies in a cache may be anybody's. See docs/decisions/0135. Pure. */
#ifndef ACTORS_DRIVER_SEAL_H
#define ACTORS_DRIVER_SEAL_H

#include "protocol/message.h"

#define SEAL_BYTES 24u

/* Parts of an answer as it is sent; views of what was opened. */
struct sealed {
    struct bytes said;    /* value and, if there is one, text: with their keys. NULL: not opened */
    unsigned said_pairs;  /* 1 or 2 */
    struct bytes sources; /* an array; none of them says cache */
    struct bytes as_of;   /* with its key */
};

/* Close a message kept, which was encoded just now with SEAL_BYTES of anything in its field seal.
 */
void seal_close(char *kept, size_t size);

/* Open one; false: it has no seal, or not this one. */
bool seal_open(struct bytes kept, struct sealed *ret);

#endif
