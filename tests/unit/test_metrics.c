/* test_metrics - a series is found again by its labels and by nothing else; a histogram counts each
 * value once, in the bucket whose edge it does not pass; beyond the cap samples are counted as
 * dropped and nothing else changes; the snapshot says what the registry holds. */
#include <string.h>

#include "actors/runtime/metrics.h"
#include "protocol/message.h"
#include "tests/support/suite.h"

#define SNAPSHOT_BYTES (1u << 20)

static struct metrics *metrics;
static char bytes[SNAPSHOT_BYTES];

static void setup(void)
{
    metrics = metrics_new(64);
}

static void teardown(void)
{
    metrics_destroy(&metrics);
    ck_assert_ptr_null(metrics);
}

static double count_of(enum metric metric, const char *const *labels)
{
    return series_value(metrics_series(metrics, metric, labels));
}

/* The family of this name in a snapshot; asserts that it is there. */
static struct msg_metric_family family_of(const char *name)
{
    struct msg_metrics snapshot;
    struct msg_metric_family family;
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    metrics_write(metrics, &writer);
    ck_assert_int_eq(message_decode(MSG_METRICS, writer_bytes(&writer), &snapshot), STATUS_OK);
    struct values families = values_over(snapshot.families);
    struct bytes value;
    while (values_next(&families, &value)) {
        ck_assert_int_eq(message_decode(MSG_METRIC_FAMILY, value, &family), STATUS_OK);
        if (bytes_are(family.name, name))
            return family;
    }
    ck_abort_msg("no family %s", name);
    return family;
}

static struct msg_metric_series only_series(struct msg_metric_family family)
{
    struct msg_metric_series series;
    struct bytes value;
    struct values list = values_over(family.series);
    ck_assert_uint_eq(list.left, 1);
    ck_assert(values_next(&list, &value));
    ck_assert_int_eq(message_decode(MSG_METRIC_SERIES, value, &series), STATUS_OK);
    return series;
}

START_TEST(the_catalogue_keeps_its_rules)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        size_t size = strlen(row->name);
        bool is_total = size > 6 && strcmp(row->name + size - 6, "_total") == 0;
        ck_assert_int_eq(is_total, row->kind == METRIC_COUNTER);
        ck_assert_uint_gt(strlen(row->doc), 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(row->name, metric_rows[j].name);
    }
}
END_TEST

START_TEST(a_series_is_found_by_its_labels_alone)
{
    char copy[] = "driver";
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS("driver", "OK"), 1);
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS("driver", "INTERNAL"), 10);
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS("driverO", "K"), 100);
    metrics_add(metrics, METRIC_MESSAGES_TOTAL, LABELS("driver", "OK"), 1000);
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS(copy, "OK"), 1);
    ck_assert_double_eq(count_of(METRIC_REPLIES_TOTAL, LABELS("driver", "OK")), 2);
    ck_assert_double_eq(count_of(METRIC_REPLIES_TOTAL, LABELS("driver", "INTERNAL")), 10);
    ck_assert_double_eq(count_of(METRIC_REPLIES_TOTAL, LABELS("driverO", "K")), 100);
}
END_TEST

START_TEST(a_handle_stays)
{
    char name[16];
    struct series *first = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("asks"));
    series_set(first, .5);
    for (int i = 0; i < 63; i++) {
        (void)snprintf(name, sizeof name, "b%d", i);
        metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS(name), i);
    }
    ck_assert_ptr_eq(metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("asks")), first);
    ck_assert_double_eq(series_value(first), .5);
}
END_TEST

