/* verb_drain - fact drain and fact undrain: workers that are to take no more, finish what they hold
 * and leave; or are to stay after all. */
#include <assert.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"
#include "actors/cli/watch.h"

#define LOOK_MS 100
#define LEAVE_MS 2000 /* after its deadline a worker may take so long to leave */
#define BODY_BYTES 256u

/* A worker that is meant. */
struct target {
    char instance[NAME_BYTES_MAX + 1];
    uint64_t role, pid, in_flight;
    const char *outcome;
};

struct targets {
    const struct invocation *invocation;
    struct fact *handle;
    unsigned count;
    struct target list[WORKERS_MAX];
};

/* How soon a worker is to go if any of a role will do: what is sick first, then what has little to
 * do; what drains already has gone. */
static uint64_t rank(const struct msg_worker_statistics *row)
{
    bool sound = bytes_are(row->state, "up");
    return (sound ? UINT64_C(1) << 32 : 0) + row->in_flight;
}

static bool is_named(const struct invocation *invocation, const struct msg_worker_statistics *row)
{
    for (unsigned i = 0; i < invocation->argument_count; i++)
        if (bytes_are(row->instance, invocation->arguments[i]))
            return true;
    return false;
}

static bool is_of_role(const struct invocation *invocation, const struct msg_worker_statistics *row)
{
    const char *role = invocation->options[CLI_ROLE].text;
    return role != NULL && strcmp(role, role_name(row->role)) == 0 &&
           !bytes_are(row->state, "draining");
}

static void add(struct targets *self, const struct msg_worker_statistics *row)
{
    if (self->count == WORKERS_MAX)
        return; /* the broker has no more */
    struct target *target = &self->list[self->count++];
    *target = (struct target){
        .role = row->role, .pid = row->pid, .in_flight = row->in_flight, .outcome = ""};
    memcpy(target->instance, row->instance.data, row->instance.size);
}

/* Whether this one of a role is to go before the best so far. */
static bool is_better(const struct invocation *invocation, struct bytes element,
                      const struct msg_worker_statistics *best, struct msg_worker_statistics *ret)
{
    return message_decode(MSG_WORKER_STATISTICS, element, ret) == STATUS_OK &&
           is_of_role(invocation, ret) && (best == NULL || rank(ret) < rank(best));
}

/* Of those of a role the best to go, count at most, in order. */
static void choose(struct targets *self, struct bytes workers, uint64_t count)
{
    struct msg_worker_statistics row, best;
    struct bytes element;
    bool taken[WORKERS_MAX] = {false};
    while (self->count < count) {
        struct values values = values_over(workers);
        unsigned found = WORKERS_MAX;
        for (unsigned i = 0; i < WORKERS_MAX && values_next(&values, &element); i++) {
            const struct msg_worker_statistics *so_far = found == WORKERS_MAX ? NULL : &best;
            if (taken[i] || !is_better(self->invocation, element, so_far, &row))
                continue;
            found = i;
            best = row;
        }
        if (found == WORKERS_MAX)
            return;
        taken[found] = true;
        add(self, &best);
    }
}

static bool has(const struct targets *self, const char *instance)
{
    for (unsigned i = 0; i < self->count; i++)
        if (strcmp(self->list[i].instance, instance) == 0)
            return true;
    return false;
}

/* Who is meant. false: somebody is not there, which is said. */
static enum exit_code find(struct targets *self)
{
    struct fact_reply reply;
    struct msg_statistics statistics;
    struct msg_worker_statistics row;
    struct bytes element;
    const struct invocation *invocation = self->invocation;
    enum exit_code code = connect_ask(invocation, self->handle, COMMAND_QUERY, "statistics",
                                      (struct bytes){0}, &reply);
    if (code != CODE_OK)
        return code;
    if (message_decode(MSG_STATISTICS, reply.body, &statistics) != STATUS_OK) {
        fputs("fact: the broker's statistics make no sense to this version\n", invocation->err);
        return CODE_FAILED;
    }
    struct values values = values_over(statistics.workers);
    while (values_next(&values, &element))
        if (message_decode(MSG_WORKER_STATISTICS, element, &row) == STATUS_OK &&
            is_named(invocation, &row))
            add(self, &row);
    for (unsigned i = 0; i < invocation->argument_count; i++)
        if (!has(self, invocation->arguments[i])) {
            fprintf(invocation->err, "fact: no worker %s is here; see: fact status\n",
                    invocation->arguments[i]);
            code = CODE_REFUSED;
        }
    if (invocation->options[CLI_ROLE].text != NULL)
        choose(self, statistics.workers, (uint64_t)invocation->options[CLI_COUNT].number);
    if (code == CODE_OK && self->count == 0) {
        fprintf(invocation->err, "fact: no worker of role %s takes requests; see: fact status\n",
                invocation->options[CLI_ROLE].text);
        code = CODE_REFUSED;
    }
    return code;
}

