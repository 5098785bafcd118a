/* test_jobs - each job that was started is given back exactly once: run, cancelled while it waits
 * or while it runs, too late, or out when the threads end, which does not wait for ever; the
 * nearest deadline goes first; a full table refuses; threads share nothing that the thread
 * sanitizer would see. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "actors/runtime/jobs.h"
#include "tests/support/suite.h"

#define FAR_AT INT64_MAX
#define RANDOM_JOBS 5000

struct work {
    struct job job;
    atomic_uint runs, interrupts;
    unsigned returns; /* on the loop's thread only */
    int order;        /* of its run, from 1 */
    bool waits;       /* runs until it is cancelled */
};

static struct jobs *jobs;
static atomic_int gate_open; /* the first job holds the only thread until then */
static atomic_int run_count, thread_starts, thread_stops;

static void setup(void)
{
    gate_open = run_count = thread_starts = thread_stops = 0;
}

static int64_t clock_at(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void *on_thread_start(void *state, unsigned index)
{
    ck_assert_ptr_eq(state, &run_count);
    thread_starts++;
    return (char *)&thread_starts + index; /* any address of its own */
}

static void on_thread_stop(void *state, void *thread_state)
{
    (void)state;
    ck_assert_ptr_nonnull(thread_state);
    thread_stops++;
}

static void open_with(unsigned threads)
{
    jobs = jobs_new(&(struct jobs_threads){threads, &run_count, on_thread_start, on_thread_stop});
}

static void run(struct job *job, void *thread_state)
{
    struct work *work = (struct work *)job;
    ck_assert_ptr_nonnull(thread_state);
    work->order = ++run_count;
    work->runs++;
    while (work->waits && !job->cancelled)
        sched_yield();
}

static void run_gate(struct job *job, void *thread_state)
{
    (void)job, (void)thread_state;
    while (!gate_open)
        sched_yield();
}

static void on_interrupt(struct job *job, void *thread_state)
{
    ck_assert_ptr_nonnull(thread_state);
    ((struct work *)job)->interrupts++;
}

static struct work *new_work(size_t count, int64_t deadline_at)
{
    struct work *works = calloc(count, sizeof *works);
    for (size_t i = 0; i < count; i++)
        works[i].job =
            (struct job){.run = run, .interrupt = on_interrupt, .deadline_at = deadline_at};
    return works;
}

/* Take the next back; waits for it under the suite's deadline. */
static struct work *take(void)
{
    for (;;) {
        struct job *job = jobs_take(jobs);
        if (job != NULL) {
            ((struct work *)job)->returns++;
            return (struct work *)job;
        }
        struct pollfd item = {jobs_fd(jobs), POLLIN, 0};
        ck_assert_int_ge(poll(&item, 1, 60000), 0);
    }
}

static void take_many(size_t count)
{
    for (size_t i = 0; i < count; i++)
        take();
    ck_assert_ptr_null(jobs_take(jobs));
    ck_assert_uint_eq(jobs_out(jobs), 0);
}

static void close_all(void)
{
    ck_assert(jobs_stop(jobs, 60 * US_PER_S));
    while (jobs_take(jobs) != NULL)
        ;
    jobs_destroy(&jobs);
    ck_assert_ptr_null(jobs);
    ck_assert_int_eq(thread_starts, thread_stops);
}

/* Hold the only thread, so that what is started waits. */
static void hold_thread(struct work *gate)
{
    gate->job.run = run_gate;
    gate->job.deadline_at = FAR_AT;
    ck_assert_int_eq(jobs_start(jobs, &gate->job), STATUS_OK);
    while (jobs_waiting(jobs) > 0)
        sched_yield();
}

START_TEST(the_nearest_deadline_runs_first)
{
    struct work gate = {.runs = 0};
    struct work *works = new_work(100, 0);
    uint64_t seed = 7;
    open_with(1);
    hold_thread(&gate);
    for (int i = 0; i < 100; i++) {
        works[i].job.deadline_at = FAR_AT - (int64_t)(random_next(&seed) % 50);
        ck_assert_int_eq(jobs_start(jobs, &works[i].job), STATUS_OK);
    }
    gate_open = 1;
    take_many(101);
    for (int i = 0; i < 100; i++)
        for (int j = 0; j < i; j++)
            ck_assert_int_eq(works[j].order < works[i].order,
                             works[j].job.deadline_at <= works[i].job.deadline_at);
    close_all();
    free(works);
}
END_TEST

/* Seed 9. Those in the middle are withdrawn; the order of the rest stays. */
START_TEST(the_order_survives_what_is_withdrawn)
{
    struct work gate = {.runs = 0};
    struct work *works = new_work(200, 0);
    uint64_t seed = 9;
    open_with(1);
    hold_thread(&gate);
    for (int i = 0; i < 200; i++) {
        works[i].job.deadline_at = FAR_AT - (int64_t)(random_next(&seed) % 100000);
        ck_assert_int_eq(jobs_start(jobs, &works[i].job), STATUS_OK);
    }
    for (int i = 0; i < 150; i++)
        jobs_cancel(jobs, &works[random_next(&seed) % 200].job);
    gate_open = 1;
    take_many(201);
    for (int i = 0; i < 200; i++)
        for (int j = 0; j < 200; j++)
            if (works[i].order > 0 && works[j].order > works[i].order)
                ck_assert_int_le(works[i].job.deadline_at, works[j].job.deadline_at);
    close_all();
    free(works);
}
END_TEST

START_TEST(what_comes_too_late_is_not_run)
{
    struct work gate = {.runs = 0};
    struct work *works = new_work(3, clock_at() - 1);
    open_with(1);
    hold_thread(&gate);
    works[2].job.deadline_at = FAR_AT;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jobs_start(jobs, &works[i].job), STATUS_OK);
    jobs_expire(jobs, clock_at()); /* while the only thread is held */
    ck_assert_ptr_ne(take(), &works[2]);
    ck_assert_ptr_ne(take(), &works[2]);
    ck_assert_ptr_null(jobs_take(jobs));
    works[0].job.deadline_at = clock_at() - 1;
    ck_assert_int_eq(jobs_start(jobs, &works[0].job), STATUS_OK);
    gate_open = 1;
    take_many(3);
    ck_assert_uint_eq(works[0].runs + works[1].runs, 0);
    ck_assert(!works[0].job.started && !works[1].job.started && works[2].job.started);
    ck_assert_uint_eq(works[2].runs, 1);
    close_all();
    free(works);
}
END_TEST