/* An edge belongs to the bucket below it; what is above the last is counted, too. */
START_TEST(a_value_on_an_edge_is_within_it)
{
    const double *edges;
    uint64_t count = 0, sum = 0;
    size_t edge_count = metric_buckets(METRIC_SECONDS, &edges);
    for (size_t i = 0; i < edge_count; i++) {
        metrics_observe(metrics, METRIC_LOOP_LAG_SECONDS, NO_LABELS, edges[i]);
        ck_assert(i == 0 || edges[i] > edges[i - 1]);
    }
    metrics_observe(metrics, METRIC_LOOP_LAG_SECONDS, NO_LABELS, edges[edge_count - 1] * 1.0001);
    struct msg_metric_series series = only_series(family_of("fact_loop_lag_seconds"));
    struct values buckets = values_over(series.buckets);
    struct bytes value;
    ck_assert_uint_eq(buckets.left, edge_count + 1);
    while (values_next(&buckets, &value) && value_u64(value, &count)) {
        ck_assert_uint_eq(count, 1);
        sum += count;
    }
    ck_assert_uint_eq(sum, series.count);
    ck_assert_uint_eq(series.count, edge_count + 1);
}
END_TEST

START_TEST(beyond_the_cap_samples_are_counted_and_lost)
{
    char name[16];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "b%d", i);
        metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS(name), i);
    }
    metrics_observe(metrics, METRIC_LOOP_LAG_SECONDS, NO_LABELS, 1);
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS("driver", "OK"), 1);
    ck_assert_double_eq(count_of(METRIC_BOUND_USED_RATIO, LABELS("b63")), 63);
    struct series *dropped = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("b64"));
    ck_assert_double_eq(series_value(dropped), 0);
    ck_assert_uint_eq(series_observed(dropped), 38);
    ck_assert_uint_eq(values_count(family_of("fact_bound_used_ratio").series), 64);
}
END_TEST

START_TEST(a_long_label_is_cut_and_still_found)
{
    char label[200];
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS(label), 1);
    label[METRIC_LABEL_BYTES_MAX] = '\0';
    ck_assert_double_eq(count_of(METRIC_BOUND_USED_RATIO, LABELS(label)), 1);
}
END_TEST

START_TEST(the_process_knows_itself)
{
    metrics_sample_process(metrics);
    metrics_sample_process(metrics);
    ck_assert_double_gt(count_of(METRIC_PROCESS_RESIDENT_MEMORY_BYTES, NO_LABELS), 100000);
    ck_assert_double_ge(count_of(METRIC_PROCESS_OPEN_FDS, NO_LABELS), 3);
    ck_assert_double_ge(count_of(METRIC_PROCESS_THREADS, NO_LABELS), 1);
    ck_assert_double_gt(count_of(METRIC_PROCESS_START_TIME_SECONDS, NO_LABELS), 1.6e9);
    struct msg_metric_family family = family_of("process_resident_memory_bytes");
    ck_assert(bytes_are(family.kind, "gauge"));
    ck_assert(bytes_are(family.unit, "bytes"));
    ck_assert(bytes_are(family_of("fact_build_info").labels, "version,libzmq"));
}
END_TEST

/* Every size of buffer: all of it, or full. */
START_TEST(a_snapshot_that_does_not_fit_is_none)
{
    struct writer writer;
    metrics_add(metrics, METRIC_REPLIES_TOTAL, LABELS("driver", "OK"), 1);
    writer_init(&writer, bytes, sizeof bytes);
    metrics_write(metrics, &writer);
    size_t whole = writer_bytes(&writer).size;
    for (size_t size = 0; size < whole; size++) {
        char *room = malloc(size + 1);
        writer_init(&writer, room, size);
        metrics_write(metrics, &writer);
        ck_assert_ptr_null(writer_bytes(&writer).data);
        free(room);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_catalogue_keeps_its_rules);
    tcase_add_test(tcase, a_series_is_found_by_its_labels_alone);
    tcase_add_test(tcase, a_handle_stays);
    tcase_add_test(tcase, a_value_on_an_edge_is_within_it);
    tcase_add_test(tcase, beyond_the_cap_samples_are_counted_and_lost);
    tcase_add_test(tcase, a_long_label_is_cut_and_still_found);
    tcase_add_test(tcase, the_process_knows_itself);
    tcase_add_test(tcase, a_snapshot_that_does_not_fit_is_none);
}

int main(void)
{
    return suite_run("metrics", add_tests);
}
