/* command_line - how every process of ours is started: its settings from file, environment and
 * flags, and one line that says what to mend if they are wrong.
 *
 *   --broker EP (repeatable)  --config FILE  --instance NAME  --set section.key=value
 *   --log-level L  --help  --version   and the program's own
 *
 * A flag's value follows it, or stands behind "=". */
#ifndef ACTORS_RUNTIME_COMMAND_LINE_H
#define ACTORS_RUNTIME_COMMAND_LINE_H

#include "actors/runtime/settings.h"

/* A flag of the program's own: a short way to write a setting. */
struct program_flag {
    const char *name;    /* --frontend */
    const char *setting; /* broker.frontend */
    const char *value;   /* what it sets; NULL: it takes one, shown as doc's first word */
    const char *doc;     /* "EP where those who ask connect" */
    bool is_list;        /* it may be repeated: the setting gets its values with commas */
};

struct program {
    const char *name;                 /* fact-broker */
    const char *section;              /* its own, which has a row instance: broker */
    const char *summary;              /* one line */
    const struct program_flag *flags; /* the last has no name; NULL: none */
    bool has_brokers;                 /* takes --broker */
};

/* Read everything into settings. Prints help and version to stdout, a fault to stderr.
 *
 * environment  as environ
 * ret_code     what to exit with; written on false only
 * returns      false: the process ends here */
bool command_line_read(const struct program *program, int argc, char **argv,
                       char *const *environment, struct settings *settings, int *ret_code);

/* The same later on, for a process that runs: nothing is printed.
 *
 * reason   SETTINGS_REASON_BYTES; written on false */
bool command_line_reread(const struct program *program, int argc, char **argv,
                         char *const *environment, struct settings *settings, char *reason);

/* The endpoints of common.brokers, one by one: start with at = 0; false: no more, or one that is
 * longer than ENDPOINT_BYTES_MAX - 1, or empty: then *at is 0.
 *
 * ret  ENDPOINT_BYTES_MAX bytes */
bool settings_next_broker(const struct settings *settings, size_t *at, char *ret);

#endif