START_TEST(cancelled_while_it_waits_it_is_not_run)
{
    struct work gate = {.runs = 0};
    struct work *works = new_work(2, FAR_AT);
    open_with(1);
    hold_thread(&gate);
    ck_assert_int_eq(jobs_start(jobs, &works[0].job), STATUS_OK);
    ck_assert_int_eq(jobs_start(jobs, &works[1].job), STATUS_OK);
    jobs_cancel(jobs, &works[0].job);
    ck_assert_ptr_eq(take(), &works[0]);
    gate_open = 1;
    take_many(2);
    ck_assert_uint_eq(works[0].runs, 0);
    ck_assert_uint_eq(works[0].interrupts, 0);
    ck_assert(works[0].job.cancelled);
    close_all();
    free(works);
}
END_TEST

START_TEST(cancelled_while_it_runs_it_is_interrupted_once)
{
    struct work *works = new_work(1, FAR_AT);
    open_with(2);
    works[0].waits = true;
    ck_assert_int_eq(jobs_start(jobs, &works[0].job), STATUS_OK);
    while (works[0].runs == 0)
        sched_yield();
    jobs_cancel(jobs, &works[0].job);
    jobs_cancel(jobs, &works[0].job);
    take_many(1);
    ck_assert_uint_le(works[0].interrupts, 1);
    ck_assert(works[0].job.started && works[0].job.cancelled);
    close_all();
    free(works);
}
END_TEST

START_TEST(a_full_table_refuses)
{
    struct work gate = {.runs = 0};
    struct work *works = new_work(JOBS_MAX, FAR_AT);
    open_with(1);
    hold_thread(&gate);
    for (size_t i = 0; i + 1 < JOBS_MAX; i++)
        ck_assert_int_eq(jobs_start(jobs, &works[i].job), STATUS_OK);
    ck_assert_int_eq(jobs_start(jobs, &works[JOBS_MAX - 1].job), STATUS_BUSY_FULL);
    gate_open = 1;
    take_many(JOBS_MAX);
    ck_assert_int_eq(jobs_start(jobs, &works[JOBS_MAX - 1].job), STATUS_OK);
    take_many(1);
    for (size_t i = 0; i < JOBS_MAX; i++)
        ck_assert_uint_eq(works[i].returns, 1);
    close_all();
    free(works);
}
END_TEST

