/* verb_limits - fact limits, fact breaker and fact config reload: what an operator may change while
 * a broker runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"

#define RATE_BYTES 40u
#define TARGET_BYTES (METHOD_BYTES_MAX + 32u)
#define BODY_BYTES 512u

static const struct {
    const char *name;
    uint64_t per_ms;
} units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

/* 60/m, or what has no such name: 60 in 1500 ms. */
static const char *write_rate(const struct msg_limit *limit, char *out)
{
    (void)snprintf(out, RATE_BYTES, "%llu in %llu ms", (unsigned long long)limit->limit,
                   (unsigned long long)limit->per_ms);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (limit->per_ms == units[i].per_ms)
            (void)snprintf(out, RATE_BYTES, "%llu/%s", (unsigned long long)limit->limit,
                           units[i].name);
    return limit->limit == 0 ? "unlimited" : out;
}

static bool read_rate(const char *text, struct msg_admin_limit *ret)
{
    char *end;
    if (strcmp(text, "off") == 0) {
        ret->remove = true;
        return true;
    }
    ret->per_ms = 1000;
    if (strcmp(text, "unlimited") == 0)
        return true;
    errno = 0;
    ret->limit = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || ret->limit == 0 || *end != '/')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end + 1, units[i].name) == 0) {
            ret->per_ms = units[i].per_ms;
            return true;
        }
    return false;
}

static void put_limit(struct writer *writer, const struct msg_limit *limit)
{
    char rate[RATE_BYTES];
    writer_map(writer, 10);
    put_text(writer, "target", limit->target);
    put_text(writer, "rate", bytes_of(write_rate(limit, rate)));
    put_u64(writer, "limit", limit->limit);
    put_u64(writer, "per_ms", limit->per_ms);
    put_u64(writer, "burst", limit->burst);
    put_text(writer, "mode", limit->mode);
    put_u64(writer, "admitted", limit->admitted);
    put_u64(writer, "refused", limit->refused);
    put_u64(writer, "would_reject", limit->would_reject);
    put_value(writer, "remaining", limit->remaining);
}

static const struct column limit_columns[] = {{"LIMIT", "target", CELL_PLAIN},
                                              {"RATE", "rate", CELL_PLAIN},
                                              {"BURST", "burst", CELL_PLAIN},
                                              {"MODE", "mode", CELL_PLAIN},
                                              {"ADMITTED", "admitted", CELL_PLAIN},
                                              {"REFUSED", "refused", CELL_PLAIN},
                                              {"WOULD REFUSE", "would_reject", CELL_PLAIN},
                                              {"LEFT", "remaining", CELL_PLAIN}};

static const struct column breaker_columns[] = {{"METHOD", "target", CELL_PLAIN},
                                                {"STATE", "state", CELL_PLAIN},
                                                {"FORCED", "forced", CELL_YES},
                                                {"OPEN FOR", "open_ms", CELL_MS},
                                                {"OPENED", "opened", CELL_PLAIN}};

/* A document, whole or the rows of it that are for people. rows: its key; NULL: it is one row. */
static void print(const struct invocation *invocation, struct bytes document, const char *rows,
                  const struct column *columns, size_t count)
{
    char one[2048];
    struct writer writer;
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(document, invocation->out);
        fputc('\n', invocation->out);
        return;
    }
    if (rows != NULL) {
        table_print(value_find(document, rows), columns, count, invocation->out);
        return;
    }
    writer_init(&writer, one, sizeof one);
    writer_array(&writer, 1);
    writer_raw(&writer, document);
    table_print(writer_bytes(&writer), columns, count, invocation->out);
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Connect, ask, and decode the answer; what it borrows is the handle's.
 *
 * ret_handle  to be destroyed in any case; NULL: it has failed */
static enum exit_code ask(const struct invocation *invocation, const char *method,
                          struct bytes body, enum message_id id, void *ret,
                          struct fact **ret_handle)
{
    struct fact_reply reply;
    *ret_handle = NULL;
    enum exit_code code = connect_one(invocation, ret_handle);
    if (code == CODE_OK)
        code = connect_ask(invocation, *ret_handle, COMMAND_ADMIN, method, body, &reply);
    if (code == CODE_OK && message_decode(id, reply.body, ret) != STATUS_OK) {
        fprintf(invocation->err, "fact: the answer to %s makes no sense to this version\n", method);
        code = CODE_FAILED;
    }
    return code;
}

