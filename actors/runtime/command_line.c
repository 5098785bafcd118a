/* command_line - see command_line.h. Each flag becomes an assignment of a setting, so that there is
 * one syntax, one check and one origin. */
#include "actors/runtime/command_line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "actors/runtime/log.h"
#include "protocol/value.h"

#define ASSIGNMENT_BYTES 5120u /* a setting's name and the longest value */
#define COMMON_BROKERS_BYTES 4097u

/* What one walk over the arguments gathers. */
struct reading {
    const struct program *program;
    struct settings *settings;
    char brokers[COMMON_BROKERS_BYTES]; /* of all --broker, with commas */
    const char *config;                 /* NULL: no file */
    char reason[SETTINGS_REASON_BYTES];
};

static void print_help(const struct program *program)
{
    printf("%s - %s\n\nusage: %s [FLAG ...]\n\n", program->name, program->summary, program->name);
    for (const struct program_flag *flag = program->flags; flag != NULL && flag->name != NULL;
         flag++)
        printf("  %s %s\n", flag->name, flag->doc);
    if (program->has_brokers)
        puts("  --broker EP backend of a broker; repeat it for each");
    puts("  --config FILE settings, as YAML\n"
         "  --instance NAME of this process\n"
         "  --set SECTION.KEY=VALUE one setting\n"
         "  --log-level LEVEL error, warn, info or debug\n"
         "  --help\n"
         "  --version\n\n"
         "settings of this program (also FACT_<SECTION>_<KEY>):\n");
    for (size_t row = 0; row < OPTION_COUNT; row++)
        if (strcmp(options[row].section, "common") == 0 ||
            strcmp(options[row].section, program->section) == 0)
            printf("  %s.%s = %s\n      %s\n", options[row].section, options[row].key,
                   options[row].missing, options[row].doc);
}

static bool assign(struct reading *self, const char *setting, const char *value)
{
    char assignment[ASSIGNMENT_BYTES];
    int size = snprintf(assignment, sizeof assignment, "%s=%s", setting, value);
    if (size >= (int)sizeof assignment)
        return option_fail(self->reason, "%s: the value is too long", setting);
    return settings_read_flag(self->settings, assignment, self->reason);
}

/* The flag's value; of a list, behind what flags before it gave. */
static bool take_own(struct reading *self, const struct program_flag *flag, const char *value)
{
    char section[64], list[ASSIGNMENT_BYTES];
    size_t end = strcspn(flag->setting, ".");
    (void)snprintf(section, sizeof section, "%.*s", (int)end, flag->setting);
    size_t row = option_find(section, flag->setting + end + 1);
    if (!flag->is_list || settings_origin(self->settings, row) != ORIGIN_FLAG)
        return assign(self, flag->setting, value);
    int size = snprintf(list, sizeof list, "%s,%s", settings_value(self->settings, row), value);
    if (size >= (int)sizeof list)
        return option_fail(self->reason, "%s: too many", flag->name);
    return assign(self, flag->setting, list);
}

static bool assign_own(struct reading *self, const char *key, const char *value)
{
    char setting[128];
    (void)snprintf(setting, sizeof setting, "%s.%s", self->program->section, key);
    return assign(self, setting, value);
}

static bool take_config(struct reading *self, const char *value)
{
    self->config = value;
    return true;
}

static bool take_instance(struct reading *self, const char *value)
{
    return assign_own(self, "instance", value);
}

static bool take_set(struct reading *self, const char *value)
{
    return settings_read_flag(self->settings, value, self->reason);
}

static bool take_log_level(struct reading *self, const char *value)
{
    return assign(self, "common.log_level", value);
}

static bool take_broker(struct reading *self, const char *value)
{
    size_t used = strlen(self->brokers);
    if (!self->program->has_brokers)
        return option_fail(self->reason, "--broker: %s has none", self->program->name);
    if (used + 1 + strlen(value) >= sizeof self->brokers)
        return option_fail(self->reason, "--broker: too many");
    (void)snprintf(self->brokers + used, sizeof self->brokers - used, "%s%s", used > 0 ? "," : "",
                   value);
    return assign(self, "common.brokers", self->brokers);
}

static const struct {
    const char *name;
    bool (*take)(struct reading *self, const char *value);
} common_flags[] = {
    {"--config", take_config},       {"--instance", take_instance}, {"--set", take_set},
    {"--log-level", take_log_level}, {"--broker", take_broker},
};

