/* usage - see usage.h. source: proc(5), getrusage(2) */
#include "actors/runtime/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define US_PER_SECOND 1000000u
#define STAT_THREADS 20 /* fields of /proc/self/stat, from 1 */
#define STAT_START 22
#define STAT_VIRTUAL 23
#define STAT_RESIDENT 24

static uint64_t count_fds(void)
{
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the one that is read */
}

/* Unix time of a moment given in clock ticks since boot. */
static double since_boot(unsigned long long ticks)
{
    struct timespec wall, boot;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted_s =
        (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return booted_s + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void read_stat(struct usage *ret)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "r");
    if (file == NULL)
        return;
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    char *at = strrchr(text, ')'); /* the name before it may hold anything */
    char *rest = NULL;
    if (at == NULL)
        return;
    int field = 3;
    for (char *word = strtok_r(at + 1, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest), field++) {
        unsigned long long number = strtoull(word, NULL, 10);
        if (field == STAT_THREADS)
            ret->threads = number;
        else if (field == STAT_START)
            ret->start_s = since_boot(number);
        else if (field == STAT_VIRTUAL)
            ret->virtual_bytes = number;
        else if (field == STAT_RESIDENT)
            ret->resident_bytes = number * (uint64_t)sysconf(_SC_PAGESIZE);
    }
}

struct usage usage_read(void)
{
    struct usage usage = {.fds = count_fds()};
    struct rusage spent;
    struct rlimit limit;
    read_stat(&usage);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.fds_max = limit.rlim_cur;
    if (getrusage(RUSAGE_SELF, &spent) == 0)
        usage.cpu_us = (uint64_t)(spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) * US_PER_SECOND +
                       (uint64_t)(spent.ru_utime.tv_usec + spent.ru_stime.tv_usec);
    return usage;
}
