/* dialect_arcade - tools of Arcade, by its REST API.
 *
 * A tool that needs the user's leave at a third party is authorized before it runs. Where that
 * leave is missing, the caller learns the address that the user has to open; who asked with STREAM
 * gets it as a part of the answer, and the call waits until the user has decided. Nobody else ever
 * sees the address.
 *
 * Our tenant and user together are Arcade's user: two tenants never share one.
 * source: docs.arcade.dev, API reference; docs/gateway.md, "Arcade" */
#ifndef ACTORS_ARCADE_GATEWAY_DIALECT_ARCADE_H
#define ACTORS_ARCADE_GATEWAY_DIALECT_ARCADE_H

#include "actors/arcade_gateway/dialogue.h"

#define ARCADE_TOOLKITS_BYTES_MAX 1024u /* of the setting, with its end */

/* Memory of the remote side; zeroed: all toolkits. */
struct arcade_server {
    char toolkits[ARCADE_TOOLKITS_BYTES_MAX]; /* only these are offered; blanks or commas between */
};

extern const struct dialect dialect_arcade;

#endif