/* Some run, some wait, some are done and not taken. */
START_TEST(the_end_gives_back_all_that_is_out)
{
    struct work *works = new_work(50, FAR_AT);
    open_with(4);
    for (int i = 0; i < 50; i++) {
        works[i].waits = i >= 10;
        ck_assert_int_eq(jobs_start(jobs, &works[i].job), STATUS_OK);
    }
    ck_assert(jobs_stop(jobs, 60 * US_PER_S));
    struct work late = {.job = {.run = run, .deadline_at = FAR_AT}};
    ck_assert_int_eq(jobs_start(jobs, &late.job), STATUS_BUSY_FULL);
    take_many(50);
    for (int i = 0; i < 50; i++)
        ck_assert_uint_eq(works[i].returns, 1);
    jobs_destroy(&jobs);
    ck_assert_int_eq(thread_starts, thread_stops);
    free(works);
}
END_TEST

START_TEST(the_end_does_not_wait_for_what_does_not_end)
{
    struct work *works = new_work(2, FAR_AT);
    open_with(1);
    hold_thread(&works[0]);
    ck_assert_int_eq(jobs_start(jobs, &works[1].job), STATUS_OK);
    ck_assert(!jobs_stop(jobs, US_PER_MS));
    ck_assert(works[0].job.cancelled);
    ck_assert_ptr_eq(take(), &works[1]);
    ck_assert_uint_eq(jobs_out(jobs), 1);
    gate_open = 1;
    close_all();
    free(works);
}
END_TEST

/* Seed 11. Started, cancelled, expired and taken in any order. */
START_TEST(each_job_comes_back_exactly_once)
{
    struct work *works = new_work(RANDOM_JOBS, FAR_AT);
    uint64_t seed = 11;
    size_t started = 0, taken = 0;
    open_with(4);
    while (taken < RANDOM_JOBS) {
        uint64_t dice = random_next(&seed) % 8;
        struct job *job;
        if (dice < 4 && started < RANDOM_JOBS) {
            works[started].waits = random_next(&seed) % 16 == 0;
            if (random_next(&seed) % 8 == 0)
                works[started].job.deadline_at = clock_at() + (int64_t)(random_next(&seed) % 200);
            if (jobs_start(jobs, &works[started].job) == STATUS_OK)
                started++;
        } else if (dice == 4 && started > 0) {
            struct work *work = &works[random_next(&seed) % started];
            if (work->returns == 0)
                jobs_cancel(jobs, &work->job);
        } else if (dice == 5) {
            jobs_expire(jobs, clock_at());
        } else if ((job = jobs_take(jobs)) != NULL) {
            ((struct work *)job)->returns++;
            taken++;
        }
        for (size_t i = 0; started == RANDOM_JOBS && i < RANDOM_JOBS; i++)
            if (works[i].waits && works[i].returns == 0 && !works[i].job.cancelled)
                jobs_cancel(jobs, &works[i].job);
    }
    for (size_t i = 0; i < RANDOM_JOBS; i++) {
        ck_assert_uint_eq(works[i].returns, 1);
        ck_assert_uint_eq(works[i].runs, works[i].job.started ? 1 : 0);
        ck_assert_uint_le(works[i].interrupts, works[i].runs);
    }
    ck_assert_uint_eq(jobs_out(jobs), 0);
    close_all();
    free(works);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, the_nearest_deadline_runs_first);
    tcase_add_test(tcase, the_order_survives_what_is_withdrawn);
    tcase_add_test(tcase, what_comes_too_late_is_not_run);
    tcase_add_test(tcase, cancelled_while_it_waits_it_is_not_run);
    tcase_add_test(tcase, cancelled_while_it_runs_it_is_interrupted_once);
    tcase_add_test(tcase, a_full_table_refuses);
    tcase_add_test(tcase, the_end_gives_back_all_that_is_out);
    tcase_add_test(tcase, the_end_does_not_wait_for_what_does_not_end);
    tcase_add_test(tcase, each_job_comes_back_exactly_once);
}

int main(void)
{
    return suite_run("jobs", add_tests);
}
