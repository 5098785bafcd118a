/* free_ports - TCP ports that nobody listens on now.
 *
 * Brokers that know each other must know each other's ports before the first one starts. Between
 * this look and their start another program may take one: then the broker says so and ends. */
#ifndef ACTORS_CLI_FREE_PORTS_H
#define ACTORS_CLI_FREE_PORTS_H

#include "actors/cli/demo_plan.h"

/* Give these brokers three free ports each.
 *
 * brokers  in: endpoints with port 0; out: with ports
 * returns  false with errno: no socket, or nothing can be bound there */
bool free_ports_find(struct demo_endpoints *brokers, unsigned count);

#endif
