/* usage - what this process takes of its host, read from /proc/self. */
#ifndef ACTORS_RUNTIME_USAGE_H
#define ACTORS_RUNTIME_USAGE_H

#include <stdint.h>

struct usage {
    uint64_t cpu_us; /* user and system time since its start */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t fds, fds_max, threads;
    double start_s; /* Unix time */
};

/* What cannot be read is 0. Takes some 50 us: for once a second. */
struct usage usage_read(void);

#endif
