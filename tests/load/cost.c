/* cost - see cost.h. The CPU clock of a process counts nanoseconds, where /proc/PID/stat counts
 * ticks of 10 ms; what a core has done as a whole is only there in ticks. */
#include "tests/load/cost.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/limits.h"

#define PATH_BYTES 320
#define LINE_BYTES 512

const char *const part_names[PART_COUNT] = {
    [PART_CLIENT] = "client",       [PART_BROKER] = "broker", [PART_DRIVER] = "driver",
    [PART_PARTITION] = "partition", [PART_WORKER] = "worker", [PART_REMOTE] = "remote"};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        return 0;
    return time.tv_sec * US_PER_S * 1000 + time.tv_nsec;
}

static int64_t sleeps_of_thread(int pid, const char *thread)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    long long sleeps = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/status", pid, thread);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "voluntary_ctxt_switches: %lld", &sleeps) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return sleeps;
}

static int64_t sleeps_of(int pid)
{
    char path[PATH_BYTES];
    int64_t sleeps = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    struct dirent *thread;
    while (threads != NULL && (thread = readdir(threads)) != NULL)
        if (thread->d_name[0] != '.')
            sleeps += sleeps_of_thread(pid, thread->d_name);
    if (threads != NULL)
        closedir(threads);
    return sleeps;
}

static int64_t memory_of(int pid)
{
    char path[PATH_BYTES];
    long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

bool cost_read(int pid, struct usage_of *ret)
{
    clockid_t clock;
    *ret = (struct usage_of){0};
    if (clock_getcpuclockid(pid, &clock) != 0)
        return false;
    *ret = (struct usage_of){
        .cpu_ns = clock_ns(clock), .sleeps = sleeps_of(pid), .memory_bytes = memory_of(pid)};
    return true;
}

/* What these cores have done since the machine's start: all but idle, waiting and stolen. */
static int64_t host_us(const cpu_set_t *cores)
{
    char line[LINE_BYTES];
    long long ticks = 0, v[7];
    unsigned core;
    FILE *file = fopen("/proc/stat", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "cpu%u %lld %lld %lld %lld %lld %lld %lld", &core, v, v + 1, v + 2, v + 3,
                   v + 4, v + 5, v + 6) == 8 &&
            CPU_ISSET(core, cores))
            ticks += v[0] + v[1] + v[2] + v[5] + v[6];
    if (file != NULL)
        fclose(file);
    return ticks * US_PER_S / sysconf(_SC_CLK_TCK);
}

void cost_init(struct cost *self)
{
    memset(self, 0, sizeof *self);
}

bool cost_add(struct cost *self, enum part part, int pid)
{
    cpu_set_t cores;
    struct usage_of usage;
    assert(part < PART_COUNT);
    if (!cost_read(pid, &usage) || sched_getaffinity(pid, sizeof cores, &cores) != 0)
        return false;
    for (unsigned i = 0; i < self->count; i++)
        if (self->processes[i].pid == pid)
            return true;
    if (self->count == COST_PROCESSES_MAX)
        return false;
    CPU_OR(&self->cores, &self->cores, &cores);
    self->processes[self->count++] = (struct cost_process){.part = part, .pid = pid};
    return true;
}

void cost_begin(struct cost *self)
{
    for (unsigned i = 0; i < self->count; i++)
        (void)cost_read(self->processes[i].pid, &self->processes[i].begin);
    self->host_begin_us = host_us(&self->cores);
    self->thread_begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    self->begin_at = clock_ns(CLOCK_MONOTONIC) / 1000;
}

void cost_end(struct cost *self)
{
    self->end_at = clock_ns(CLOCK_MONOTONIC) / 1000;
    self->thread_end_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    self->host_end_us = host_us(&self->cores);
    for (unsigned i = 0; i < self->count; i++)
        if (!cost_read(self->processes[i].pid, &self->processes[i].end))
            self->processes[i].end = self->processes[i].begin; /* it has died meanwhile */
}

double cost_cpu_us(const struct cost *self, enum part part)
{
    int64_t ns = 0;
    for (unsigned i = 0; i < self->count; i++)
        if (self->processes[i].part == part)
            ns += self->processes[i].end.cpu_ns - self->processes[i].begin.cpu_ns;
    return (double)ns / 1e3;
}

double cost_all_cpu_us(const struct cost *self)
{
    double us = 0;
    for (int part = 0; part < PART_COUNT; part++)
        us += cost_cpu_us(self, part);
    return us;
}

double cost_sleeps(const struct cost *self)
{
    int64_t sleeps = 0;
    for (unsigned i = 0; i < self->count; i++)
        sleeps += self->processes[i].end.sleeps - self->processes[i].begin.sleeps;
    return (double)sleeps;
}

double cost_seconds(const struct cost *self)
{
    return (double)(self->end_at - self->begin_at) / (double)US_PER_S;
}

double cost_thread(const struct cost *self)
{
    return (double)(self->thread_end_ns - self->thread_begin_ns) / 1e9 / cost_seconds(self);
}

double cost_foreign(const struct cost *self)
{
    double us = (double)(self->host_end_us - self->host_begin_us) - cost_all_cpu_us(self);
    return us < 0 ? 0 : us / (double)US_PER_S / cost_seconds(self);
}

bool cost_is_alone(const struct cost *self)
{
    return (unsigned)CPU_COUNT(&self->cores) > self->count;
}