enum exit_code verb_limits_list(const struct invocation *invocation)
{
    struct fact *handle = NULL;
    struct msg_limits limits;
    struct msg_limit limit;
    struct document document;
    struct bytes value;
    enum exit_code code =
        ask(invocation, "limits", (struct bytes){0}, MSG_LIMITS, &limits, &handle);
    if (code == CODE_OK) {
        struct values values = values_over(limits.limits);
        document_init(&document);
        writer_map(&document.writer, 4);
        put_u64(&document.writer, "keys", limits.keys);
        put_u64(&document.writer, "keys_max", limits.keys_max);
        put_u64(&document.writer, "unmarked", limits.unmarked);
        writer_cstr(&document.writer, "limits");
        writer_array(&document.writer, values_count(limits.limits));
        while (values_next(&values, &value))
            if (message_decode(MSG_LIMIT, value, &limit) == STATUS_OK)
                put_limit(&document.writer, &limit);
            else
                writer_nil(&document.writer);
        print(invocation, document_value(&document), "limits", limit_columns,
              COUNT_OF(limit_columns));
        document_fini(&document);
    }
    fact_destroy(&handle);
    return code;
}

static void print_limit(const struct invocation *invocation, const struct msg_limit *limit)
{
    struct document document;
    document_init(&document);
    put_limit(&document.writer, limit);
    print(invocation, document_value(&document), NULL, limit_columns, COUNT_OF(limit_columns));
    document_fini(&document);
}

enum exit_code verb_limits_show(const struct invocation *invocation)
{
    struct fact *handle = NULL;
    struct msg_limits limits;
    struct msg_limit limit;
    struct bytes value;
    enum exit_code code =
        ask(invocation, "limits", (struct bytes){0}, MSG_LIMITS, &limits, &handle);
    if (code == CODE_OK) {
        struct values values = values_over(limits.limits);
        code = CODE_INVALID;
        while (code == CODE_INVALID && values_next(&values, &value))
            if (message_decode(MSG_LIMIT, value, &limit) == STATUS_OK &&
                bytes_are(limit.target, invocation->arguments[0])) {
                print_limit(invocation, &limit);
                code = CODE_OK;
            }
        if (code == CODE_INVALID)
            fprintf(invocation->err, "fact: there is no limit %s; see fact limits list\n",
                    invocation->arguments[0]);
    }
    fact_destroy(&handle);
    return code;
}

static void tell_dry(const struct invocation *invocation)
{
    if (invocation->options[CLI_DRY_RUN].given)
        fputs("nothing was changed: --dry-run\n", invocation->err);
}

static enum exit_code set_limit(const struct invocation *invocation,
                                const struct msg_admin_limit *wanted)
{
    char bytes[BODY_BYTES];
    struct bytes body;
    struct fact *handle = NULL;
    struct msg_limit limit;
    if (message_encode(MSG_ADMIN_LIMIT, wanted, bytes, sizeof bytes, &body) != STATUS_OK) {
        fprintf(invocation->err, "fact: limit %s: its name is too long\n",
                invocation->arguments[0]);
        return CODE_INVALID;
    }
    enum exit_code code = ask(invocation, "limit_set", body, MSG_LIMIT, &limit, &handle);
    if (code == CODE_OK) {
        print_limit(invocation, &limit);
        if (bytes_are(limit.mode, "monitor") && limit.limit > 0)
            fputs("it refuses nobody, and counts whom it would refuse; to refuse: --mode enforce\n",
                  invocation->err);
        tell_dry(invocation);
    }
    fact_destroy(&handle);
    return code;
}

enum exit_code verb_limits_set(const struct invocation *invocation)
{
    static const char *const modes[] = {"monitor", "enforce"};
    struct msg_admin_limit wanted = {.target = bytes_of(invocation->arguments[0]),
                                     .dry_run = invocation->options[CLI_DRY_RUN].given};
    if (invocation->options[CLI_MODE].given)
        wanted.mode = bytes_of(modes[invocation->options[CLI_MODE].number]);
    if (invocation->options[CLI_BURST].given)
        wanted.burst = (uint64_t)invocation->options[CLI_BURST].number;
    if (invocation->argument_count > 1 && !read_rate(invocation->arguments[1], &wanted)) {
        fprintf(invocation->err,
                "fact: %s is no rate: COUNT/s, COUNT/m, COUNT/h, COUNT/d, unlimited or off\n",
                invocation->arguments[1]);
        return CODE_USAGE;
    }
    if (invocation->argument_count == 1 && wanted.mode.data == NULL && wanted.burst == 0) {
        fputs("fact: say what is to change: a rate, --burst or --mode\n", invocation->err);
        return CODE_USAGE;
    }
    return set_limit(invocation, &wanted);
}

static void put_breaker(struct writer *writer, const struct msg_breaker *breaker)
{
    char target[TARGET_BYTES];
    (void)snprintf(target, sizeof target, "%s/%.*s", role_name(breaker->role),
                   (int)breaker->method.size, breaker->method.data);
    writer_map(writer, 7);
    put_text(writer, "target", bytes_of(target));
    put_text(writer, "role", bytes_of(role_name(breaker->role)));
    put_text(writer, "method", breaker->method);
    put_text(writer, "state", breaker->state);
    put_bool(writer, "forced", breaker->forced);
    put_u64(writer, "open_ms", breaker->open_ms);
    put_u64(writer, "opened", breaker->opened);
}

