/* comparison - see comparison.h. A series is one system under one load, a figure for each round. */
#include "tests/load/comparison.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/cost.h"
#include "tests/load/spread.h"

#define SERIES_MAX 128u
#define ROUNDS_MAX 200u
#define NAME_BYTES 24u

enum figure {
    FIGURE_TOTAL = PART_COUNT, /* before it stand the parts */
    FIGURE_SLEEPS,
    FIGURE_P50,
    FIGURE_P99,
    FIGURE_COUNT
};

struct series {
    char system[NAME_BYTES], workload[NAME_BYTES];
    unsigned window, invalid;
    double figures[FIGURE_COUNT][ROUNDS_MAX]; /* 0: not measured */
};

struct comparison {
    unsigned series_count, rounds;
    struct series series[SERIES_MAX];
    json_t *facts, *targets; /* arrays of lines as they came */
};

/* What stands beside what, and what is asked of it at windows 1, 16 and 100. */
static const struct {
    const char *workload, *system, *reference; /* ours; theirs, and what it runs */
    const char *goal;
} pairs[] = {
    {"echo", "pack", "echo", "1.10 / 1.15 / 1.50; at most 1.25 / 1.35 / 2.00"},
    {"echo", "mdp", "echo", "1.10 / 0.70 / 0.40; at most 1.25 / 0.90 / 0.60"},
    {"echo", "nats", "echo", "below 1 at 16 and 100"},
    {"echo", "nats_buffered", "echo", "below 1 at 16 and 100"},
    {"mixed", "fact", "echo", "1"},
    {"hit", "packchain6", "hit", "1.15 / 1.25 / 1.60; at most 1.30 / 1.45 / 2.00"},
};

struct comparison *comparison_new(void)
{
    struct comparison *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->facts = json_array();
    self->targets = json_array();
    return self;
}

void comparison_destroy(struct comparison **self_p)
{
    if (*self_p == NULL)
        return;
    json_decref((*self_p)->facts);
    json_decref((*self_p)->targets);
    free(*self_p);
    *self_p = NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* What stands behind this prefix of a label; NULL: it has another. */
static const char *label_behind(const json_t *run, const char *prefix)
{
    const char *label = text_of(run, "label");
    size_t size = strlen(prefix);
    return strncmp(label, prefix, size) == 0 ? label + size : NULL;
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key)); /* of "n/a": 0 */
}

static struct series *find_series(struct comparison *self, const char *system, const char *workload,
                                  unsigned window)
{
    for (unsigned i = 0; i < self->series_count; i++) {
        struct series *series = &self->series[i];
        if (series->window == window && strcmp(series->system, system) == 0 &&
            strcmp(series->workload, workload) == 0)
            return series;
    }
    return NULL;
}

static struct series *get_series(struct comparison *self, const json_t *run)
{
    const char *system = text_of(run, "system"), *workload = text_of(run, "workload");
    unsigned window = (unsigned)number_of(json_object_get(run, "load"), "window");
    struct series *series = find_series(self, system, workload, window);
    if (series != NULL || self->series_count == SERIES_MAX)
        return series;
    series = &self->series[self->series_count++];
    snprintf(series->system, sizeof series->system, "%s", system);
    snprintf(series->workload, sizeof series->workload, "%s", workload);
    series->window = window;
    return series;
}

static bool take_round(struct comparison *self, const json_t *run, unsigned round)
{
    struct series *series = get_series(self, run);
    const json_t *cpu = json_object_get(run, "cpu_us");
    const json_t *service = json_object_get(run, "service_us");
    if (series == NULL || round == 0 || round > ROUNDS_MAX)
        return false;
    if (!json_is_true(json_object_get(run, "valid"))) {
        series->invalid++;
        return true;
    }
    self->rounds = round > self->rounds ? round : self->rounds;
    for (int part = 0; part < PART_COUNT; part++)
        series->figures[part][round - 1] = number_of(cpu, part_names[part]);
    series->figures[FIGURE_TOTAL][round - 1] = number_of(cpu, "total");
    series->figures[FIGURE_SLEEPS][round - 1] = number_of(run, "sleeps");
    series->figures[FIGURE_P50][round - 1] = number_of(service, "p50");
    series->figures[FIGURE_P99][round - 1] = number_of(service, "p99");
    return true;
}

