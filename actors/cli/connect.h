/* connect - a greeted handle for a command; and where that fails, why, step by step. */
#ifndef ACTORS_CLI_CONNECT_H
#define ACTORS_CLI_CONNECT_H

#include "actors/cli/command.h"
#include "actors/client/fact.h"

/* Connect and greet as the options say, within --timeout; a closed port is told at once.
 *
 * ret      a handle, to be destroyed; written only on OK
 * returns  OK; UNREACHABLE, REFUSED, USAGE: no endpoint; all diagnosed on stderr */
enum exit_code connect_open(const struct invocation *invocation, struct fact **ret);

/* The exit code that goes with how a call ended.
 *
 * code  of the failure body; absent: none */
enum exit_code exit_code_of(enum status status, struct bytes code);

#endif
