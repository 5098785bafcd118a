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

/* The same, to ask one broker about itself, and the same one again. */
enum exit_code connect_one(const struct invocation *invocation, struct fact **ret);

/* What a handle to this endpoint is opened with: account and keys, as the options say. */
struct fact_options connect_options(const struct invocation *invocation, const char *endpoint);

/* The exit code that goes with how a call ended.
 *
 * code  of the failure body; absent: none */
enum exit_code exit_code_of(enum status status, struct bytes code);

/* Ask the broker itself, within --timeout; a failure is said on stderr.
 *
 * command  QUERY or ADMIN
 * body     as messages.def has it; absent: {}
 * ret      as of fact_call(); valid until the next call of the handle
 * returns  OK; else as exit_code_of() */
enum exit_code connect_ask(const struct invocation *invocation, struct fact *handle,
                           enum command command, const char *method, struct bytes body,
                           struct fact_reply *ret);

#endif
