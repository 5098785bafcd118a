/* cost - the CPU time, sleeps and memory of processes, by their pid, between two moments; and what
 * others used meanwhile on the same cores.
 *
 * CPU time is the figure to compare where a machine is shared: wall time moves more. */
#ifndef TESTS_LOAD_COST_H
#define TESTS_LOAD_COST_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define COST_PROCESSES_MAX 128u

/* The parts that a request passes; REMOTE is what a gateway calls. */
enum part {
    PART_CLIENT,
    PART_BROKER,
    PART_DRIVER,
    PART_PARTITION,
    PART_WORKER,
    PART_REMOTE,
    PART_COUNT
};
extern const char *const part_names[PART_COUNT];

/* Of a process since its start. */
struct usage_of {
    int64_t cpu_ns;       /* user and system */
    int64_t sleeps;       /* voluntary context switches of all its threads */
    int64_t memory_bytes; /* resident */
};

/* False: there is no such process, and *ret is zero. */
bool cost_read(int pid, struct usage_of *ret);

struct cost_process {
    enum part part;
    int pid;
    struct usage_of begin, end;
};

struct cost {
    struct cost_process processes[COST_PROCESSES_MAX];
    unsigned count;
    cpu_set_t cores; /* that any of them may run on */
    int64_t begin_at, end_at, thread_begin_ns, thread_end_ns;
    int64_t host_begin_us, host_end_us; /* all that was used of the cores */
};

void cost_init(struct cost *self);

/* Watch a process; one that is watched already, or one too many, is not.
 *
 * returns  false: there is no such process */
bool cost_add(struct cost *self, enum part part, int pid);

void cost_begin(struct cost *self);
void cost_end(struct cost *self);

/* Between begin and end. */
double cost_cpu_us(const struct cost *self, enum part part);
double cost_all_cpu_us(const struct cost *self);
double cost_sleeps(const struct cost *self);  /* of all */
double cost_thread(const struct cost *self);  /* the calling thread's share of a core */
double cost_foreign(const struct cost *self); /* share of a core that others used on the cores */
double cost_seconds(const struct cost *self);
bool cost_is_alone(const struct cost *self); /* there is a core for each process */

#endif
