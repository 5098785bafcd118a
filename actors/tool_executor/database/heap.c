/* heap - see heap.h. What is refused once is refused until the limit is lifted: SQLite then gives
 * the statement up instead of trying something smaller. */
#include "actors/tool_executor/database/heap.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define CALLS_A_LOOK 256u

static sqlite3_mem_methods own; /* SQLite's, from heap_install() on */

static _Thread_local struct {
    int64_t used, max; /* max 0: no limit */
    unsigned calls;
    bool is_ended;
    int (*is_over)(void *context);
    void *context;
} heap;

static bool may_take(int size)
{
    if (heap.max == 0)
        return true;
    if (heap.used + size > heap.max)
        heap.is_ended = true;
    if (heap.is_over != NULL && ++heap.calls % CALLS_A_LOOK == 0 && heap.is_over(heap.context))
        heap.is_ended = true;
    return !heap.is_ended;
}

static void *take(int size)
{
    void *memory = may_take(size) ? own.xMalloc(size) : NULL;
    if (memory != NULL)
        heap.used += own.xSize(memory);
    return memory;
}

static void give_back(void *memory)
{
    heap.used -= own.xSize(memory);
    own.xFree(memory);
}

static void *resize(void *memory, int size)
{
    int before = own.xSize(memory);
    void *resized = size <= before || may_take(size - before) ? own.xRealloc(memory, size) : NULL;
    if (resized != NULL)
        heap.used += own.xSize(resized) - before;
    return resized;
}

static int size_of(void *memory)
{
    return own.xSize(memory);
}

static int round_up(int size)
{
    return own.xRoundup(size);
}

static int init(void *context)
{
    (void)context;
    return own.xInit(own.pAppData);
}

static void shut_down(void *context)
{
    (void)context;
    own.xShutdown(own.pAppData);
}

static void install(void)
{
    static sqlite3_mem_methods ours = {take,     give_back, resize,    size_of,
                                       round_up, init,      shut_down, NULL};
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &own) == SQLITE_OK)
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

void heap_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, install);
}

void heap_limit(size_t bytes_max, int (*is_over)(void *context), void *context)
{
    heap.max = heap.used + (int64_t)bytes_max;
    heap.is_ended = false;
    heap.is_over = is_over;
    heap.context = context;
}

void heap_unlimit(void)
{
    heap.max = 0;
}
