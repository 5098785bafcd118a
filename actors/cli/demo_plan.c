/* demo_plan - see demo_plan.h. */
#include "actors/cli/demo_plan.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/command.h"
#include "actors/cli/document.h"

#define PORT_MAX 65535u

static const struct {
    const char *program;
    enum role role;
    unsigned count; /* by default */
    unsigned max;
} rows[] = {{"fact-broker", ROLE_BROKER, 1, BROKERS_MAX},
            {"fact-cache-partition", ROLE_CACHE_PARTITION, 2, DEMO_PER_ROLE_MAX},
            {"fact-tool-executor", ROLE_TOOL_EXECUTOR, 1, DEMO_PER_ROLE_MAX},
            {"fact-arcade-gateway", ROLE_ARCADE_GATEWAY, 0, DEMO_PER_ROLE_MAX},
            {"fact-driver", ROLE_DRIVER, 1, DEMO_PER_ROLE_MAX}};
#define ROWS (sizeof rows / sizeof rows[0])

int64_t restart_after(struct restart *self, int64_t now_at)
{
    if (now_at - self->started_at >= RESTART_STEADY_MS * US_PER_MS)
        self->failures = 0;
    int64_t delay_ms = RESTART_MS_MIN;
    for (unsigned i = 0; i < self->failures && delay_ms < RESTART_MS_MAX; i++)
        delay_ms *= 2;
    self->failures++;
    return now_at + (delay_ms < RESTART_MS_MAX ? delay_ms : RESTART_MS_MAX) * US_PER_MS;
}

/* The row of a role's name; ROWS: none that can be chosen. */
static size_t row_named(const char *name, size_t size)
{
    size_t i = 0;
    while (i < ROWS && (strlen(role_name(rows[i].role)) != size ||
                        strncmp(role_name(rows[i].role), name, size) != 0))
        i++;
    return i;
}

static bool refuse_role(const char *text, int size, char *reason)
{
    const char *names[ROWS];
    char word[64];
    for (size_t i = 0; i < ROWS; i++)
        names[i] = role_name(rows[i].role);
    snprintf(word, sizeof word, "%.*s", size, text);
    const char *near = suggestion(word, names, ROWS);
    snprintf(reason, DEMO_REASON_BYTES,
             "--actors: there is no role %s%s%s%s; there are broker, driver, cache_partition, "
             "tool_executor and arcade_gateway",
             word, near == NULL ? "" : " (did you mean ", near == NULL ? "" : near,
             near == NULL ? "" : "?)");
    return false;
}

static bool parse_actors(const char *text, unsigned counts[ROWS], char *reason)
{
    while (*text != '\0') {
        char *end = NULL;
        size_t size = strcspn(text, "=,");
        size_t row = row_named(text, size);
        if (row == ROWS)
            return refuse_role(text, (int)size, reason);
        unsigned long count = text[size] == '=' ? strtoul(text + size + 1, &end, 10) : 0;
        if (end == NULL || (*end != ',' && *end != '\0') || count < 1 || count > rows[row].max ||
            text[size + 1] == '-') {
            snprintf(reason, DEMO_REASON_BYTES, "--actors: %.*s=N wants a number from 1 to %u",
                     (int)size, text, rows[row].max);
            return false;
        }
        counts[row] = (unsigned)count;
        text = end + (*end == ',');
    }
    return true;
}

bool demo_plan_init(struct demo_plan *self, const char *actors, char *reason)
{
    unsigned counts[ROWS];
    memset(self, 0, sizeof *self);
    for (size_t i = 0; i < ROWS; i++)
        counts[i] = rows[i].count;
    if (!parse_actors(actors, counts, reason))
        return false;
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned number = 1; number <= counts[i]; number++) {
            struct demo_process *process = &self->processes[self->count++];
            process->role = rows[i].role;
            process->number = number;
            snprintf(process->instance, DEMO_INSTANCE_BYTES, "%s-%u", role_name(rows[i].role),
                     number);
        }
    return true;
}

unsigned demo_plan_count(const struct demo_plan *self, enum role role)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->count; i++)
        count += self->processes[i].role == role;
    return count;
}

/* An endpoint of this host, as long as its port is one; port 0 stays 0. */
static bool write_endpoint(const char *host, int host_size, unsigned long port, char *ret)
{
    if (port > PORT_MAX)
        return false;
    int size = snprintf(ret, ENDPOINT_BYTES_MAX, "%.*s:%lu", host_size, host, port);
    return size < (int)ENDPOINT_BYTES_MAX;
}

bool demo_endpoints_from(const char *frontend, unsigned count, struct demo_endpoints *ret)
{
    const char *colon = strrchr(frontend, ':');
    char *end = NULL;
    if (strncmp(frontend, "tcp://", 6) != 0 || strchr(frontend, ',') != NULL ||
        colon < frontend + 7 || colon[1] < '0' || colon[1] > '9')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10), step = port == 0 ? 0 : 1;
    bool good = *end == '\0' && port <= PORT_MAX;
    int host = (int)(colon - frontend);
    for (unsigned i = 0; good && i < count; i++, port += 3 * step)
        good = write_endpoint(frontend, host, port, ret[i].frontend) &&
               write_endpoint(frontend, host, port + step, ret[i].backend) &&
               write_endpoint(frontend, host, port + 2 * step, ret[i].events);
    return good;
}

