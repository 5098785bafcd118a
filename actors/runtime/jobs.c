/* jobs - see jobs.h.
 *
 * One lock covers the heap of what waits, the table of what runs and the line of what is done; it
 * is never held while a job runs. It is held while one is interrupted: so the thread that is meant
 * cannot have gone on to the next job. */
#include "actors/runtime/jobs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* One that waits. Of two with one deadline the older goes first. */
struct waiting {
    struct job *job;
    int64_t deadline_at;
    uint64_t number;
};

struct thread {
    struct jobs *jobs;
    pthread_t handle;
    unsigned index;
    void *state;         /* of its owner's making; set before it takes a job */
    struct job *running; /* NULL: idle */
    bool interrupted;    /* the one that runs has been told */
    bool ended;          /* it is about to return */
    bool joined;
};

struct jobs {
    struct jobs_threads owner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    int event_fd;
    uint64_t next_number;
    size_t out;
    size_t heap_count;
    struct waiting heap[JOBS_MAX]; /* nearest deadline first */
    size_t done_first, done_count;
    struct job *done[JOBS_MAX]; /* a ring */
    struct thread threads[JOB_THREADS_MAX];
};

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static bool is_before(const struct waiting *left, const struct waiting *right)
{
    return left->deadline_at != right->deadline_at ? left->deadline_at < right->deadline_at
                                                   : left->number < right->number;
}

static void swap(struct jobs *self, size_t left, size_t right)
{
    struct waiting kept = self->heap[left];
    self->heap[left] = self->heap[right];
    self->heap[right] = kept;
}

static void sift_up(struct jobs *self, size_t at)
{
    for (; at > 0 && is_before(&self->heap[at], &self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(self, at, (at - 1) / 2);
}

static void sift_down(struct jobs *self, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < self->heap_count && is_before(&self->heap[child], &self->heap[least]))
                least = child;
        if (least == at)
            return;
        swap(self, at, least);
        at = least;
    }
}

/* Take the one at this place out of the heap. */
static struct job *heap_remove(struct jobs *self, size_t at)
{
    assert(at < self->heap_count);
    struct job *job = self->heap[at].job;
    self->heap[at] = self->heap[--self->heap_count];
    if (at < self->heap_count) {
        sift_down(self, at);
        sift_up(self, at);
    }
    return job;
}

/* The lock is held. */
static void give_back(struct jobs *self, struct job *job)
{
    uint64_t one = 1;
    assert(self->done_count < JOBS_MAX); /* no more than are out */
    self->done[(self->done_first + self->done_count++) % JOBS_MAX] = job;
    while (write(self->event_fd, &one, sizeof one) < 0)
        assert(errno == EINTR);
}

/* The next one to run, NULL: the thread is to end. Waits; the lock is held. */
static struct job *next_job(struct jobs *self)
{
    for (;;) {
        if (self->stopping)
            return NULL;
        if (self->heap_count == 0) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        int64_t deadline_at = self->heap[0].deadline_at;
        struct job *job = heap_remove(self, 0);
        if (monotonic_us() < deadline_at)
            return job;
        give_back(self, job);
    }
}

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    struct jobs *self = thread->jobs;
    thread->state = self->owner.start(self->owner.state, thread->index);
    pthread_mutex_lock(&self->lock);
    for (struct job *job = next_job(self); job != NULL; job = next_job(self)) {
        thread->running = job;
        thread->interrupted = false;
        job->started = true;
        pthread_mutex_unlock(&self->lock);
        job->run(job, thread->state);
        pthread_mutex_lock(&self->lock);
        thread->running = NULL;
        give_back(self, job);
    }
    pthread_mutex_unlock(&self->lock);
    self->owner.stop(self->owner.state, thread->state);
    pthread_mutex_lock(&self->lock);
    thread->ended = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* Signals are the loop's: no thread of ours takes one. */
