/* metrics - see metrics.h.
 *
 * Series stand in one array, so that handles stay; a hash table of indices beside it finds them. */
#include "actors/runtime/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "actors/runtime/log.h"
#include "actors/runtime/usage.h"
#include "protocol/message.h"

/* clang-format off */
const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(name, NAME, KIND, UNIT, labels, doc) \
    {#name, METRIC_##KIND, METRIC_##UNIT, labels, doc},
#include "protocol/metrics.def"
};
/* clang-format on */

/* Every threshold of latency is an edge, so that it is counted exactly. */
static const double second_edges[] = {.0001, .00025, .0005, .001, .002, .005, .01, .025, .05,
                                      .1,    .14,    .25,   .5,   1,    2.5,  5,   10};
static const double byte_edges[] = {64,    256,    1024,    4096,    16384,
                                    65536, 262144, 1048576, 4194304, 16777216};
_Static_assert(sizeof second_edges / sizeof second_edges[0] <= METRIC_BUCKETS_MAX, "they fit");
_Static_assert(sizeof byte_edges / sizeof byte_edges[0] <= METRIC_BUCKETS_MAX, "they fit");

struct series {
    enum metric metric; /* METRIC_COUNT: the one for what is dropped */
    char labels[METRIC_LABELS_MAX][METRIC_LABEL_BYTES_MAX];
    double value;      /* of a histogram: the sum */
    uint64_t observed; /* of a histogram: how often; of the dropped: samples */
    uint64_t buckets[METRIC_BUCKETS_MAX + 1]; /* not cumulative */
};

struct metrics {
    struct series *series;
    size_t count, max;
    uint32_t *table; /* index in series + 1; 0: free */
    size_t table_size;
    unsigned char label_counts[METRIC_COUNT]; /* of the rows */
    struct series dropped;
};

size_t metric_buckets(enum metric_unit unit, const double **ret)
{
    *ret = unit == METRIC_BYTES ? byte_edges : second_edges;
    return unit == METRIC_BYTES ? sizeof byte_edges / sizeof byte_edges[0]
                                : sizeof second_edges / sizeof second_edges[0];
}

/* How many names a list with commas has. */
static size_t label_count(const char *labels)
{
    size_t count = labels[0] != '\0';
    for (; *labels != '\0'; labels++)
        count += *labels == ',';
    return count;
}

static void check_rows(void)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        assert(label_count(row->labels) <= METRIC_LABELS_MAX);
        assert(row->kind != METRIC_HISTOGRAM || row->unit == METRIC_SECONDS ||
               row->unit == METRIC_BYTES);
    }
}

struct metrics *metrics_new(size_t series_max)
{
    struct metrics *self = calloc(1, sizeof *self);
    assert(self != NULL);
    check_rows();
    for (size_t i = 0; i < METRIC_COUNT; i++)
        self->label_counts[i] = (unsigned char)label_count(metric_rows[i].labels);
    self->max = series_max;
    self->table_size = 64;
    while (self->table_size < 2 * series_max)
        self->table_size *= 2;
    self->series = calloc(series_max, sizeof *self->series);
    self->table = calloc(self->table_size, sizeof *self->table);
    assert(self->series != NULL);
    assert(self->table != NULL);
    self->dropped.metric = METRIC_COUNT;
    return self;
}

void metrics_destroy(struct metrics **self)
{
    if (*self == NULL)
        return;
    free((*self)->series);
    free((*self)->table);
    free(*self);
    *self = NULL;
}

static size_t label_size(const char *label)
{
    return strnlen(label, METRIC_LABEL_BYTES_MAX - 1);
}

/* source: Fowler, Noll, Vo: FNV-1a */
static uint64_t hash(enum metric metric, const char *const *labels)
{
    uint64_t sum = UINT64_C(14695981039346656037) ^ (uint64_t)metric;
    for (size_t i = 0; labels[i] != NULL; i++) {
        size_t size = label_size(labels[i]);
        for (size_t j = 0; j < size; j++)
            sum = (sum ^ (unsigned char)labels[i][j]) * UINT64_C(1099511628211);
        sum = (sum ^ 0xff) * UINT64_C(1099511628211); /* no byte of UTF-8 */
    }
    return sum;
}

static bool is_same(const struct series *series, enum metric metric, const char *const *labels)
{
    bool same = series->metric == metric;
    for (size_t i = 0; same && labels[i] != NULL; i++)
        same = strncmp(series->labels[i], labels[i], METRIC_LABEL_BYTES_MAX - 1) == 0;
    return same;
}

struct series *metrics_series(struct metrics *self, enum metric metric, const char *const *labels)
{
    size_t count = 0;
    assert(metric < METRIC_COUNT);
    while (labels[count] != NULL)
        count++;
    assert(count == self->label_counts[metric]);
    size_t at = hash(metric, labels) & (self->table_size - 1);
    for (; self->table[at] != 0; at = (at + 1) & (self->table_size - 1))
        if (is_same(&self->series[self->table[at] - 1], metric, labels))
            return &self->series[self->table[at] - 1];
    if (self->count == self->max)
        return &self->dropped;
    struct series *series = &self->series[self->count++];
    self->table[at] = (uint32_t)self->count;
    series->metric = metric;
    for (size_t i = 0; i < count; i++)
        memcpy(series->labels[i], labels[i], label_size(labels[i]));
    return series;
}

/* False: a sample that is lost, and counted. */
static bool is_kept(struct series *series)
{
    bool kept = series->metric != METRIC_COUNT;
    series->observed += !kept;
    return kept;
}

void series_add(struct series *self, double amount)
{
    if (!is_kept(self))
        return;
    assert(metric_rows[self->metric].kind != METRIC_HISTOGRAM);
    assert(metric_rows[self->metric].kind == METRIC_GAUGE || amount >= 0);
    self->value += amount;
}