enum exit_code verb_breaker_list(const struct invocation *invocation)
{
    struct fact *handle = NULL;
    struct msg_breakers breakers;
    struct msg_breaker breaker;
    struct document document;
    struct bytes value;
    enum exit_code code =
        ask(invocation, "breakers", (struct bytes){0}, MSG_BREAKERS, &breakers, &handle);
    if (code == CODE_OK) {
        struct values values = values_over(breakers.breakers);
        document_init(&document);
        writer_map(&document.writer, 1);
        writer_cstr(&document.writer, "breakers");
        writer_array(&document.writer, values_count(breakers.breakers));
        while (values_next(&values, &value))
            if (message_decode(MSG_BREAKER, value, &breaker) == STATUS_OK)
                put_breaker(&document.writer, &breaker);
            else
                writer_nil(&document.writer);
        print(invocation, document_value(&document), "breakers", breaker_columns,
              COUNT_OF(breaker_columns));
        document_fini(&document);
    }
    fact_destroy(&handle);
    return code;
}

/* ROLE/METHOD */
static bool read_target(const char *text, struct msg_admin_breaker *ret)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || slash[1] == '\0')
        return false;
    for (uint64_t role = 0; role < ROLE_COUNT; role++)
        if (bytes_are((struct bytes){text, (size_t)(slash - text)}, role_names[role])) {
            ret->role = role;
            ret->method = bytes_of(slash + 1);
            return true;
        }
    return false;
}

static enum exit_code set_breaker(const struct invocation *invocation, const char *action)
{
    char bytes[BODY_BYTES];
    struct bytes body;
    struct fact *handle = NULL;
    struct msg_breaker breaker;
    struct document document;
    struct msg_admin_breaker wanted = {.action = bytes_of(action),
                                       .dry_run = invocation->options[CLI_DRY_RUN].given};
    if (!read_target(invocation->arguments[0], &wanted) ||
        message_encode(MSG_ADMIN_BREAKER, &wanted, bytes, sizeof bytes, &body) != STATUS_OK) {
        fprintf(invocation->err, "fact: %s is not ROLE/METHOD; see fact breaker list\n",
                invocation->arguments[0]);
        return CODE_INVALID;
    }
    enum exit_code code = ask(invocation, "breaker_set", body, MSG_BREAKER, &breaker, &handle);
    if (code == CODE_OK) {
        document_init(&document);
        put_breaker(&document.writer, &breaker);
        print(invocation, document_value(&document), NULL, breaker_columns,
              COUNT_OF(breaker_columns));
        document_fini(&document);
        tell_dry(invocation);
    }
    fact_destroy(&handle);
    return code;
}

enum exit_code verb_breaker_trip(const struct invocation *invocation)
{
    return set_breaker(invocation, "trip");
}

enum exit_code verb_breaker_reset(const struct invocation *invocation)
{
    return set_breaker(invocation, "reset");
}

static void print_names(struct bytes names, const char *what, FILE *out)
{
    struct values values = values_over(names);
    struct bytes value, text;
    while (values_next(&values, &value))
        if (value_text(value, &text))
            fprintf(out, "%-15s %.*s\n", what, (int)text.size, text.data);
}

enum exit_code verb_config_reload(const struct invocation *invocation)
{
    char bytes[BODY_BYTES];
    struct bytes body = {0};
    struct fact *handle = NULL;
    struct msg_reloaded reloaded;
    struct document document;
    const struct msg_admin_reload wanted = {.dry_run = invocation->options[CLI_DRY_RUN].given};
    enum status status = message_encode(MSG_ADMIN_RELOAD, &wanted, bytes, sizeof bytes, &body);
    enum exit_code code = status != STATUS_OK
                              ? CODE_FAILED
                              : ask(invocation, "reload", body, MSG_RELOADED, &reloaded, &handle);
    if (code == CODE_OK && invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        document_init(&document);
        writer_map(&document.writer, 2);
        put_value(&document.writer, "changed", reloaded.changed);
        put_value(&document.writer, "restart", reloaded.restart);
        print(invocation, document_value(&document), NULL, NULL, 0);
        document_fini(&document);
    } else if (code == CODE_OK) {
        print_names(reloaded.changed, "changed", invocation->out);
        print_names(reloaded.restart, "needs a restart", invocation->out);
        if (values_count(reloaded.changed) + values_count(reloaded.restart) == 0)
            fputs("all is as it was\n", invocation->out);
    }
    if (code == CODE_OK)
        tell_dry(invocation);
    fact_destroy(&handle);
    return code;
}
