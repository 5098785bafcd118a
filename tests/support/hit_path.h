/* hit_path - a driver and a cache partition with the real session and server between them, on the
 * same clock, and no socket: what a hit costs is counted here, in allocations or instructions.
 *
 * Nothing here allocates once hit_path_warm() has returned, so that what does is the project's. */
#ifndef TESTS_SUPPORT_HIT_PATH_H
#define TESTS_SUPPORT_HIT_PATH_H

#include "protocol/message.h"

#define HIT_PATH_KEYS 200u

/* Started and greeted; each of the keys has been asked once, computed and kept. */
void hit_path_warm(void);

/* Ask for this key again; returns the reply's body, a message answer: valid until the next. */
struct bytes hit_path_ask(unsigned key);

/* The tool has run so often: once a key, unless a hit was none. */
unsigned hit_path_computed(void);

void hit_path_end(void);

#endif