void series_set(struct series *self, double value)
{
    if (!is_kept(self))
        return;
    assert(metric_rows[self->metric].kind != METRIC_HISTOGRAM);
    self->value = value;
}

void series_observe(struct series *self, double value)
{
    const double *edges;
    size_t bucket = 0;
    if (!is_kept(self))
        return;
    assert(metric_rows[self->metric].kind == METRIC_HISTOGRAM);
    size_t count = metric_buckets(metric_rows[self->metric].unit, &edges);
    while (bucket < count && value > edges[bucket])
        bucket++;
    self->buckets[bucket]++;
    self->observed++;
    self->value += value;
}

double series_value(const struct series *self)
{
    return self->value;
}

uint64_t series_observed(const struct series *self)
{
    return self->observed;
}

void metrics_add(struct metrics *self, enum metric metric, const char *const *labels, double amount)
{
    series_add(metrics_series(self, metric, labels), amount);
}

void metrics_set(struct metrics *self, enum metric metric, const char *const *labels, double value)
{
    series_set(metrics_series(self, metric, labels), value);
}

void metrics_observe(struct metrics *self, enum metric metric, const char *const *labels,
                     double value)
{
    series_observe(metrics_series(self, metric, labels), value);
}

static const char *libzmq_version(char *out, size_t size)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    (void)snprintf(out, size, "%d.%d.%d", major, minor, patch);
    return out;
}

void metrics_sample_process(struct metrics *self)
{
    char version[32];
    uint64_t written[LEVEL_COUNT], swallowed[LEVEL_COUNT];
    struct usage usage = usage_read();
    const struct {
        enum metric metric;
        double value;
    } samples[] = {
        {METRIC_PROCESS_CPU_SECONDS_TOTAL, (double)usage.cpu_us / 1e6},
        {METRIC_PROCESS_RESIDENT_MEMORY_BYTES, (double)usage.resident_bytes},
        {METRIC_PROCESS_VIRTUAL_MEMORY_BYTES, (double)usage.virtual_bytes},
        {METRIC_PROCESS_OPEN_FDS, (double)usage.fds},
        {METRIC_PROCESS_MAX_FDS, (double)usage.fds_max},
        {METRIC_PROCESS_THREADS, (double)usage.threads},
        {METRIC_PROCESS_START_TIME_SECONDS, usage.start_s},
        {METRIC_METRICS_SERIES, (double)self->count},
        {METRIC_METRICS_DROPPED_SERIES_TOTAL, (double)self->dropped.observed},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        metrics_set(self, samples[i].metric, NO_LABELS, samples[i].value);
    metrics_set(self, METRIC_BUILD_INFO,
                LABELS(FACT_VERSION, libzmq_version(version, sizeof version)), 1);
    log_counts(written, swallowed);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        const char *name = log_level_name((enum log_level)level);
        metrics_set(self, METRIC_LOG_EVENTS_TOTAL, LABELS(name), (double)written[level]);
        metrics_set(self, METRIC_LOG_SUPPRESSED_TOTAL, LABELS(name), (double)swallowed[level]);
    }
}

static void write_series(const struct series *series, struct writer *writer)
{
    const double *edges;
    const struct metric_row *row = &metric_rows[series->metric];
    bool is_histogram = row->kind == METRIC_HISTOGRAM;
    size_t labels = label_count(row->labels);
    writer_map(writer, is_histogram ? 4 : 2);
    writer_cstr(writer, "labels");
    writer_array(writer, labels);
    for (size_t i = 0; i < labels; i++)
        writer_cstr(writer, series->labels[i]);
    writer_cstr(writer, "value");
    writer_f64(writer, series->value);
    if (!is_histogram)
        return;
    size_t buckets = metric_buckets(row->unit, &edges) + 1;
    writer_cstr(writer, "count");
    writer_u64(writer, series->observed);
    writer_cstr(writer, "buckets");
    writer_array(writer, buckets);
    for (size_t i = 0; i < buckets; i++)
        writer_u64(writer, series->buckets[i]);
}

static void write_family(const struct metrics *self, enum metric metric, size_t count,
                         struct writer *writer)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    static const char *const names[] = {"", "seconds", "bytes", "ratio"};
    const struct metric_row *row = &metric_rows[metric];
    bool is_standard = strncmp(row->name, "process_", strlen("process_")) == 0;
    char name[METRIC_LABEL_BYTES_MAX];
    (void)snprintf(name, sizeof name, "%s%s", is_standard ? "" : "fact_", row->name);
    writer_map(writer, 6);
    writer_cstr(writer, "name");
    writer_cstr(writer, name);
    writer_cstr(writer, "kind");
    writer_cstr(writer, kinds[row->kind]);
    writer_cstr(writer, "unit");
    writer_cstr(writer, names[row->unit]);
    writer_cstr(writer, "labels");
    writer_cstr(writer, row->labels);
    writer_cstr(writer, "doc");
    writer_cstr(writer, row->doc);
    writer_cstr(writer, "series");
    writer_array(writer, count);
    for (size_t i = 0; i < self->count; i++)
        if (self->series[i].metric == metric)
            write_series(&self->series[i], writer);
}

void metrics_write(const struct metrics *self, struct writer *writer)
{
    size_t counts[METRIC_COUNT] = {0}, families = 0;
    for (size_t i = 0; i < self->count; i++)
        counts[self->series[i].metric]++;
    for (size_t i = 0; i < METRIC_COUNT; i++)
        families += counts[i] > 0;
    writer_map(writer, 1);
    writer_cstr(writer, "families");
    writer_array(writer, families);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        if (counts[i] > 0)
            write_family(self, (enum metric)i, counts[i], writer);
}
