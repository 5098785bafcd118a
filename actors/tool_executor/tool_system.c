/* tool_system - System_GetMetrics: the broker's live counts, by role and name.
 *
 * Which numbers there are is not listed here: every number of the messages statistics and
 * role_statistics is one, so a new row is a new metric. */
#include <assert.h>
#include <string.h>

#include "actors/tool_executor/tool_functions.h"

/* Those that a system is made of. */
static const bool is_told[ROLE_COUNT] = {[ROLE_BROKER] = true,
                                         [ROLE_DRIVER] = true,
                                         [ROLE_CACHE_PARTITION] = true,
                                         [ROLE_TOOL_EXECUTOR] = true,
                                         [ROLE_ARCADE_GATEWAY] = true};

/* Which are wanted: all, if names is absent. */
static bool is_wanted(struct bytes names, const char *name)
{
    struct values values = values_over(names);
    struct bytes value, text;
    bool wanted = names.data == NULL;
    while (values_next(&values, &value))
        wanted = wanted || (value_text(value, &text) && bytes_are(text, name));
    return wanted;
}

static bool is_metric(const struct field *field)
{
    bool tells_who = strcmp(field->name, "role") == 0 || strcmp(field->name, "generation") == 0;
    return field->type == TYPE_U64 && !tells_who;
}

static bool exists(const struct message *message, struct bytes name)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (is_metric(&message->fields[i]) && bytes_are(name, message->fields[i].name))
            return true;
    return false;
}

/* Each name asked for is one of a role's or of the broker's. */
static bool check_names(struct bytes names, struct failure *failure)
{
    struct values values = values_over(names);
    struct bytes value, text;
    for (unsigned i = 0; values_next(&values, &value); i++) {
        if (!value_text(value, &text) || exists(&messages[MSG_STATISTICS], text) ||
            exists(&messages[MSG_ROLE_STATISTICS], text))
            continue;
        failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "there is no metric %.*s",
                    (int)text.size, text.data);
        failure_field(failure, "names/%u", i);
        failure_hint(failure, "Leave names out to see all there are.");
        return false;
    }
    return true;
}

static uint64_t number_in(const struct field *field, const void *value)
{
    uint64_t number;
    memcpy(&number, (const char *)value + field->offset, sizeof number);
    return number;
}

/* name: {metric: value ..} of one struct msg_<message>. */
static void write_numbers(struct writer *out, const struct message *message, const void *value,
                          struct bytes names)
{
    size_t count = 0;
    for (size_t i = 0; i < message->field_count; i++)
        count += is_metric(&message->fields[i]) && is_wanted(names, message->fields[i].name);
    writer_map(out, count);
    for (size_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        if (!is_metric(field) || !is_wanted(names, field->name))
            continue;
        writer_cstr(out, field->name);
        writer_u64(out, number_in(field, value));
    }
}

static bool is_role_wanted(struct bytes role, uint64_t number)
{
    bool known = number < ROLE_COUNT && is_told[number];
    return known && (role.data == NULL || bytes_are(role, role_names[number]));
}

/* The roles that the broker knows; one given twice counts once. */
static void write_roles(struct writer *out, const struct msg_statistics *statistics,
                        struct bytes role, struct bytes names)
{
    const struct message *message = &messages[MSG_ROLE_STATISTICS];
    struct msg_role_statistics rows[ROLE_COUNT];
    bool found[ROLE_COUNT] = {false};
    struct values values = values_over(statistics->roles);
    struct bytes value;
    struct msg_role_statistics row;
    size_t count = is_role_wanted(role, ROLE_BROKER);
    while (values_next(&values, &value)) {
        if (message_decode(MSG_ROLE_STATISTICS, value, &row) != STATUS_OK ||
            !is_role_wanted(role, row.role) || row.role == ROLE_BROKER || found[row.role])
            continue;
        found[row.role] = true;
        rows[row.role] = row;
        count++;
    }
    writer_map(out, count);
    if (is_role_wanted(role, ROLE_BROKER)) {
        writer_cstr(out, role_names[ROLE_BROKER]);
        write_numbers(out, &messages[MSG_STATISTICS], statistics, names);
    }
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (!found[i])
            continue;
        writer_cstr(out, role_names[i]);
        write_numbers(out, message, &rows[i], names);
    }
}

bool metrics_result(struct bytes arguments, const struct msg_statistics *statistics,
                    struct writer *out, struct failure *failure)
{
    struct bytes role = {NULL, 0}, names = value_find(arguments, "names");
    (void)value_text(value_find(arguments, "role"), &role);
    if (!check_names(names, failure))
        return false;
    writer_map(out, 3);
    writer_cstr(out, "broker");
    writer_text(out, statistics->instance);
    writer_cstr(out, "uptime_ms");
    writer_u64(out, statistics->uptime_us / US_PER_MS);
    writer_cstr(out, "metrics");
    write_roles(out, statistics, role, names);
    return true;
}
