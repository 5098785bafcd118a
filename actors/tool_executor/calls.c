/* calls - see calls.h. All are looked through: there are some dozens. */
#include "actors/tool_executor/calls.h"

#include <assert.h>

#define OVERDUE_US (5 * US_PER_MS) /* after its deadline a tool may still end by itself */

void calls_add(struct calls *self, struct execution *execution)
{
    assert(self->count < self->max);
    execution->number = ++self->numbers;
    execution->state = EXECUTION_WAITING;
    self->list[self->count++] = execution;
    tally_row(self->tally, execution->tool)->waiting++;
}

/* It is not in this state any more. */
static void leave_state(struct calls *self, const struct execution *execution)
{
    struct tally_row *row = tally_row(self->tally, execution->tool);
    bool ran = execution->state == EXECUTION_RUNNING;
    row->waiting -= execution->state == EXECUTION_WAITING;
    row->running -= ran;
    self->running -= ran;
    self->stuck -= execution->is_stuck;
}

void calls_remove(struct calls *self, struct execution *execution)
{
    size_t i = 0;
    while (self->list[i] != execution)
        i++;
    assert(i < self->count);
    leave_state(self, execution);
    self->list[i] = self->list[--self->count];
    self->list[self->count] = NULL;
    execution_destroy(&execution);
}

void calls_run(struct calls *self, struct execution *execution)
{
    assert(self->running < self->threads);
    leave_state(self, execution);
    execution->state = EXECUTION_RUNNING;
    tally_row(self->tally, execution->tool)->running++;
    self->running++;
}

void calls_ask(struct calls *self, struct execution *execution)
{
    leave_state(self, execution);
    execution->state = EXECUTION_ASKING;
}

void calls_stick(struct calls *self, struct execution *execution)
{
    assert(execution->state == EXECUTION_RUNNING);
    assert(!execution->is_stuck);
    execution->is_stuck = true;
    self->stuck++;
}

int64_t execution_due_at(const struct execution *execution)
{
    if (execution->state == EXECUTION_ASKING || execution->is_stuck)
        return INT64_MAX; /* it comes back by itself */
    bool is_told = execution->is_overdue || execution->is_answered;
    return is_told ? execution->deadline_at + OVERDUE_US : execution->deadline_at;
}

int64_t calls_due_at(const struct calls *self)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < self->count; i++) {
        int64_t own = execution_due_at(self->list[i]);
        due = own < due ? own : due;
    }
    return due;
}

/* One thread is left to other tools. */
static bool may_run(const struct calls *self, const struct execution *execution)
{
    unsigned others = self->threads > 1 ? self->threads - 1 : 1;
    unsigned own = execution->tool->concurrency;
    return execution->state == EXECUTION_WAITING &&
           tally_row(self->tally, execution->tool)->running < (own < others ? own : others);
}

static bool is_before(const struct execution *left, const struct execution *right)
{
    if (left->deadline_at != right->deadline_at)
        return left->deadline_at < right->deadline_at;
    return left->number < right->number;
}

struct execution *calls_next(const struct calls *self)
{
    struct execution *next = NULL;
    for (size_t i = 0; i < self->count && self->running < self->threads; i++)
        if (may_run(self, self->list[i]) && (next == NULL || is_before(self->list[i], next)))
            next = self->list[i];
    return next;
}

struct execution *calls_of_request(const struct calls *self, const struct request *request)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct request *own = &self->list[i]->request;
        if (own->link == request->link && own->peer == request->peer && own->id == request->id)
            return self->list[i];
    }
    return NULL;
}

struct execution *calls_of_ask(const struct calls *self, uint64_t number)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i]->number == number && self->list[i]->state == EXECUTION_ASKING)
            return self->list[i];
    return NULL;
}
