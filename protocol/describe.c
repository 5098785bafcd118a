/* describe - prints docs/reference.md, in which each row of the protocol is a line.
 *
 *   describe               the reference
 *   describe --seeds DIR   writes bodies of each message into DIR, to begin fuzzing with */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SEED_BYTES_MAX 65536u
#define EX_USAGE 64
#define EX_CANTCREAT 73

static const struct {
    const char *name;
    unsigned value;
    const char *layout, *answer, *doc;
} command_rows[] = {
#define COMMAND(NAME, value, LAYOUT, ANSWER, doc) {#NAME, value, #LAYOUT, #ANSWER, doc},
#include "protocol/messages.def"
};

static const struct {
    const char *name;
    unsigned value;
    const char *doc;
} flag_rows[] = {
#define FLAG(NAME, value, doc) {#NAME, value, doc},
#include "protocol/messages.def"
};

static const struct {
    const char *name;
    unsigned value;
    const char *executed, *retry, *doc;
} status_rows[] = {
#define STATUS(NAME, value, EXECUTED, RETRY, text) {#NAME, value, #EXECUTED, #RETRY, text},
#include "protocol/errors.def"
};

static const struct {
    const char *section, *key, *type, *standard;
    unsigned long long min, max;
    const char *reload, *doc;
} option_rows[] = {
#define OPTION(section, key, TYPE, default, min, max, RELOAD, doc)                                 \
    {#section, #key, #TYPE, default, min, max, #RELOAD, doc},
#include "protocol/options.def"
};

static const struct {
    const char *name, *kind, *unit, *labels, *doc;
} metric_rows[] = {
#define METRIC(name, NAME, KIND, UNIT, labels, doc) {#name, #KIND, #UNIT, labels, doc},
#include "protocol/metrics.def"
};

static const struct {
    const char *name, *level, *doc;
} log_rows[] = {
#define LOG_EVENT(name, NAME, LEVEL, doc) {#name, #LEVEL, doc},
#include "protocol/log_events.def"
};

/* The bounds that somebody outside meets. */
static const struct {
    const char *name;
    unsigned long long value;
    const char *doc;
} limit_rows[] = {
#define LIMIT(NAME, doc)                                                                           \
    {                                                                                              \
#NAME, (NAME), (doc)                                                                       \
    }
    LIMIT(HEADER_BYTES_MAX, "A header."),
    LIMIT(EXTENSION_BYTES_MAX, "Its extension."),
    LIMIT(METHOD_BYTES_MAX, "A method, and so the name of a tool."),
    LIMIT(NAME_BYTES_MAX, "A tenant, a user, an instance."),
    LIMIT(MESSAGE_BYTES_MAX, "A message of several pairs."),
    LIMIT(MESSAGE_PAIRS_MAX, "Its pairs."),
    LIMIT(ALONE_BYTES_MIN, "A body from here on travels alone."),
    LIMIT(PAIR_BODY_BYTES_MAX, "The body of a lone pair."),
    LIMIT(FRAME_BYTES_MAX, "Above, the connection is cut."),
    LIMIT(BODY_TOTAL_BYTES_MAX, "A body in all its parts."),
    LIMIT(BODY_NESTING_MAX, "Containers inside each other, in any body."),
    LIMIT(STRIKES_MAX, "Faults of one peer within ten seconds: DISCONNECT."),
    LIMIT(QUEUE_DEPTH_MAX, "Requests that wait for one role."),
    LIMIT(WORKER_CREDIT_MAX, "Requests one worker may hold."),
    LIMIT(DEATHS_MAX, "Workers that may be lost with one request: POISON."),
    LIMIT(ARGUMENTS_MAX, "Arguments of a call."),
    LIMIT(ARGUMENT_TEXT_MAX, "Characters of a text in them."),
    LIMIT(ARGUMENT_ITEMS_MAX, "Items of an array in them."),
    LIMIT(ARGUMENT_PROPERTIES_MAX, "Members of a map in them."),
    LIMIT(ARGUMENT_NESTING_MAX, "Containers inside each other in them, the arguments being 1."),
    LIMIT(ARGUMENTS_BYTES_MAX, "Their bytes."),
    LIMIT(DEFINITION_NESTING_MAX, "Containers inside each other in a definition."),
    LIMIT(PATTERN_BYTES_MAX, "A pattern of a schema."),
    LIMIT(QUESTION_CHARACTERS_MAX, "Characters of a question."),
    LIMIT(RESULT_BYTES_MAX, "A tool's data."),
    LIMIT(KEY_BYTES_MAX, "A cache key."),
    LIMIT(NAMESPACE_BYTES_MAX, "A namespace of the cache."),
    LIMIT(VALUE_BYTES_MAX, "A cached value."),
    LIMIT(TAGS_MAX, "Tags that an entry declares."),
    LIMIT(TAGS_BATCH_MAX, "Tags of one INVALIDATE."),
    LIMIT(MGET_KEYS_MAX, "Keys of one mget."),
    LIMIT(VIEW_MEMBERS_MAX, "Cache partitions."),
};

/* Text of a cell, in lower case if it is a constant's name. */
static void print_cell(const char *text, bool lower)
{
    (void)fputs(" ", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '|')
            (void)fputc('\\', stdout);
        (void)fputc(lower && *text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A') : *text, stdout);
    }
    (void)fputs(" |", stdout);
}

static void print_text(const char *text)
{
    print_cell(text, false);
}

static void print_word(const char *text)
{
    print_cell(text, true);
}

static void print_number(unsigned long long number)
{
    (void)printf(" %llu |", number);
}

/* A heading, what stands below it, and the head of a table: names of columns with bars. */
static void print_table(const char *heading, const char *text, const char *columns)
{
    (void)printf("\n## %s\n\n%s\n\n| %s |\n|", heading, text, columns);
    for (const char *at = columns; at != NULL; at = strchr(at + 1, '|'))
        (void)fputs("---|", stdout);
    (void)fputs("\n", stdout);
}

static void begin_row(void)
{
    (void)fputs("|", stdout);
}

static void end_row(void)
{
    (void)fputs("\n", stdout);
}

static void print_commands(void)
{
    print_table("Commands", "Field 1 of a header; the layout is that of its other fields.",
                "command | value | layout | answered by | meaning");
    for (size_t i = 0; i < COUNT_OF(command_rows); i++) {
        bool answered = strcmp(command_rows[i].answer, "NONE") != 0;
        begin_row();
        print_text(command_rows[i].name);
        print_number(command_rows[i].value);
        print_word(command_rows[i].layout);
        print_text(answered ? command_rows[i].answer : "");
        print_text(command_rows[i].doc);
        end_row();
    }
    print_table("Flags", "Field 2 of a header, added up.", "flag | value | meaning");
    for (size_t i = 0; i < COUNT_OF(flag_rows); i++) {
        begin_row();
        print_text(flag_rows[i].name);
        print_number(flag_rows[i].value);
        print_text(flag_rows[i].doc);
        end_row();
    }
}

static void print_statuses(void)
{
    print_table("Statuses",
                "Field 4 of a reply. Executed: how far the request came. Retry: never; after "
                "retry_after_ms;\nelsewhere, at another broker, now; caller, who knows whether "
                "twice does harm.",
                "status | value | executed | retry | meaning");
    for (size_t i = 0; i < COUNT_OF(status_rows); i++) {
        begin_row();
        print_text(status_rows[i].name);
        print_number(status_rows[i].value);
        print_word(status_rows[i].executed);
        print_word(status_rows[i].retry);
        print_text(status_rows[i].doc);
        end_row();
    }
}

static void print_limits(void)
{
    print_table("Limits", "Bytes, where nothing else is said.", "limit | value | of");
    for (size_t i = 0; i < COUNT_OF(limit_rows); i++) {
        begin_row();
        print_text(limit_rows[i].name);
        print_number(limit_rows[i].value);
        print_text(limit_rows[i].doc);
        end_row();
    }
}

static const char *name_of(enum message_id id)
{
    return id == MSG_NONE ? "" : messages[id].name;
}

static void print_methods(void)
{
    print_table("Methods",
                "What roles serve, beside the tools: role and method of a REQUEST, the message "
                "of its body, and\nthat of an OK reply.",
                "role | method | body | answer | meaning");
    for (unsigned id = 0; id < MESSAGE_ID_MAX; id++) {
        const struct message *message = &messages[id];
        if (message->name == NULL || message->role == ROLE_NONE)
            continue;
        begin_row();
        print_text(message->role == ROLE_NONE ? "" : role_names[message->role]);
        print_text(message->method);
        print_text(message->name);
        print_text(name_of(message->answer));
        print_text(message->doc);
        end_row();
    }
}

static void print_field(const struct field *field)
{
    static const char *const types[] = {
        [TYPE_U64] = "unsigned", [TYPE_I64] = "integer", [TYPE_F64] = "number",
        [TYPE_BOOL] = "boolean", [TYPE_TEXT] = "text",   [TYPE_BLOB] = "bytes",
        [TYPE_VALUE] = "value"};
    char type[64], bound[32] = "", missing[32] = "";
    bool number = field->type < TYPE_TEXT;
    (void)snprintf(type, sizeof type, "%s%s", field->element == NULL ? "" : "list of ",
                   field->element == NULL ? types[field->type] : field->element);
    if (!number)
        (void)snprintf(bound, sizeof bound, "%zu", field->bytes_max);
    if (field->missing == REQUIRED)
        (void)snprintf(missing, sizeof missing, "required");
    else if (field->type == TYPE_BOOL)
        (void)snprintf(missing, sizeof missing, "%s", field->missing != 0 ? "true" : "false");
    else if (number)
        (void)snprintf(missing, sizeof missing, "%lld", (long long)field->missing);
    begin_row();
    print_text(field->name);
    print_text(type);
    print_text(bound);
    print_text(missing);
    print_text(field->doc);
    end_row();
}

static void print_bodies(void)
{
    (void)puts("\n## Bodies\n\n"
               "Each is a MessagePack map, one key a field; unknown keys are passed over. At most: "
               "bytes, of a list\nits elements. The number in brackets is the message's own, which "
               "recordings use.");
    for (unsigned id = 0; id < MESSAGE_ID_MAX; id++) {
        const struct message *message = &messages[id];
        if (message->name == NULL)
            continue;
        (void)printf("\n### %s (%u)\n\n%s\n\n| field | type | at most | absent | meaning |\n"
                     "|---|---|---|---|---|\n",
                     message->name, id, message->doc);
        for (size_t i = 0; i < message->field_count; i++)
            print_field(&message->fields[i]);
    }
}

static void print_settings(void)
{
    print_table(
        "Settings",
        "In fact.yaml `section:` and below it `key: value`; in the environment "
        "`FACT_<SECTION>_<KEY>`; on a\ncommand line `--set section.key=value`. Ms: a "
        "duration (250, 250ms, 5s, 2m, 1h). Bytes: a size (4096,\n64KiB, 256MiB, 1GiB). "
        "Of a text the range is that of its bytes. Reload: a changed value counts at\nonce; "
        "restart: from the next start on.",
        "section | key | type | default | range | counts from | meaning");
    for (size_t i = 0; i < COUNT_OF(option_rows); i++) {
        begin_row();
        print_text(option_rows[i].section);
        print_text(option_rows[i].key);
        print_word(option_rows[i].type);
        print_text(option_rows[i].standard);
        (void)printf(" %llu to %llu |", option_rows[i].min, option_rows[i].max);
        print_word(option_rows[i].reload);
        print_text(option_rows[i].doc);
        end_row();
    }
}

/* As it is exposed: fact_ before it, unless it is one that every process of the world has. */
static void print_metric_name(const char *name)
{
    bool common = strncmp(name, "process_", strlen("process_")) == 0;
    (void)printf(" %s%s |", common ? "" : "fact_", name);
}

static void print_metrics(void)
{
    print_table("Metrics", "What is exposed, and by which labels.",
                "metric | kind | unit | labels | meaning");
    for (size_t i = 0; i < COUNT_OF(metric_rows); i++) {
        bool unit = strcmp(metric_rows[i].unit, "NONE") != 0;
        begin_row();
        print_metric_name(metric_rows[i].name);
        print_word(metric_rows[i].kind);
        print_word(unit ? metric_rows[i].unit : "");
        print_text(metric_rows[i].labels);
        print_text(metric_rows[i].doc);
        end_row();
    }
}

static void print_log_events(void)
{
    print_table("Log events", "The member `event` of a line of the log.",
                "event | level | meaning");
    for (size_t i = 0; i < COUNT_OF(log_rows); i++) {
        begin_row();
        print_text(log_rows[i].name);
        print_word(log_rows[i].level);
        print_text(log_rows[i].doc);
        end_row();
    }
}

static void print_reference(void)
{
    (void)puts("# Reference\n\n"
               "Printed by `describe` from the rows in `protocol/*.def`: change those, then\n"
               "`build/bin/describe > docs/reference.md`. A test compares.");
    print_commands();
    print_statuses();
    print_limits();
    print_methods();
    print_bodies();
    print_settings();
    print_metrics();
    print_log_events();
}

/* A body to begin fuzzing with: with every field, or only with what is required. */
static void write_seed(enum message_id id, bool full, struct writer *writer);

static enum message_id id_of(const char *name)
{
    int id = 0;
    while (messages[id].name == NULL || strcmp(messages[id].name, name) != 0) {
        id++;
        assert(id < MESSAGE_ID_MAX);
    }
    return (enum message_id)id;
}

/* Some value of a field. Bytes: 16 in a blob, as long as uuids and sessions are. */
static void write_seed_field(const struct field *field, bool full, struct writer *writer)
{
    writer_cstr(writer, field->name);
    if (field->element != NULL) {
        writer_array(writer, 1);
        write_seed(id_of(field->element), full, writer);
    } else if (field->type == TYPE_TEXT) {
        writer_cstr(writer, "a");
    } else if (field->type == TYPE_BLOB) {
        writer_blob(writer, bytes_of("0123456789abcdef"));
    } else if (field->type == TYPE_VALUE) {
        writer_array(writer, 1);
        writer_u64(writer, 1);
    } else if (field->type == TYPE_BOOL) {
        writer_bool(writer, true);
    } else {
        writer_u64(writer, 1);
    }
}

static void write_seed(enum message_id id, bool full, struct writer *writer)
{
    const struct message *message = &messages[id];
    size_t count = 0;
    for (size_t i = 0; i < message->field_count; i++)
        count += full || message->fields[i].missing == REQUIRED;
    writer_map(writer, count);
    for (size_t i = 0; i < message->field_count; i++)
        if (full || message->fields[i].missing == REQUIRED)
            write_seed_field(&message->fields[i], full, writer);
}

/* What is written is a body of its message. */
static bool save_seed(const char *folder, enum message_id id, bool full)
{
    static char data[SEED_BYTES_MAX];
    char path[4096];
    union any_body body;
    struct writer writer;
    writer_init(&writer, data, sizeof data);
    write_seed(id, full, &writer);
    struct bytes seed = writer_bytes(&writer);
    enum status status = message_decode(id, seed, &body);
    assert(status == STATUS_OK);
    int size =
        snprintf(path, sizeof path, "%s/%s.%s", folder, messages[id].name, full ? "full" : "least");
    FILE *file = (size_t)size < sizeof path ? fopen(path, "wb") : NULL;
    if (file == NULL)
        return false;
    bool written = fwrite(seed.data, 1, seed.size, file) == seed.size;
    return fclose(file) == 0 && written;
}

static int save_seeds(const char *folder)
{
    for (unsigned id = 0; id < MESSAGE_ID_MAX; id++) {
        bool is_message = messages[id].name != NULL;
        if (is_message && (!save_seed(folder, id, true) || !save_seed(folder, id, false))) {
            (void)fprintf(stderr, "describe: cannot write into %s\n", folder);
            return EX_CANTCREAT;
        }
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return save_seeds(argv[2]);
    if (argc != 1) {
        (void)fputs("usage: describe [--seeds DIR]\n", stderr);
        return EX_USAGE;
    }
    print_reference();
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