bool comparison_take(struct comparison *self, const char *line)
{
    json_t *document = json_loads(line, 0, NULL);
    const char *round = label_behind(document, "round ");
    bool good = true;
    if (text_of(document, "kind")[0] != '\0')
        json_array_append(self->facts, document);
    else if (label_behind(document, "target ") != NULL)
        json_array_append(self->targets, document);
    else
        good = round != NULL && take_round(self, document, (unsigned)strtoul(round, NULL, 10));
    json_decref(document);
    return good;
}

/* Printing. */

static struct spread spread_of_figure(const struct comparison *self, const struct series *series,
                                      int figure)
{
    double known[ROUNDS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < self->rounds; i++)
        if (series->figures[figure][i] > 0)
            known[count++] = series->figures[figure][i];
    return spread_of(known, count);
}

static void print_median(const struct comparison *self, const struct series *series, int figure,
                         FILE *out)
{
    struct spread spread = spread_of_figure(self, series, figure);
    struct spread total = spread_of_figure(self, series, FIGURE_TOTAL);
    if (spread.count > 0 && spread.count == total.count) /* in each round that has counted */
        fprintf(out, " %.3g |", spread.median);
    else
        fputs(" - |", out);
}

static void print_spread(struct spread spread, FILE *out)
{
    if (spread.count > 0)
        fprintf(out, " **%.3g** (%.3g-%.3g) |", spread.median, spread.min, spread.max);
    else
        fputs(" not measured |", out);
}

static void print_series(const struct comparison *self, FILE *out)
{
    fputs("\n### CPU per request, microseconds\n\nMedian of the rounds; of all also least and "
          "most. Sleeps: voluntary context switches of all processes per request. p50 and p99: "
          "service time, us.\n\n| workload | system | window |",
          out);
    for (int part = 0; part < PART_COUNT; part++)
        fprintf(out, " %s |", part_names[part]);
    fputs(" all | sleeps | p50 | p99 | rounds | invalid |\n|---|---|---|---|---|---|---|---|---|---"
          "|---|---|---|---|---|\n",
          out);
    for (unsigned i = 0; i < self->series_count; i++) {
        const struct series *series = &self->series[i];
        struct spread total = spread_of_figure(self, series, FIGURE_TOTAL);
        fprintf(out, "| %s | %s | %u |", series->workload, series->system, series->window);
        for (int part = 0; part < PART_COUNT; part++)
            print_median(self, series, part, out);
        print_spread(total, out);
        for (int figure = FIGURE_SLEEPS; figure < FIGURE_COUNT; figure++)
            print_median(self, series, figure, out);
        fprintf(out, " %u | %u |\n", total.count, series->invalid);
    }
}

/* Windows that were measured, each once, in the order of their first run. */
static unsigned list_windows(const struct comparison *self, unsigned *windows)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->series_count; i++) {
        unsigned j = 0;
        while (j < count && windows[j] != self->series[i].window)
            j++;
        if (j == count)
            windows[count++] = self->series[i].window;
    }
    return count;
}

static int by_number(const void *left, const void *right)
{
    unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
    return (a > b) - (a < b);
}

static void print_ratio(struct comparison *self, size_t pair, unsigned window, FILE *out)
{
    struct series *ours = find_series(self, "fact", pairs[pair].workload, window);
    struct series *theirs = find_series(self, pairs[pair].system, pairs[pair].reference, window);
    struct spread spread = {0};
    if (ours != NULL && theirs != NULL)
        spread = spread_of_ratios(ours->figures[FIGURE_TOTAL], theirs->figures[FIGURE_TOTAL],
                                  self->rounds);
    print_spread(spread, out);
}

