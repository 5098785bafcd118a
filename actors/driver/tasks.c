/* tasks - the pool of tasks, and the memory they hold. See state.h.
 *
 * A tag is a serial number above 16 bits that say which task waits; so an answer that comes for a
 * task which is not there any more finds nobody. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/state.h"

#define INDEX_BITS 16u
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define LONE_FIRST (INDEX_MASK - 2) /* indices from here on are no tasks: enum lone */

/* What is small comes back to the next that is: a hit allocates nothing. */
char *driver_take(struct driver *self, size_t size)
{
    if (size > FLOWS_BYTES_MAX - self->bytes)
        return NULL;
    bool is_small = size <= SMALL_MEMORY_BYTES;
    char *memory = NULL;
    if (is_small && self->small_count > 0)
        memory = self->small[--self->small_count];
    else
        memory = malloc(is_small ? SMALL_MEMORY_BYTES : size);
    if (memory != NULL)
        self->bytes += size;
    return memory;
}

void driver_give(struct driver *self, char **memory, size_t size)
{
    if (*memory == NULL)
        return;
    assert(self->bytes >= size);
    self->bytes -= size;
    if (size <= SMALL_MEMORY_BYTES && self->small_count < SMALL_MEMORIES_MAX)
        self->small[self->small_count++] = *memory;
    else
        free(*memory);
    *memory = NULL;
}

struct task *task_new(struct driver *self, const struct context *context, enum task_kind kind,
                      const struct request *request)
{
    struct task *task = self->free;
    if (task == NULL)
        return NULL;
    self->free = task->next_free;
    self->tasks_used++;
    uint32_t index = task->index;
    memset(task, 0, sizeof *task);
    task->index = index;
    task->used = true;
    task->kind = kind;
    task->step = STEP_DECODE;
    task->request = *request;
    task->owner.member = OWNER_NONE;
    task->began_at = task->step_at = context->now_at;
    if (request->deadline_at < self->next_due_at)
        self->next_due_at = request->deadline_at;
    return task;
}

static void free_rounds(struct driver *self, struct rounds *rounds)
{
    if (rounds == NULL)
        return;
    assert(rounds->parts_open == 0);
    driver_give(self, &rounds->failure, FAILURE_BYTES_MAX);
    driver_give(self, &rounds->talk.memory, MODEL_CONVERSATION_BYTES_MAX);
    for (unsigned i = 0; i < PLANNER_RESULTS_MAX; i++)
        driver_give(self, &rounds->parts[i].memory, rounds->parts[i].size);
    char *memory = (char *)rounds;
    driver_give(self, &memory, sizeof *rounds);
}

void task_free(struct driver *self, struct task *task)
{
    assert(task->used);
    assert(task->lease == 0); /* it went back, or nothing was to go */
    assert(task->tag == 0);
    driver_give(self, &task->input, task->input_size);
    driver_give(self, &task->canonical, task->canonical_size);
    free_rounds(self, task->rounds);
    task->rounds = NULL;
    task->used = false;
    task->next_free = self->free;
    self->free = task;
    self->tasks_used--;
}

uint64_t driver_tag(struct driver *self, const struct task *task)
{
    return ++self->serial << INDEX_BITS | task->index;
}

uint64_t driver_lone_tag(struct driver *self, enum lone lone)
{
    return ++self->serial << INDEX_BITS | (LONE_FIRST + lone);
}

bool driver_is_lone(uint64_t tag, enum lone *ret)
{
    if ((tag & INDEX_MASK) < LONE_FIRST)
        return false;
    *ret = (enum lone)((tag & INDEX_MASK) - LONE_FIRST);
    return true;
}

struct task *task_find(struct driver *self, uint64_t tag)
{
    uint64_t index = tag & INDEX_MASK;
    if (index >= self->task_count)
        return NULL;
    struct task *task = &self->tasks[index];
    return task->used && task->tag == tag ? task : NULL;
}
