/* watch - do something again and again, until the person at the terminal has seen enough.
 *
 * Owns  SIGINT and SIGTERM while it is open: they end the watching, not the program in the middle
 *       of a line. The handle is worked meanwhile, so the connection lives. */
#ifndef ACTORS_CLI_WATCH_H
#define ACTORS_CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "actors/client/fact.h"

struct watch {
    int signals; /* a descriptor of both */
};

void watch_open(struct watch *self);
void watch_close(struct watch *self);

int64_t watch_now_at(void);

/* Wait so long.
 *
 * returns  false: it was interrupted */
bool watch_wait(struct watch *self, struct fact *handle, int64_t wait_ms);

/* Begin a new picture in the place of the last one; to what is no terminal, below it. */
void watch_clear(FILE *out);

#endif