static void start_threads(struct jobs *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < self->owner.count; i++) {
        self->threads[i] = (struct thread){.jobs = self, .index = i};
        int error = pthread_create(&self->threads[i].handle, NULL, thread_main, &self->threads[i]);
        assert(error == 0);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct jobs *jobs_new(const struct jobs_threads *threads)
{
    struct jobs *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(threads->count > 0);
    assert(threads->count <= JOB_THREADS_MAX);
    self->owner = *threads;
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(self->event_fd >= 0);
    int error = pthread_mutex_init(&self->lock, NULL);
    assert(error == 0);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    assert(error == 0);
    error = pthread_cond_init(&self->changed, &attributes);
    assert(error == 0);
    (void)pthread_condattr_destroy(&attributes);
    start_threads(self);
    return self;
}

/* The lock is held. */
static void interrupt(struct thread *thread)
{
    struct job *job = thread->running;
    if (job == NULL || thread->interrupted)
        return;
    thread->interrupted = true;
    job->cancelled = true;
    if (job->interrupt != NULL)
        job->interrupt(job, thread->state);
}

/* Wait until all threads have ended, or it is too late; the lock is held. */
static void await_end(struct jobs *self, int64_t until_at)
{
    const struct timespec until = {until_at / US_PER_S, until_at % US_PER_S * 1000};
    for (unsigned i = 0; i < self->owner.count; i++)
        while (!self->threads[i].ended &&
               pthread_cond_timedwait(&self->changed, &self->lock, &until) == 0)
            ;
}

/* Join those that have ended; false: some have not. */
static bool join_ended(struct jobs *self)
{
    bool all = true;
    for (unsigned i = 0; i < self->owner.count; i++) {
        struct thread *thread = &self->threads[i];
        pthread_mutex_lock(&self->lock);
        bool ended = thread->ended;
        pthread_mutex_unlock(&self->lock);
        all = all && ended;
        if (!ended || thread->joined)
            continue;
        int error = pthread_join(thread->handle, NULL);
        assert(error == 0);
        thread->joined = true;
    }
    return all;
}

bool jobs_stop(struct jobs *self, int64_t wait_us)
{
    int64_t until_at = monotonic_us() + wait_us;
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    while (self->heap_count > 0)
        give_back(self, heap_remove(self, 0));
    for (unsigned i = 0; i < self->owner.count; i++)
        interrupt(&self->threads[i]);
    pthread_cond_broadcast(&self->changed);
    await_end(self, until_at);
    pthread_mutex_unlock(&self->lock);
    return join_ended(self);
}

void jobs_destroy(struct jobs **self_p)
{
    struct jobs *self = *self_p;
    if (self == NULL)
        return;
    assert(self->stopping);
    assert(self->out == 0);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    (void)close(self->event_fd);
    free(self);
    *self_p = NULL;
}

enum status jobs_start(struct jobs *self, struct job *job)
{
    assert(job->run != NULL);
    pthread_mutex_lock(&self->lock);
    bool full = self->out == JOBS_MAX || self->stopping;
    if (!full) {
        job->started = false;
        job->cancelled = false;
        self->out++;
        self->heap[self->heap_count++] =
            (struct waiting){job, job->deadline_at, self->next_number++};
        sift_up(self, self->heap_count - 1);
        pthread_cond_signal(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return full ? STATUS_BUSY_FULL : STATUS_OK;
}

void jobs_cancel(struct jobs *self, struct job *job)
{
    pthread_mutex_lock(&self->lock);
    job->cancelled = true;
    size_t at = 0;
    while (at < self->heap_count && self->heap[at].job != job)
        at++;
    if (at < self->heap_count)
        give_back(self, heap_remove(self, at));
    for (unsigned i = 0; i < self->owner.count; i++)
        if (self->threads[i].running == job)
            interrupt(&self->threads[i]);
    pthread_mutex_unlock(&self->lock);
}

void jobs_expire(struct jobs *self, int64_t now_at)
{
    pthread_mutex_lock(&self->lock);
    while (self->heap_count > 0 && self->heap[0].deadline_at <= now_at)
        give_back(self, heap_remove(self, 0));
    pthread_mutex_unlock(&self->lock);
}

int jobs_fd(const struct jobs *self)
{
    return self->event_fd;
}

struct job *jobs_take(struct jobs *self)
{
    uint64_t count;
    struct job *job = NULL;
    pthread_mutex_lock(&self->lock);
    if (self->done_count > 0) {
        job = self->done[self->done_first];
        self->done_first = (self->done_first + 1) % JOBS_MAX;
        self->done_count--;
        self->out--;
    } else {
        (void)!read(self->event_fd, &count, sizeof count); /* EAGAIN: it was quiet already */
    }
    pthread_mutex_unlock(&self->lock);
    return job;
}

size_t jobs_waiting(struct jobs *self)
{
    pthread_mutex_lock(&self->lock);
    size_t waiting = self->heap_count;
    pthread_mutex_unlock(&self->lock);
    return waiting;
}

size_t jobs_out(struct jobs *self)
{
    pthread_mutex_lock(&self->lock);
    size_t out = self->out;
    pthread_mutex_unlock(&self->lock);
    return out;
}