static enum exit_code tell(struct targets *self, const char *method)
{
    char room[BODY_BYTES];
    struct bytes body;
    struct fact_reply reply;
    enum exit_code worst = CODE_OK;
    for (unsigned i = 0; i < self->count; i++) {
        struct target *target = &self->list[i];
        struct msg_admin_drain drain = {
            .instance = bytes_of(target->instance),
            .deadline_ms = (uint64_t)self->invocation->options[CLI_DEADLINE].number};
        enum status status = message_encode(MSG_ADMIN_DRAIN, &drain, room, sizeof room, &body);
        assert(status == STATUS_OK);
        enum exit_code code =
            connect_ask(self->invocation, self->handle, COMMAND_ADMIN, method, body, &reply);
        bool drains = strcmp(method, "drain") == 0;
        target->outcome = code != CODE_OK ? "refused" : drains ? "draining" : "up";
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* What became of one; whoever is started in its place under its name is another process. */
static const char *outcome_of(struct target *target, struct bytes workers)
{
    struct values values = values_over(workers);
    struct msg_worker_statistics row;
    struct bytes element;
    while (values_next(&values, &element)) {
        if (message_decode(MSG_WORKER_STATISTICS, element, &row) != STATUS_OK ||
            row.pid != target->pid || !bytes_are(row.instance, target->instance))
            continue;
        target->in_flight = row.in_flight;
        return bytes_are(row.state, "draining") ? "draining" : "stays";
    }
    return "left";
}

/* Which of them are still there; returns how many, UINT32_MAX: the broker does not say. */
static unsigned look(struct targets *self)
{
    struct fact_reply reply;
    struct msg_statistics statistics;
    unsigned there = 0;
    if (connect_ask(self->invocation, self->handle, COMMAND_QUERY, "statistics", (struct bytes){0},
                    &reply) != CODE_OK ||
        message_decode(MSG_STATISTICS, reply.body, &statistics) != STATUS_OK)
        return UINT32_MAX;
    for (unsigned i = 0; i < self->count; i++) {
        struct target *target = &self->list[i];
        if (strcmp(target->outcome, "refused") != 0 && strcmp(target->outcome, "left") != 0)
            target->outcome = outcome_of(target, statistics.workers);
        there += strcmp(target->outcome, "draining") == 0;
    }
    return there;
}

/* Until all have left, or their time is over. */
static enum exit_code monitor(struct targets *self)
{
    struct watch watch;
    int64_t time_ms = self->invocation->options[CLI_DEADLINE].number + LEAVE_MS;
    int64_t until_at = watch_now_at() + time_ms * US_PER_MS;
    unsigned there = look(self), before = UINT32_MAX;
    watch_open(&watch);
    while (there != 0 && there != UINT32_MAX && watch_now_at() < until_at) {
        if (there != before)
            fprintf(self->invocation->err, "fact: %u of %u still finish what they hold\n", there,
                    self->count);
        before = there;
        if (!watch_wait(&watch, self->handle, LOOK_MS))
            break;
        there = look(self);
    }
    watch_close(&watch);
    if (there == UINT32_MAX)
        return CODE_UNREACHABLE;
    for (unsigned i = 0; i < self->count; i++)
        if (strcmp(self->list[i].outcome, "left") != 0)
            return CODE_FAILED;
    return CODE_OK;
}

static void show(const struct targets *self)
{
    static const struct column columns[] = {{"INSTANCE", "instance", CELL_PLAIN},
                                            {"ROLE", "role", CELL_PLAIN},
                                            {"IN FLIGHT", "in_flight", CELL_PLAIN},
                                            {"OUTCOME", "outcome", CELL_PLAIN}};
    struct document document;
    document_init(&document);
    writer_map(&document.writer, 1);
    writer_cstr(&document.writer, "workers");
    writer_array(&document.writer, self->count);
    for (unsigned i = 0; i < self->count; i++) {
        writer_map(&document.writer, 4);
        put_text(&document.writer, "instance", bytes_of(self->list[i].instance));
        put_text(&document.writer, "role", bytes_of(role_name(self->list[i].role)));
        put_u64(&document.writer, "in_flight", self->list[i].in_flight);
        put_text(&document.writer, "outcome", bytes_of(self->list[i].outcome));
    }
    if (self->invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(document_value(&document), self->invocation->out);
        fputc('\n', self->invocation->out);
    } else {
        table_print(value_find(document_value(&document), "workers"), columns,
                    sizeof columns / sizeof columns[0], self->invocation->out);
    }
    document_fini(&document);
}

static enum exit_code run(const struct invocation *invocation, const char *method, bool monitors)
{
    static struct targets targets; /* large */
    targets = (struct targets){.invocation = invocation};
    enum exit_code code = connect_one(invocation, &targets.handle);
    if (code != CODE_OK)
        return code;
    code = find(&targets);
    if (code == CODE_OK && invocation->options[CLI_DRY_RUN].given)
        for (unsigned i = 0; i < targets.count; i++)
            targets.list[i].outcome = "would be told";
    else if (code == CODE_OK)
        code = tell(&targets, method);
    if (code == CODE_OK && monitors && !invocation->options[CLI_DRY_RUN].given)
        code = monitor(&targets);
    if (targets.count > 0 && targets.list[0].outcome[0] != '\0')
        show(&targets);
    fact_destroy(&targets.handle);
    return code;
}

enum exit_code verb_drain(const struct invocation *invocation)
{
    bool by_role = invocation->options[CLI_ROLE].given;
    bool counted = invocation->options[CLI_COUNT].given;
    if (by_role == (invocation->argument_count > 0) || by_role != counted) {
        fputs("fact: drain wants instances, or --role with --count\n", invocation->err);
        return CODE_USAGE;
    }
    return run(invocation, "drain", invocation->options[CLI_MONITOR].given);
}

enum exit_code verb_undrain(const struct invocation *invocation)
{
    return run(invocation, "undrain", false);
}
