/* verb_local - the commands that need no broker: config, init, version, help. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "actors/cli/demo_data.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"
#include "actors/runtime/settings.h"

extern char **environ;

static bool is_json(const struct invocation *invocation)
{
    return invocation->options[CLI_OUTPUT].number == OUTPUT_JSON;
}

void verb_print_map(const struct invocation *invocation, struct document *document)
{
    if (is_json(invocation)) {
        json_print(document_value(document), invocation->out);
        fputc('\n', invocation->out);
    } else {
        table_print_pairs(document_value(document), invocation->out);
    }
    document_fini(document);
}

/* The file and the environment as every process would read them; NULL: see stderr. */
static struct settings *read_settings(const struct invocation *invocation, const char *path)
{
    char reason[SETTINGS_REASON_BYTES];
    struct settings *settings = settings_new();
    if ((path == NULL || settings_read_file(settings, path, reason)) &&
        settings_read_environment(settings, environ, reason))
        return settings;
    fprintf(invocation->err, "fact: %s\n", reason);
    settings_destroy(&settings);
    return NULL;
}

static const char *settings_path(const struct invocation *invocation)
{
    return invocation->argument_count > 0 ? invocation->arguments[0]
                                          : invocation->options[CLI_CONFIG].text;
}

enum exit_code verb_config_check(const struct invocation *invocation)
{
    const char *path = settings_path(invocation);
    struct document document;
    if (path == NULL) {
        fputs("fact: nothing to check: name a file, or give --config FILE\n", invocation->err);
        return CODE_USAGE;
    }
    struct settings *settings = read_settings(invocation, path);
    if (settings == NULL)
        return CODE_INVALID;
    unsigned from_file = 0, from_environment = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        from_file += settings_origin(settings, i) == ORIGIN_FILE;
        from_environment += settings_origin(settings, i) == ORIGIN_ENVIRONMENT;
    }
    document_init(&document);
    writer_map(&document.writer, 4);
    put_text(&document.writer, "file", bytes_of(path));
    put_bool(&document.writer, "valid", true);
    put_u64(&document.writer, "from_file", from_file);
    put_u64(&document.writer, "from_environment", from_environment);
    verb_print_map(invocation, &document);
    settings_destroy(&settings);
    return CODE_OK;
}

enum exit_code verb_config_show(const struct invocation *invocation)
{
    static const struct column columns[] = {{"SETTING", "setting", CELL_PLAIN},
                                            {"VALUE", "value", CELL_PLAIN},
                                            {"ORIGIN", "origin", CELL_PLAIN}};
    char name[128];
    struct document document;
    struct settings *settings = read_settings(invocation, settings_path(invocation));
    if (settings == NULL)
        return CODE_INVALID;
    document_init(&document);
    writer_array(&document.writer, OPTION_COUNT);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        snprintf(name, sizeof name, "%s.%s", options[i].section, options[i].key);
        writer_map(&document.writer, 4);
        put_text(&document.writer, "setting", bytes_of(name));
        put_text(&document.writer, "value", bytes_of(settings_value(settings, i)));
        put_text(&document.writer, "origin", bytes_of(origin_name(settings_origin(settings, i))));
        put_text(&document.writer, "doc", bytes_of(options[i].doc));
    }
    if (is_json(invocation)) {
        json_print(document_value(&document), invocation->out);
        fputc('\n', invocation->out);
    } else {
        table_print(document_value(&document), columns,
                    invocation->options[CLI_ORIGINS].given ? 3 : 2, invocation->out);
    }
    document_fini(&document);
    settings_destroy(&settings);
    return CODE_OK;
}

enum exit_code verb_init(const struct invocation *invocation)
{
    char path[4096], reason[512];
    struct document document;
    const char *directory = invocation->options[CLI_DIR].text;
    unsigned companies = (unsigned)invocation->options[CLI_COMPANIES].number;
    if (directory == NULL)
        directory = DEMO_DIRECTORY;
    snprintf(path, sizeof path, "%s/demo.sqlite", directory);
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        fprintf(invocation->err, "fact: %s: %s\n", directory, strerror(errno));
        return CODE_FAILED;
    }
    enum status status = demo_data_write(path, companies, reason, sizeof reason);
    if (status != STATUS_OK) {
        fprintf(invocation->err, "fact: %s\n", reason);
        return status == STATUS_BAD_REQUEST ? CODE_INVALID : CODE_FAILED;
    }
    document_init(&document);
    writer_map(&document.writer, 3);
    put_text(&document.writer, "database", bytes_of(path));
    put_u64(&document.writer, "companies", companies);
    put_u64(&document.writer, "financial_records", (uint64_t)companies * DEMO_QUARTERS);
    verb_print_map(invocation, &document);
    return CODE_OK;
}

enum exit_code verb_version(const struct invocation *invocation)
{
    char text[32];
    int major, minor, patch;
    struct document document;
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    document_init(&document);
    writer_map(&document.writer, 3);
    put_text(&document.writer, "version", bytes_of(FACT_VERSION));
    put_u64(&document.writer, "protocol", PROTOCOL_VERSION);
    put_text(&document.writer, "libzmq", bytes_of(text));
    verb_print_map(invocation, &document);
    return CODE_OK;
}

/* Of the words behind --help those that follow a command are its arguments, and no topic. */
enum exit_code verb_help(const struct invocation *invocation)
{
    unsigned count = invocation->argument_count;
    bool asked = invocation->options[CLI_HELP].given;
    while (!command_help(invocation->table, invocation->arguments, count, invocation->out)) {
        if (!asked || count == 1) {
            fprintf(invocation->err, "fact: no help on \"%s\"; topics: fact help\n",
                    invocation->arguments[0]);
            return CODE_USAGE;
        }
        count--;
    }
    return CODE_OK;
}