static void print_ratios(const struct comparison *self, FILE *out)
{
    unsigned windows[SERIES_MAX], count = list_windows(self, windows);
    qsort(windows, count, sizeof windows[0], by_number);
    fputs("\n### CPU of ours / CPU of theirs, same round\n\nMedian of the rounds (least-most).\n\n"
          "| ours / theirs |",
          out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, " window %u |", windows[i]);
    fputs(" goal at 1 / 16 / 100 |\n|---|---|", out);
    for (unsigned i = 0; i < count; i++)
        fputs("---|", out);
    fputc('\n', out);
    for (size_t pair = 0; pair < sizeof pairs / sizeof pairs[0]; pair++) {
        bool same = strcmp(pairs[pair].workload, pairs[pair].reference) == 0;
        fprintf(out, "| %s / %s |", pairs[pair].workload,
                same ? pairs[pair].system : pairs[pair].reference);
        for (unsigned i = 0; i < count; i++)
            print_ratio((struct comparison *)self, pair, windows[i], out);
        fprintf(out, " %s |\n", pairs[pair].goal);
    }
}

static void print_ms(const json_t *durations, const char *key, FILE *out)
{
    const json_t *us = json_object_get(durations, key);
    if (json_is_number(us))
        fprintf(out, " %.3g ms |", json_number_value(us) / 1000);
    else
        fprintf(out, " %s |", json_is_string(us) ? json_string_value(us) : "not measured");
}

static void print_load(const json_t *load, FILE *out)
{
    if (number_of(load, "rate") > 0)
        fprintf(out, " %.4g/s |", number_of(load, "rate"));
    else
        fprintf(out, " %g at once |", number_of(load, "window"));
}

static void print_targets(const struct comparison *self, FILE *out)
{
    size_t i;
    json_t *run;
    fputs("\n### The seed's targets, and what is measured\n\nResponse times, from when a request "
          "was meant to leave. Failures: refused, too late, wrong or failed.\n\n| what | seed | "
          "load | p50 | p99 | failures | highest rate that holds | valid |\n"
          "|---|---|---|---|---|---|---|---|\n",
          out);
    json_array_foreach(self->targets, i, run)
    {
        const char *name = label_behind(run, "target ");
        assert(name != NULL);
        const json_t *response = json_object_get(run, "response_us");
        const json_t *counts = json_object_get(run, "counts");
        const json_t *found = json_object_get(run, "find_max");
        size_t size = strcspn(name, "|");
        fprintf(out, "| %.*s | %s |", (int)size, name, name[size] == '|' ? name + size + 1 : "");
        print_load(json_object_get(run, "load"), out);
        print_ms(response, "p50", out);
        print_ms(response, "p99", out);
        fprintf(out, " %.0f |", number_of(counts, "offered") - number_of(counts, "ok"));
        if (found != NULL)
            fprintf(out, " %.4g/s |", number_of(found, "held"));
        else
            fputs(" |", out);
        fprintf(out, " %s |\n", json_is_true(json_object_get(run, "valid")) ? "yes" : "INVALID");
    }
}

static void print_facts(const struct comparison *self, const char *kind, FILE *out)
{
    size_t i;
    json_t *fact;
    double starts[ROUNDS_MAX];
    unsigned start_count = 0;
    json_array_foreach(self->facts, i, fact)
    {
        if (strcmp(text_of(fact, "kind"), kind) != 0)
            continue;
        if (strcmp(kind, "machine") == 0)
            fprintf(out, "| %s | %s |\n", text_of(fact, "name"), text_of(fact, "value"));
        else if (strcmp(kind, "memory") == 0)
            fprintf(out, "| memory of an idle %s | %.1f MiB |\n", text_of(fact, "process"),
                    number_of(fact, "bytes") / 1048576);
        else if (start_count < ROUNDS_MAX)
            starts[start_count++] = number_of(fact, "ms");
    }
    struct spread spread = spread_of(starts, start_count);
    if (spread.count > 0)
        fprintf(out, "| `fact demo` to `ready` | %.0f ms (%.0f-%.0f, %u starts) |\n", spread.median,
                spread.min, spread.max, spread.count);
}

void comparison_print(const struct comparison *self, FILE *out)
{
    fputs("### The machine\n\n| | |\n|---|---|\n", out);
    print_facts(self, "machine", out);
    print_ratios(self, out);
    print_series(self, out);
    print_targets(self, out);
    fputs("\n### Start and memory\n\n| | |\n|---|---|\n", out);
    print_facts(self, "start", out);
    print_facts(self, "memory", out);
}
