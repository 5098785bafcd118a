/* metrics - the registry of one actor: families from the rows of metrics.def, their series, and a
 * snapshot of them as MessagePack.
 *
 * A series is a family with a value for each of its labels. It is made when it is first asked for
 * and then keeps its address, so a hot path asks once and keeps the handle. Label values must come
 * from closed sets; beyond series_max new series are not made: their samples are counted and lost.
 * Not for several threads: a job carries what it measured back to the loop. */
#ifndef ACTORS_RUNTIME_METRICS_H
#define ACTORS_RUNTIME_METRICS_H

#include "protocol/value.h"

#define METRIC_LABELS_MAX 3u
#define METRIC_LABEL_BYTES_MAX 64u /* of a value; the rest is cut */
#define METRIC_BUCKETS_MAX 17u     /* and one for what is above them */
#define METRIC_SERIES_MAX 2048u    /* of a process */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { METRIC_NONE, METRIC_SECONDS, METRIC_BYTES, METRIC_RATIO };

/* clang-format off */
enum metric {
#define METRIC(name, NAME, KIND, UNIT, labels, doc) METRIC_##NAME,
#include "protocol/metrics.def"
    METRIC_COUNT
};
/* clang-format on */

struct metric_row {
    const char *name; /* without its prefix */
    enum metric_kind kind;
    enum metric_unit unit;
    const char *labels; /* names, with commas */
    const char *doc;
};
extern const struct metric_row metric_rows[METRIC_COUNT];

/* Upper edges of a histogram's buckets, rising. ret: borrowed; returns how many. */
size_t metric_buckets(enum metric_unit unit, const double **ret);

struct metrics;
struct series;

struct metrics *metrics_new(size_t series_max);
void metrics_destroy(struct metrics **self);

/* LABELS("driver", "ok"): a value for each label of the family, in the order of its row. */
#define LABELS(...) ((const char *const[METRIC_LABELS_MAX + 1]){__VA_ARGS__})
#define NO_LABELS ((const char *const[]){NULL})

/* The series with these label values; lives as long as the registry. Never NULL: without room it is
 * one that counts as dropped.
 *
 * labels  as many as the row has, then NULL; copied */
struct series *metrics_series(struct metrics *self, enum metric metric, const char *const *labels);

void series_add(struct series *self, double amount);    /* COUNTER (amount >= 0), GAUGE */
void series_set(struct series *self, double value);     /* GAUGE; COUNTER that is kept elsewhere */
void series_observe(struct series *self, double value); /* HISTOGRAM */
double series_value(const struct series *self);         /* COUNTER, GAUGE */
uint64_t series_observed(const struct series *self);    /* HISTOGRAM: how often */

/* The same in one call, where it is not hot. */
void metrics_add(struct metrics *self, enum metric metric, const char *const *labels,
                 double amount);
void metrics_set(struct metrics *self, enum metric metric, const char *const *labels, double value);
void metrics_observe(struct metrics *self, enum metric metric, const char *const *labels,
                     double value);

/* Take up what the process and the log know: process_*, build_info, log_*, metrics_*. */
void metrics_sample_process(struct metrics *self);

/* Write a message metrics: every family that has a series. The writer is full if it did not fit. */
void metrics_write(const struct metrics *self, struct writer *writer);

#endif