/* True if argument is this flag; then value is what stands behind its "=", or NULL. */
static bool is_flag(const char *argument, const char *name, const char **value)
{
    size_t size = strlen(name);
    if (strncmp(argument, name, size) != 0 || (argument[size] != '\0' && argument[size] != '='))
        return false;
    *value = argument[size] == '=' ? argument + size + 1 : NULL;
    return true;
}

static const struct program_flag *find_own(const struct program *program, const char *argument,
                                           const char **value)
{
    for (const struct program_flag *flag = program->flags; flag != NULL && flag->name != NULL;
         flag++)
        if (is_flag(argument, flag->name, value))
            return flag;
    return NULL;
}

/* Take one flag, and its value from the next argument where it has none; returns how many were
 * taken, 0: it is wrong. */
static int take_flag(struct reading *self, const char *argument, const char *next)
{
    const char *value = NULL;
    const struct program_flag *own = find_own(self->program, argument, &value);
    size_t i = 0, count = sizeof common_flags / sizeof common_flags[0];
    if (own != NULL && own->value != NULL)
        return value == NULL ? assign(self, own->setting, own->value)
                             : option_fail(self->reason, "%s takes no value", own->name);
    while (own == NULL && i < count && !is_flag(argument, common_flags[i].name, &value))
        i++;
    if (own == NULL && i == count)
        return option_fail(self->reason, "unknown argument '%.64s'; try --help", argument);
    int taken = value != NULL ? 1 : 2;
    value = value != NULL ? value : next;
    if (value == NULL)
        return option_fail(self->reason, "%.64s needs a value", argument);
    bool good = own != NULL ? take_own(self, own, value) : common_flags[i].take(self, value);
    return good ? taken : 0;
}

static bool check_brokers(struct reading *self)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    size_t at = 0, count = 0;
    while (settings_next_broker(self->settings, &at, endpoint))
        count++;
    if (at > 0 && count > 0 && count <= BROKERS_MAX)
        return true;
    return option_fail(self->reason,
                       "common.brokers: '%.200s' is not 1 to %u endpoints with commas",
                       settings_text(self->settings, "common", "brokers"), BROKERS_MAX);
}

/* What was read as a whole. */
static bool check_settings(struct reading *self)
{
    enum log_level level;
    const char *name = settings_text(self->settings, "common", "log_level");
    if (!check_brokers(self))
        return false;
    if (!log_level_find(bytes_of(name), &level))
        return option_fail(self->reason, "common.log_level: '%s' is not error, warn, info or debug",
                           name);
    return true;
}

/* returns  what to exit with; not EX_OK: reason says why */
static int read_all(struct reading *self, int argc, char **argv, char *const *environment)
{
    int taken = 0;
    for (int i = 1; i < argc; i += taken) {
        taken = take_flag(self, argv[i], argv[i + 1]);
        if (taken == 0)
            return EX_USAGE;
    }
    bool good =
        self->config == NULL || settings_read_file(self->settings, self->config, self->reason);
    good = good && settings_read_environment(self->settings, environment, self->reason);
    return good && check_settings(self) ? EX_OK : EX_CONFIG;
}

bool command_line_read(const struct program *program, int argc, char **argv,
                       char *const *environment, struct settings *settings, int *ret_code)
{
    struct reading reading = {.program = program, .settings = settings};
    for (int i = 1; i < argc; i++) {
        *ret_code = EX_OK;
        if (strcmp(argv[i], "--help") == 0) {
            print_help(program);
            return false;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", program->name, FACT_VERSION);
            return false;
        }
    }
    int code = read_all(&reading, argc, argv, environment);
    if (code == EX_OK)
        return true;
    (void)fprintf(stderr, "%s: %s\n", program->name, reading.reason);
    *ret_code = code;
    return false;
}

bool command_line_reread(const struct program *program, int argc, char **argv,
                         char *const *environment, struct settings *settings, char *reason)
{
    struct reading reading = {.program = program, .settings = settings};
    if (read_all(&reading, argc, argv, environment) == EX_OK)
        return true;
    memcpy(reason, reading.reason, sizeof reading.reason);
    return false;
}

bool settings_next_broker(const struct settings *settings, size_t *at, char *ret)
{
    const char *all = settings_text(settings, "common", "brokers");
    assert(*at <= strlen(all) + 1);
    if (*at == strlen(all) + 1)
        return false;
    size_t size = strcspn(all + *at, ",");
    if (size == 0 || size >= ENDPOINT_BYTES_MAX) {
        *at = 0;
        return false;
    }
    memcpy(ret, all + *at, size);
    ret[size] = '\0';
    *at += size + 1;
    return true;
}
