/* settings - what an operator may change: rows of options.def, and where each value came from.
 *
 * Sources: a row's default, fact.yaml, the environment, flags; the later in this list wins, in
 * whatever order they are read. A value that breaks its row is refused with one line that says what
 * to mend, and what was there stays. Values are valid until the next change.
 * Never does: print, exit. */
#ifndef ACTORS_RUNTIME_SETTINGS_H
#define ACTORS_RUNTIME_SETTINGS_H

#include "actors/runtime/options.h"

#define SETTINGS_FILE_BYTES_MAX 65536u
#define SETTINGS_REASON_BYTES OPTION_REASON_BYTES

enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

struct settings;

struct settings *settings_new(void); /* all defaults */
void settings_destroy(struct settings **self);

/* Each reads one source. reason: SETTINGS_REASON_BYTES, written only on false.
 *
 * path         of a YAML file: at most SETTINGS_FILE_BYTES_MAX bytes, without aliases
 * environment  as environ; FACT_<SECTION>_<KEY>=value; other names are not ours
 * assignment   section.key=value, of a flag */
bool settings_read_file(struct settings *self, const char *path, char *reason);
bool settings_read_environment(struct settings *self, char *const *environment, char *reason);
bool settings_read_flag(struct settings *self, const char *assignment, char *reason);

/* The same for YAML in memory.
 *
 * name  of the source, for reasons */
bool settings_read_yaml(struct settings *self, const char *name, struct bytes text, char *reason);

/* What counts now. A row of this section, key and type must exist; u64 is for U64, MS and BYTES. */
const char *settings_text(const struct settings *self, const char *section, const char *key);
uint64_t settings_u64(const struct settings *self, const char *section, const char *key);
bool settings_bool(const struct settings *self, const char *section, const char *key);

/* The same by row, for whoever walks them; the value as it was written. */
const char *settings_value(const struct settings *self, size_t row);
enum origin settings_origin(const struct settings *self, size_t row);
const char *origin_name(enum origin origin);

#endif
