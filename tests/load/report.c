/* report - see report.h. */
#include "tests/load/report.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "tests/load/verdict.h"

static json_t *measured_json(enum measured measured, int64_t us)
{
    return measured == MEASURED  ? json_integer(us)
           : measured == TOO_FEW ? json_string("n/a")
                                 : json_string("not measured");
}

json_t *report_durations(const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    json_t *self = json_object();
    json_object_set_new(self, "n", json_integer((json_int_t)histogram->count));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        int64_t us = 0;
        enum measured measured = histogram_quantile(histogram, quantiles[i].q, &us);
        json_object_set_new(self, quantiles[i].name, measured_json(measured, us));
    }
    json_object_set_new(
        self, "max",
        measured_json(histogram->count > 0 ? MEASURED : NOT_MEASURED, histogram->max_us));
    return self;
}

static json_t *counts_json(const struct report *report)
{
    const struct outcomes *outcomes = report->outcomes;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "offered",
                     (json_int_t)outcomes->offered, "sent", (json_int_t)outcomes->sent, "ok",
                     (json_int_t)outcomes->ok, "failed", (json_int_t)outcomes->failed, "refused",
                     (json_int_t)outcomes->refused, "timeouts", (json_int_t)outcomes->timeouts,
                     "wrong", (json_int_t)outcomes->wrong, "dropped", (json_int_t)outcomes->dropped,
                     "late", (json_int_t)outcomes->late, "completed",
                     (json_int_t)report->completed);
}

static json_t *statuses_json(const struct outcomes *outcomes)
{
    json_t *self = json_object();
    for (unsigned i = 0; i < STATUS_COUNT; i++)
        if (outcomes->by_status[i] > 0)
            json_object_set_new(self, statuses[i].name,
                                json_integer((json_int_t)outcomes->by_status[i]));
    return self;
}

/* A sum over all requests, of each of them. */
static json_t *each_json(double sum, uint64_t completed)
{
    return completed > 0 ? json_real(sum / (double)completed) : json_string("not measured");
}

static bool has_part(const struct cost *cost, enum part part)
{
    for (unsigned i = 0; i < cost->count; i++)
        if (cost->processes[i].part == part)
            return true;
    return false;
}

static json_t *cpu_json(const struct report *report)
{
    json_t *self = json_object();
    for (int part = 0; part < PART_COUNT; part++)
        if (has_part(report->cost, (enum part)part))
            json_object_set_new(
                self, part_names[part],
                each_json(cost_cpu_us(report->cost, (enum part)part), report->completed));
    json_object_set_new(self, "total", each_json(cost_all_cpu_us(report->cost), report->completed));
    return self;
}

static json_t *invalid_json(unsigned invalid)
{
    json_t *self = json_array();
    for (unsigned i = 0; i < INVALID_COUNT; i++)
        if ((invalid & 1u << i) != 0)
            json_array_append_new(self, json_string(invalid_texts[i]));
    return self;
}

static json_t *time_json(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

json_t *report_new(const struct report *report)
{
    json_t *self = json_object();
    const struct cost *cost = report->cost;
    json_object_set_new(self, "at", time_json());
    json_object_set_new(self, "system", json_string(report->system));
    json_object_set_new(self, "workload", json_string(report->workload));
    json_object_set_new(self, "label", json_string(report->label));
    json_object_set(self, "load", report->load);
    json_object_set_new(self, "counts", counts_json(report));
    json_object_set_new(self, "statuses", statuses_json(report->outcomes));
    json_object_set_new(self, "rate", json_real((double)report->completed / cost_seconds(cost)));
    json_object_set_new(self, "response_us", report_durations(&report->outcomes->response));
    json_object_set_new(self, "service_us", report_durations(&report->outcomes->service));
    json_object_set_new(self, "refusal_us", report_durations(&report->outcomes->refusal));
    json_object_set_new(self, "timeout_us", report_durations(&report->outcomes->timeout));
    json_object_set_new(self, "cpu_us", cpu_json(report));
    json_object_set_new(self, "sleeps", each_json(cost_sleeps(cost), report->completed));
    json_object_set_new(self, "generator", json_real(cost_thread(cost)));
    json_object_set_new(self, "foreign", json_real(cost_foreign(cost)));
    json_object_set_new(self, "shares_cores", json_boolean(!cost_is_alone(cost)));
    json_object_set_new(self, "valid", json_boolean(report->invalid == 0));
    json_object_set_new(self, "invalid", invalid_json(report->invalid));
    return self;
}

void report_print_json(const json_t *document, FILE *out)
{
    int error = json_dumpf(document, out, JSON_COMPACT | JSON_REAL_PRECISION(5));
    assert(error == 0);
    fputc('\n', out);
}

static void print_value(const json_t *value, FILE *out)
{
    if (json_is_string(value))
        fputs(json_string_value(value), out);
    else if (json_is_real(value))
        fprintf(out, "%.4g", json_real_value(value));
    else
        json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_members(const json_t *object, FILE *out)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member)
    {
        fprintf(out, " %s=", key);
        print_value(member, out);
    }
}

static void print_elements(const json_t *array, FILE *out)
{
    size_t index;
    json_t *element;
    json_array_foreach(array, index, element)
    {
        fputs(index > 0 ? "; " : " ", out);
        print_value(element, out);
    }
}

/* A member a line; those of an object, or of an array, behind each other. */
void report_print_table(const json_t *document, FILE *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)document, key, value)
    {
        fprintf(out, "%-13s", key);
        if (json_is_object(value)) {
            print_members(value, out);
        } else if (json_is_array(value)) {
            print_elements(value, out);
        } else {
            fputc(' ', out);
            print_value(value, out);
        }
        fputc('\n', out);
    }
}
