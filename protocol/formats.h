/* formats - the formats of texts that a schema may ask for: email, uri, date, date-time, ipv4,
 * ipv6, uuid. Pure. */
#ifndef PROTOCOL_FORMATS_H
#define PROTOCOL_FORMATS_H

#include "protocol/cursor.h"

/* True if the text has the format. */
typedef bool format_check(struct bytes text);

/* The check of a format; NULL: there is none of this name.
 *
 * source  RFC 5321 (email: a dot-string at a host name), RFC 3986 (uri: with its scheme), RFC 3339
 *         (date, date-time), RFC 4291 (ipv6: no zone), RFC 4122 (uuid) */
format_check *formats_find(struct bytes name);

#endif
