/* reload - see reload.h. */
#include "broker/reload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_BYTES 512u /* of a line of the log; what does not fit is left out */

struct reload {
    const struct program *program;
    int argc;
    char **argv;
    char *const *environment;
    const struct settings *started;
    struct settings *current; /* what counts of RELOAD rows; NULL: as it was started */
    bool failed;
    time_t read_at;             /* on the clock of the wall; of the last that was no dry run */
    char names[2][NAMES_BYTES]; /* by enum option_reload */
};

struct reload *reload_new(const struct program *program, int argc, char **argv,
                          char *const *environment, const struct settings *started)
{
    struct reload *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->program = program;
    self->argc = argc;
    self->argv = argv;
    self->environment = environment;
    self->started = started;
    self->read_at = time(NULL);
    return self;
}

void reload_destroy(struct reload **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        settings_destroy(&(*self_p)->current);
    free(*self_p);
    *self_p = NULL;
}

/* Is it a setting of this process, and another than it was? */
static bool has_changed(const struct reload *self, const struct settings *fresh, size_t row,
                        enum option_reload reload)
{
    const struct option *option = &options[row];
    const struct settings *before = self->started;
    if (option->reload != reload || (strcmp(option->section, "common") != 0 &&
                                     strcmp(option->section, self->program->section) != 0))
        return false;
    if (reload == OPTION_RELOAD && self->current != NULL)
        before = self->current;
    return strcmp(settings_value(before, row), settings_value(fresh, row)) != 0;
}

/* The names of those rows, section.key: of a value nothing is said. */
static void write_changed(struct reload *self, const struct settings *fresh,
                          enum option_reload reload, struct writer *writer)
{
    char name[128], *names = self->names[reload];
    size_t count = 0, used = 0;
    names[0] = '\0';
    for (size_t row = 0; row < OPTION_COUNT; row++)
        count += has_changed(self, fresh, row, reload);
    writer_array(writer, count);
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        if (!has_changed(self, fresh, row, reload))
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", options[row].section, options[row].key);
        writer_cstr(writer, name);
        if (used + strlen(name) + 2 < NAMES_BYTES)
            used += (size_t)snprintf(names + used, NAMES_BYTES - used, "%s%s", used > 0 ? "," : "",
                                     name);
    }
}

static bool read_all(const struct reload *self, struct settings *fresh, struct policy *ret,
                     enum log_level *ret_level, char *reason)
{
    if (!command_line_reread(self->program, self->argc, self->argv, self->environment, fresh,
                             reason) ||
        !policy_read(fresh, ret, reason))
        return false;
    bool known = log_level_find(bytes_of(settings_text(fresh, "common", "log_level")), ret_level);
    assert(known); /* command_line checks it */
    return true;
}

enum status reload_read(struct reload *self, bool dry_run, struct policy *ret,
                        enum log_level *ret_level, struct writer *writer, char *reason)
{
    struct settings *fresh = settings_new();
    bool good = read_all(self, fresh, ret, ret_level, reason);
    if (!dry_run) {
        self->failed = !good;
        self->read_at = time(NULL);
    }
    if (!good) {
        settings_destroy(&fresh);
        return STATUS_BAD_REQUEST;
    }
    writer_map(writer, 2);
    writer_cstr(writer, "changed");
    write_changed(self, fresh, OPTION_RELOAD, writer);
    writer_cstr(writer, "restart");
    write_changed(self, fresh, OPTION_RESTART, writer);
    if (dry_run) {
        settings_destroy(&fresh);
        return STATUS_OK;
    }
    settings_destroy(&self->current);
    self->current = fresh;
    return STATUS_OK;
}

const char *reload_names(const struct reload *self, enum option_reload reload)
{
    return self->names[reload];
}

void reload_measure(const struct reload *self, struct metrics *metrics)
{
    metrics_set(metrics, METRIC_CONFIG_LAST_RELOAD_SUCCESS, NO_LABELS, !self->failed);
    metrics_set(metrics, METRIC_CONFIG_LAST_RELOAD_TIMESTAMP_SECONDS, NO_LABELS,
                (double)self->read_at);
}
