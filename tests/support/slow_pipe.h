/* slow_pipe - the bytes that are on their way through a bad link, in one direction, and when they
 * may come out. Pure: points in time (_at) are monotonic microseconds, given by its owner.
 *
 * What goes in comes out, whole and in order, never sooner than its terms say. */
#ifndef TESTS_SUPPORT_SLOW_PIPE_H
#define TESTS_SUPPORT_SLOW_PIPE_H

#include <stddef.h>
#include <stdint.h>

#define SLOW_PIPE_BYTES_MAX 262144u /* more has to wait outside, as on any link */
#define SLOW_PIPE_MARKS_MAX                                                                        \
    1024u /* parts with a time of their own; more: the last one waits for                          \
           * the newest time */
#define SLOW_PIPE_SLICE_GAP_US 1000 /* between two slices */

/* How bad it is; all 0: not at all. They may change while bytes are inside. */
struct slow_terms {
    int64_t latency_us, jitter_us; /* each part takes so long, and up to so much more */
    uint64_t bytes_per_s;          /* 0: no bound */
    uint64_t slice_bytes;          /* so many at a time; 0: as they come */
};

struct slow_pipe {
    char data[SLOW_PIPE_BYTES_MAX];
    uint64_t put, taken; /* bytes, ever; their place is modulo the room */
    struct {
        uint64_t end; /* of put */
        int64_t due_at;
    } marks[SLOW_PIPE_MARKS_MAX]; /* a ring, oldest first */
    size_t mark_first, mark_count;
    int64_t free_at;   /* nothing leaves before */
    uint64_t jittered; /* state of chance; zeroed is a seed as good as any */
};

/* Room for the next bytes, in one piece; 0: it is full. *ret: where they go. */
size_t slow_pipe_room(struct slow_pipe *self, char **ret);

/* So many of them have been written there. */
void slow_pipe_put(struct slow_pipe *self, size_t size, const struct slow_terms *terms,
                   int64_t now_at);

/* The bytes that may come out now, in one piece; 0: none. */
size_t slow_pipe_ready(const struct slow_pipe *self, const struct slow_terms *terms, int64_t now_at,
                       const char **ret);

/* So many of them have. */
void slow_pipe_take(struct slow_pipe *self, size_t size, const struct slow_terms *terms,
                    int64_t now_at);

/* When the next may; INT64_MAX: it is empty. */
int64_t slow_pipe_due_at(const struct slow_pipe *self, const struct slow_terms *terms);

size_t slow_pipe_held(const struct slow_pipe *self);

#endif
