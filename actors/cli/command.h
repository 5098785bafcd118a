/* command - one table of commands and options, and what it generates: parser, help, suggestions.
 *
 * A command's name is one or two words. Options may stand before and behind it; flag, then
 * environment, then default decides. Parsing opens nothing and prints nothing.
 * See also commands.c, where the table stands. */
#ifndef ACTORS_CLI_COMMAND_H
#define ACTORS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How every command ends. */
enum exit_code {
    CODE_OK,
    CODE_FAILED,      /* it was tried, and failed */
    CODE_INVALID,     /* what was given is invalid; or what there is, is degraded */
    CODE_USAGE,       /* the command line is wrong */
    CODE_UNREACHABLE, /* nobody answers, or too late */
    CODE_REFUSED      /* it was understood, and not done */
};

enum cli_option {
    CLI_ENDPOINT,
    CLI_OUTPUT,
    CLI_TIMEOUT,
    CLI_TENANT,
    CLI_USER,
    CLI_CLASS,
    CLI_CONFIG,
    CLI_KEY,
    CLI_SERVER_KEY,
    CLI_QUIET,
    CLI_HELP,
    CLI_GLOBAL_COUNT, /* those above go with every command, those below are a command's own */
    CLI_NO_CACHE = CLI_GLOBAL_COUNT,
    CLI_REFRESH,
    CLI_HEDGE,
    CLI_CACHED,
    CLI_IDEMPOTENT,
    CLI_STREAM,
    CLI_COUNT, /* --count */
    CLI_ORIGINS,
    CLI_DIR,
    CLI_COMPANIES,
    CLI_DB,
    CLI_ACTORS,
    CLI_WATCH,
    CLI_SORT,
    CLI_ONCE,
    CLI_INTERVAL,
    CLI_FOLLOW,
    CLI_FROM,
    CLI_TOPIC,
    CLI_BURST,
    CLI_MODE,
    CLI_ROLE,
    CLI_DEADLINE,
    CLI_MONITOR,
    CLI_DRY_RUN,
    CLI_NAME,
    CLI_OPTION_COUNT
};

enum value_type {
    VALUE_SWITCH,   /* takes no value */
    VALUE_TEXT,     /* range: bytes */
    VALUE_DURATION, /* number with ms, s, m or h; in milliseconds */
    VALUE_NUMBER,   /* range: least and most */
    VALUE_CHOICE    /* one of its words; its index from 0 */
};

enum output { OUTPUT_TABLE, OUTPUT_JSON }; /* the choices of CLI_OUTPUT */

struct cli_option_row {
    const char *name; /* without its dashes */
    char letter;      /* 0: none */
    enum value_type type;
    const char *value;       /* what help calls it; CHOICE: the words, with | */
    const char *missing;     /* its default; NULL: none */
    const char *environment; /* NULL: none */
    int64_t least, most;
    const char *doc;
};

#define COMMAND_OPTIONS_MAX 6u
#define ARGUMENTS_GIVEN_MAX 64u
#define COMMAND_REASON_BYTES 256u

struct invocation;

struct verb {
    const char *name;      /* "tools list" */
    const char *arguments; /* as help shows them */
    unsigned arguments_min, arguments_max;
    enum cli_option options[COMMAND_OPTIONS_MAX]; /* its own; a global one, 0, ends them */
    const char *summary;                          /* one line */
    const char *details;                          /* more lines, with examples; NULL: none */
    enum exit_code (*run)(const struct invocation *invocation);
};

struct command_table {
    const struct verb *verbs;
    size_t verb_count;
    const struct cli_option_row *options; /* CLI_OPTION_COUNT */
};

/* A command line that has been understood. */
struct invocation {
    const struct command_table *table;
    const struct verb *verb;
    struct {
        bool given;       /* by flag or environment */
        const char *text; /* NULL: not given, and no default */
        int64_t number;   /* SWITCH: 0 or 1; DURATION: ms */
    } options[CLI_OPTION_COUNT];
    const char *arguments[ARGUMENTS_GIVEN_MAX];
    unsigned argument_count;
    FILE *in, *out, *err;
};

/* Understand a command line.
 *
 * argv         without the program; borrowed as long as ret is used
 * environment  as getenv()
 * ret          in, out and err are left alone
 * reason       COMMAND_REASON_BYTES; on failure one line on what is wrong, with a suggestion where
 * one is near returns      OK, USAGE. --help anywhere makes it the command help with the words as
 * arguments */
enum exit_code command_parse(const struct command_table *table, int argc, char *const *argv,
                             char *(*environment)(const char *name), struct invocation *ret,
                             char *reason);

/* Help on a topic: a command, or the first word of several; none: on all.
 *
 * returns  false: there is no such topic, and nothing was printed */
bool command_help(const struct command_table *table, const char *const *words, unsigned count,
                  FILE *out);

/* Read a duration as in 250ms, 5s, 2m or 1h.
 *
 * returns  false: it is none, or over 24 h */
bool duration_parse(const char *text, int64_t *ret_ms);

/* The one of these words that text was most likely meant to be; NULL: none is near.
 * source: the distance of Damerau and Levenshtein, restricted to adjacent transpositions */
const char *suggestion(const char *text, const char *const *words, size_t count);

#endif