/* Add a text to a list with commas. */
static bool append(char *list, const char *text)
{
    size_t used = strlen(list), size = strlen(text);
    if (used + size + 2 > DEMO_LIST_BYTES)
        return false;
    snprintf(list + used, DEMO_LIST_BYTES - used, "%s%s", used > 0 ? "," : "", text);
    return true;
}

bool demo_list(const struct demo_surroundings *self, unsigned sides, char *out)
{
    bool good = true;
    out[0] = '\0';
    for (unsigned i = 0; good && i < self->broker_count; i++) {
        const struct demo_endpoints *its = &self->brokers[i];
        good = (!(sides & DEMO_FRONTEND) || append(out, its->frontend)) &&
               (!(sides & DEMO_BACKEND) || append(out, its->backend)) &&
               (!(sides & DEMO_EVENTS) || append(out, its->events));
    }
    return good;
}

static bool copy_endpoint(const json_t *line, const char *key, char *ret)
{
    const char *text = json_string_value(json_object_get(line, key));
    if (text == NULL || strlen(text) >= ENDPOINT_BYTES_MAX)
        return false;
    snprintf(ret, ENDPOINT_BYTES_MAX, "%s", text);
    return true;
}

bool demo_endpoints_read(struct bytes line, struct demo_endpoints *ret)
{
    json_t *json = json_loadb(line.data, line.size, 0, NULL);
    const char *event = json_string_value(json_object_get(json, "event"));
    struct demo_endpoints found;
    bool good = event != NULL && strcmp(event, "listening") == 0 &&
                copy_endpoint(json, "frontend", found.frontend) &&
                copy_endpoint(json, "backend", found.backend) &&
                copy_endpoint(json, "events", found.events);
    if (good)
        *ret = found;
    json_decref(json);
    return good;
}

static void add(struct demo_command *self, const char *flag, const char *value)
{
    assert(self->count + 2 <= DEMO_ARGUMENTS_MAX);
    snprintf(self->texts[self->count++], sizeof self->texts[0], "%s", flag);
    snprintf(self->texts[self->count++], sizeof self->texts[0], "%s", value);
}

static void add_setting(struct demo_command *self, const char *key, const char *value)
{
    char text[DEMO_PATH_BYTES + 64];
    snprintf(text, sizeof text, "%s=%s", key, value);
    add(self, "--set", text);
}

void demo_command_of(const struct demo_process *process,
                     const struct demo_surroundings *surroundings, struct demo_command *ret)
{
    size_t row = 0;
    while (rows[row].role != process->role)
        row++; /* demo_plan_init() took it from there */
    memset(ret, 0, sizeof *ret);
    snprintf(ret->program, DEMO_PATH_BYTES, "%s/%s", surroundings->programs, rows[row].program);
    snprintf(ret->texts[ret->count++], sizeof ret->texts[0], "%s", rows[row].program);
    if (surroundings->config != NULL)
        add(ret, "--config", surroundings->config);
    add(ret, "--instance", process->instance);
    char list[DEMO_LIST_BYTES];
    bool is_broker = process->role == ROLE_BROKER;
    bool good = demo_list(surroundings, is_broker ? DEMO_ALL : DEMO_BACKEND, list);
    assert(good);
    if (is_broker) {
        const struct demo_endpoints *its = &surroundings->brokers[process->number - 1];
        add(ret, "--frontend", its->frontend);
        add(ret, "--backend", its->backend);
        add(ret, "--events", its->events);
        if (surroundings->broker_count > 1)
            add(ret, "--peer", list);
        if (surroundings->config == NULL) /* its partitions come together: ready in half a second */
            add_setting(ret, "broker.view_hold_ms", "200ms");
    } else {
        add(ret, "--broker", list);
    }
    if (process->role == ROLE_TOOL_EXECUTOR) {
        add_setting(ret, "tool_executor.database", surroundings->database);
        add_setting(ret, "tool_executor.database_name", surroundings->database_name);
    }
    for (unsigned i = 0; i < ret->count; i++)
        ret->arguments[i] = ret->texts[i];
}

static bool is_up(const struct demo_process *process, const struct msg_directory *directory)
{
    struct values values = values_over(directory->workers);
    struct msg_worker_statistics row;
    struct bytes element;
    while (values_next(&values, &element))
        if (message_decode(MSG_WORKER_STATISTICS, element, &row) == STATUS_OK &&
            row.role == process->role && bytes_are(row.instance, process->instance) &&
            bytes_are(row.state, "up"))
            return true;
    return false;
}

bool demo_is_complete(const struct demo_plan *self, const struct msg_directory *directory,
                      char *missing)
{
    struct msg_view view;
    for (unsigned i = demo_plan_count(self, ROLE_BROKER); i < self->count; i++)
        if (!is_up(&self->processes[i], directory)) {
            snprintf(missing, DEMO_REASON_BYTES, "%s is not up", self->processes[i].instance);
            return false;
        }
    bool seen = directory->partitions.data != NULL &&
                message_decode(MSG_VIEW, directory->partitions, &view) == STATUS_OK;
    if (seen && values_count(view.members) >= demo_plan_count(self, ROLE_CACHE_PARTITION))
        return true;
    snprintf(missing, DEMO_REASON_BYTES, "not all cache partitions are in the view");
    return false;
}
