/* test_calls - a number names its call while that has no end, and never any other; ends come out in
 * the order they went in, with bytes of their own. */
#include <string.h>

#include "actors/client/calls.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define MAX 8u
#define ROUNDS 10000

static struct calls calls;

static void setup(void)
{
    calls_init(&calls, MAX);
}

static void teardown(void)
{
    calls_fini(&calls);
}

START_TEST(a_number_is_never_used_twice_and_finds_only_its_own)
{
    static uint64_t numbers[ROUNDS];
    uint64_t open[MAX], seed = 1;
    unsigned count = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned victim = (unsigned)(random_next(&seed) % MAX);
        if (count == MAX) {
            calls_free(&calls, calls_find(&calls, open[victim]));
            ck_assert_ptr_null(calls_find(&calls, open[victim]));
            open[victim] = open[--count];
        }
        numbers[i] = open[count++] = calls_take(&calls, NULL, NULL, i);
        ck_assert_uint_ne(numbers[i], 0);
        ck_assert_int_eq(calls_find(&calls, numbers[i])->submitted_at, i);
        ck_assert_uint_eq(calls.count, count);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool is_open = false;
        for (unsigned j = 0; j < count; j++)
            is_open = is_open || open[j] == numbers[i];
        ck_assert((calls_find(&calls, numbers[i]) != NULL) == is_open);
    }
    ck_assert_uint_eq(calls.peak, MAX);
    ck_assert_ptr_null(calls_find(&calls, 0));
    ck_assert_ptr_null(calls_find(&calls, UINT64_MAX));
    ck_assert_ptr_null(calls_find(&calls, (uint64_t)(MAX + 1) << 32 | 1));
}
END_TEST

START_TEST(ends_come_out_in_order_with_bytes_of_their_own)
{
    char body[] = "body";
    struct endings endings;
    struct fact_reply reply = {.instance = bytes_of("w"), .body = bytes_of(body)};
    struct call call = {.done = NULL};
    endings_init(&endings);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 5; i++) {
            reply.call = i;
            endings_push(&endings, ending_new(&call, &reply));
        }
        body[0] = 'x';
        for (uint64_t i = 0; i < 4; i++) {
            struct ending *ending = endings_pop(&endings);
            ck_assert_uint_eq(ending->reply.call, i);
            ck_assert(bytes_are(ending->reply.instance, "w"));
            ck_assert(bytes_are(ending->reply.body, "body"));
            free(ending);
        }
        endings_drop(&endings);
        ck_assert_ptr_null(endings_pop(&endings));
        body[0] = 'b';
    }
}
END_TEST

START_TEST(what_was_absent_stays_absent)
{
    struct fact_reply reply = {.status = STATUS_CANCELLED};
    struct ending *ending = ending_new(&(struct call){.done = NULL}, &reply);
    ck_assert_ptr_null(ending->reply.body.data);
    ck_assert_ptr_null(ending->reply.instance.data);
    free(ending);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_number_is_never_used_twice_and_finds_only_its_own);
    tcase_add_test(tcase, ends_come_out_in_order_with_bytes_of_their_own);
    tcase_add_test(tcase, what_was_absent_stays_absent);
}

int main(void)
{
    return suite_run("calls", add_tests);
}
