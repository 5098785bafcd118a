/* reload - the settings of a running broker, read anew from where it had them: all or nothing.
 *
 * What is marked RELOAD in options.def counts from then on; of what is marked RESTART it is said
 * that it differs from what the process was started with. */
#ifndef BROKER_RELOAD_H
#define BROKER_RELOAD_H

#include "actors/runtime/command_line.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"
#include "broker/policy.h"
#include "protocol/message.h"

struct reload;

/* program, argv, environment: borrowed as long as it lives
 * started  what the process was started with; borrowed */
struct reload *reload_new(const struct program *program, int argc, char **argv,
                          char *const *environment, const struct settings *started);
void reload_destroy(struct reload **self_p);

/* Read them.
 *
 * dry_run   say what would change, and change nothing
 * ret       written on OK: what the broker is to do from now on
 * level     the same of the log
 * writer    gets a message reloaded on OK
 * reason    SETTINGS_REASON_BYTES; written on BAD_REQUEST
 * returns   OK; BAD_REQUEST: they are wrong, and everything stays as it was */
MUST_USE enum status reload_read(struct reload *self, bool dry_run, struct policy *ret,
                                 enum log_level *ret_level, struct writer *writer, char *reason);

/* Those that the last reading said to have changed, with commas; what does not fit is left out. */
const char *reload_names(const struct reload *self, enum option_reload reload);

void reload_measure(const struct reload *self, struct metrics *metrics);

#endif
