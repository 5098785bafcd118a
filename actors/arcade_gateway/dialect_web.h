/* dialect_web - Web_HTTPRequest and Web_URLHealth: addresses that come with a request.
 *
 * Off unless the settings say so. Which addresses may be reached is judged by the connector for
 * each connection (address.h), which headers may be set here. */
#ifndef ACTORS_ARCADE_GATEWAY_DIALECT_WEB_H
#define ACTORS_ARCADE_GATEWAY_DIALECT_WEB_H

#include "actors/arcade_gateway/dialogue.h"

#define WEB_DATA_BYTES_MAX 131072u /* of an answer's body; more is cut */
#define WEB_HEADERS_MAX 32u        /* that a caller may set */

extern const struct dialect dialect_web;

/* May a caller set a header of this name? Not those that frame a message or say who asks. */
bool web_header_is_allowed(struct bytes name);

#endif
