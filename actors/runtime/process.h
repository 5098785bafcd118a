/* process - a role as a program: settings, sockets, clock, signals, the bounded turn, and the end.
 *
 * It links to every broker as a worker, asks through the first that is up, links to the cache
 * partitions where the role asks them, lets others in where the role does, and runs blocking work
 * on job threads. Told to stop (SIGTERM, SIGINT) it takes no more, finishes what it holds within
 * common.drain_ms or until it is told again, and ends with 0. Nothing blocks but the poll. */
#ifndef ACTORS_RUNTIME_PROCESS_H
#define ACTORS_RUNTIME_PROCESS_H

#include "actors/runtime/actor.h"

/* The whole main() of a role. Returns what to exit with, as in sysexits. */
int process_run(const struct actor_spec *spec, int argc, char **argv);

#endif
