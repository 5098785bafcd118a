/* test_reply_counts - a place is found again for its own method and status, and for no other,
 * however many there are. */
#include "actors/runtime/reply_counts.h"

#include <stdio.h>

#include "tests/support/suite.h"

#define METHODS 500

static struct reply_counts counts;
static char series[METHODS]; /* only their addresses matter */

static struct name name_number(int number)
{
    char text[32];
    snprintf(text, sizeof text, "Test_Method%d", number);
    return name_of(bytes_of(text));
}

static struct reply_count *put(int number, enum status status, bool *ret_found)
{
    struct name name = name_number(number);
    struct reply_count *place = reply_counts_place(&counts, &name, status, ret_found);
    if (!*ret_found)
        *place = (struct reply_count){
            .method = name, .status = status, .replies = (struct series *)(void *)&series[number]};
    return place;
}

START_TEST(a_place_is_found_again)
{
    bool found = true;
    struct reply_count *place = put(1, STATUS_OK, &found);
    ck_assert(!found);
    ck_assert_ptr_eq(put(1, STATUS_OK, &found), place);
    ck_assert(found);
}
END_TEST

START_TEST(another_status_or_method_has_another_series)
{
    bool found = false;
    (void)put(1, STATUS_OK, &found);
    (void)put(1, STATUS_APP_ERROR, &found);
    ck_assert(!found);
    (void)put(11, STATUS_OK, &found);
    ck_assert(!found);
}
END_TEST

/* Of many more than there are places each is found as itself, or not at all. */
START_TEST(a_place_that_was_taken_over_is_not_found)
{
    bool found = false;
    for (int i = 0; i < METHODS; i++)
        (void)put(i, STATUS_OK, &found);
    unsigned kept = 0;
    for (int i = METHODS - 1; i >= 0; i--) {
        struct name name = name_number(i);
        struct reply_count *place = reply_counts_place(&counts, &name, STATUS_OK, &found);
        kept += found;
        if (found)
            ck_assert_ptr_eq(place->replies, (struct series *)(void *)&series[i]);
    }
    ck_assert_uint_gt(kept, 0);
    ck_assert_uint_le(kept, REPLY_COUNTS_PLACES);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_place_is_found_again);
    tcase_add_test(tcase, another_status_or_method_has_another_series);
    tcase_add_test(tcase, a_place_that_was_taken_over_is_not_found);
}

int main(void)
{
    return suite_run("reply_counts", add_tests);
}
