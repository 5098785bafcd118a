/* jobs - blocking work on threads of its own, nearest deadline first.
 *
 * The loop's thread starts jobs, cancels them and takes them back; each is given back exactly once,
 * whether it ran, was cancelled or came too late. Between start and taking back a job belongs to
 * this module. All functions are for the loop's thread alone. */
#ifndef ACTORS_RUNTIME_JOBS_H
#define ACTORS_RUNTIME_JOBS_H

#include "actors/runtime/actor.h"

struct jobs;

/* What the threads have of their own. */
struct jobs_threads {
    unsigned count; /* 1 to JOB_THREADS_MAX */
    void *state;    /* handed to both; what it reaches is shared by all threads */
    void *(*start)(void *state, unsigned index);
    void (*stop)(void *state, void *thread_state);
};

struct jobs *jobs_new(const struct jobs_threads *threads);

/* End the threads: what waits is not run, what runs is cancelled and waited for. All that was out
 * is then there to be taken.
 *
 * wait_us  for all of them together
 * returns  false: some have not ended; they go on, and what they reach must stay as it is. It may
 *          be called again */
MUST_USE bool jobs_stop(struct jobs *self, int64_t wait_us);

/* Asserts that it has been stopped and that nothing is out. */
void jobs_destroy(struct jobs **self_p);

/* returns  OK; BUSY_FULL: JOBS_MAX are out, or the threads have been ended */
MUST_USE enum status jobs_start(struct jobs *self, struct job *job);

/* Cancel one that is out: one that waits is given back next, one that runs is interrupted. */
void jobs_cancel(struct jobs *self, struct job *job);

/* Give back what waits and whose deadline has passed. */
void jobs_expire(struct jobs *self, int64_t now_at);

/* Readable while there may be a job to take; for poll(). */
int jobs_fd(const struct jobs *self);

/* Take the next that is given back; NULL: none now. */
struct job *jobs_take(struct jobs *self);

size_t jobs_waiting(struct jobs *self);
size_t jobs_out(struct jobs *self); /* waiting, running, or not taken back yet */

#endif
