/* answer - see answer.h. */
#include "actors/cli/answer.h"

#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"

static struct bytes text_of(struct bytes map, const char *key)
{
    struct bytes text = {0};
    (void)value_text(value_find(map, key), &text);
    return text;
}

static double number_of(struct bytes map, const char *key)
{
    double number = 0;
    (void)value_f64(value_find(map, key), &number);
    return number;
}

static bool is_filled(struct bytes value)
{
    return value.data != NULL && value_kind(value) != KIND_NIL;
}

static void put_sources(struct writer *writer, struct bytes list)
{
    struct values values = values_over(list);
    struct msg_source source;
    struct bytes element;
    writer_cstr(writer, "sources");
    writer_array(writer, values_count(list));
    while (values_next(&values, &element)) {
        if (message_decode(MSG_SOURCE, element, &source) != STATUS_OK) {
            writer_nil(writer); /* the count is said already */
            continue;
        }
        writer_map(writer, 8);
        put_text(writer, "tool", source.tool);
        put_text(writer, "version", source.version);
        put_time(writer, "as_of", source.as_of);
        put_text(writer, "cache", source.cache);
        put_text(writer, "instance", source.instance);
        put_f64(writer, "execution_time_ms", source.execution_time_ms);
        put_bool(writer, "truncated", source.truncated);
        put_text(writer, "execution_method", source.execution_method);
    }
}

static void put_cache(struct writer *writer, struct bytes body)
{
    struct msg_answer_cache cache;
    writer_cstr(writer, "cache");
    if (!is_filled(body) || message_decode(MSG_ANSWER_CACHE, body, &cache) != STATUS_OK) {
        writer_nil(writer);
        return;
    }
    writer_map(writer, 3);
    put_text(writer, "status", cache.status);
    put_u64(writer, "age_ms", cache.age_ms);
    put_text(writer, "key", cache.key);
}

/* Where the time went: what the driver does not account for is the way there and back. */
static void put_times(struct writer *writer, struct bytes body, const struct fact_reply *reply)
{
    struct msg_timings timings = {0};
    if (!is_filled(body) || message_decode(MSG_TIMINGS, body, &timings) != STATUS_OK)
        timings = (struct msg_timings){.total_us = reply->service_us};
    uint64_t total_us = (uint64_t)reply->total_us;
    uint64_t known_us = reply->queue_us + timings.total_us;
    writer_cstr(writer, "time");
    writer_map(writer, 9);
    put_u64(writer, "total_us", total_us);
    put_u64(writer, "transport_us", total_us > known_us ? total_us - known_us : 0);
    put_u64(writer, "queue_us", reply->queue_us);
    put_u64(writer, "service_us", reply->service_us);
    put_u64(writer, "driver_us", timings.total_us);
    put_u64(writer, "lookup_us", timings.lookup_us);
    put_u64(writer, "wait_us", timings.wait_us);
    put_u64(writer, "plan_us", timings.plan_us);
    put_u64(writer, "tools_us", timings.tools_us);
}

static void put_failure(struct writer *writer, const struct fact_reply *reply,
                        struct bytes *ret_code)
{
    struct msg_failure failure;
    if (message_decode(MSG_FAILURE, reply->body, &failure) != STATUS_OK)
        failure = (struct msg_failure){.code = bytes_of(statuses[reply->status].name),
                                       .message = bytes_of(statuses[reply->status].text)};
    *ret_code = failure.code;
    writer_cstr(writer, "failure");
    writer_map(writer, 6);
    put_text(writer, "code", failure.code);
    put_text(writer, "message", failure.message);
    put_text(writer, "field", failure.field);
    put_text(writer, "error_id", failure.error_id);
    put_text(writer, "hint", failure.hint);
    put_value(writer, "details", failure.details);
}

static void put_trace(struct writer *writer, const char *trace)
{
    char text[33];
    for (unsigned i = 0; trace != NULL && i < 16; i++)
        snprintf(text + 2 * (size_t)i, 3, "%02x", (unsigned char)trace[i]);
    put_text(writer, "trace_id", bytes_of(trace == NULL ? NULL : text));
}

/* What every document begins with; pairs: those that follow. */
static void put_head(struct writer *writer, size_t pairs, const char *what, struct bytes text)
{
    writer_map(writer, pairs + 1);
    put_text(writer, what, text);
}

static void put_reply(struct writer *writer, const char *trace, const struct fact_reply *reply)
{
    put_text(writer, "status", bytes_of(statuses[reply->status].name));
    put_text(writer, "executed", bytes_of(executed_name(reply->executed)));
    put_text(writer, "instance", reply->instance);
    put_trace(writer, trace);
}
#define REPLY_PAIRS 4u

enum exit_code answer_document(struct writer *writer, const char *what, struct bytes text,
                               const char *trace, const struct fact_reply *reply)
{
    struct msg_answer answer = {.timings = {0}};
    struct bytes code = {0};
    struct fact_reply end = *reply;
    if (end.status == STATUS_OK && message_decode(MSG_ANSWER, end.body, &answer) != STATUS_OK)
        end = (struct fact_reply){.status = STATUS_INTERNAL, /* a worker that is no driver */
                                  .executed = EXECUTED_YES,
                                  .total_us = reply->total_us,
                                  .instance = reply->instance};
    if (end.status != STATUS_OK) {
        put_head(writer, REPLY_PAIRS + 3, what, text);
        put_reply(writer, trace, &end);
        put_failure(writer, &end, &code);
        put_u64(writer, "retry_after_ms", end.retry_after_ms);
        put_times(writer, (struct bytes){0}, &end);
        return exit_code_of(end.status, code);
    }
    put_head(writer, REPLY_PAIRS + 11, what, text);
    put_reply(writer, trace, &end);
    put_text(writer, "outcome", answer.outcome);
    put_text(writer, "text", answer.text);
    put_value(writer, "value", answer.value);
    put_text(writer, "reason", answer.reason);
    put_value(writer, "detail", answer.detail);
    put_sources(writer, answer.sources);
    put_time(writer, "as_of", answer.as_of);
    put_cache(writer, answer.cache);
    put_value(writer, "degraded", answer.degraded);
    put_value(writer, "usage", answer.usage);
    put_times(writer, answer.timings, &end);
    return bytes_are(answer.outcome, "partial") ? CODE_INVALID : CODE_OK;
}

/* True of an array that holds nothing but maps, and at least one. */
static bool is_rows(struct bytes value)
{
    struct values values = values_over(value);
    struct bytes element;
    if (value_kind(value) != KIND_ARRAY || values_count(value) == 0)
        return false;
    while (values_next(&values, &element))
        if (value_kind(element) != KIND_MAP)
            return false;
    return true;
}

/* The field of a map that is its table: rows, or the first that could be one. */
static struct bytes find_rows(struct bytes map)
{
    struct bytes rows = value_find(map, "rows"), name, value;
    struct values values = values_over(map);
    if (rows.data != NULL && value_kind(rows) == KIND_ARRAY)
        return rows;
    while (values_next(&values, &name) && values_next(&values, &value))
        if (is_rows(value))
            return value;
    return (struct bytes){0};
}

/* The names of columns, if they are texts that say in which order a row's keys stand. */
static struct bytes find_names(struct bytes map)
{
    struct bytes names = value_find(map, "columns"), first, text;
    struct values values = values_over(names);
    bool texts = values_next(&values, &first) && value_text(first, &text);
    return value_kind(names) == KIND_ARRAY && texts ? names : (struct bytes){0};
}

static void print_value(struct bytes value, FILE *out)
{
    struct bytes rows = {0}, names = {0}, element;
    enum kind kind = value_kind(value);
    if (kind == KIND_MAP) {
        rows = find_rows(value);
        names = find_names(value);
    } else if (is_rows(value)) {
        rows = value;
    }
    struct values values = values_over(value);
    if (rows.data != NULL && values_count(rows) == 0) {
        fputs("(no rows)\n", out);
    } else if (rows.data != NULL) {
        table_print_rows(rows, names, out);
    } else if (kind == KIND_MAP) {
        table_print_pairs(value, out);
    } else if (kind == KIND_ARRAY) {
        while (values_next(&values, &element)) {
            json_print_plain(element, out);
            fputc('\n', out);
        }
    } else {
        json_print_plain(value, out);
        fputc('\n', out);
    }
}

static void print_part(const char *name, double us, FILE *out)
{
    fprintf(out, ", %s ", name);
    print_us(us, out);
}

static void print_times(struct bytes time, FILE *out)
{
    double driver_us = number_of(time, "driver_us");
    fputs("time     ", out);
    print_us(number_of(time, "total_us"), out);
    fputs(": transport ", out);
    print_us(number_of(time, "transport_us"), out);
    print_part("queue", number_of(time, "queue_us"), out);
    if (driver_us > 0) {
        print_part("driver", driver_us, out);
        fputs(" (look-up ", out);
        print_us(number_of(time, "lookup_us"), out);
        print_part("wait", number_of(time, "wait_us"), out);
        print_part("plan", number_of(time, "plan_us"), out);
        print_part("tools", number_of(time, "tools_us"), out);
        fputc(')', out);
    }
    fputc('\n', out);
}

static void print_plain(struct bytes value, const char *before, FILE *out)
{
    if (!is_filled(value))
        return;
    fputs(before, out);
    json_print_plain(value, out);
}

static void print_sources(struct bytes sources, FILE *out)
{
    struct values values = values_over(sources);
    struct bytes source;
    bool truncated = false;
    while (values_next(&values, &source)) {
        print_plain(value_find(source, "tool"), "source   ", out);
        print_plain(value_find(source, "version"), " ", out);
        print_plain(value_find(source, "instance"), " by ", out);
        fputs(" in ", out);
        print_us(number_of(source, "execution_time_ms") * 1000, out);
        print_plain(value_find(source, "execution_method"), ", ", out);
        print_plain(value_find(source, "cache"), ", cache ", out);
        if (value_bool(value_find(source, "truncated"), &truncated) && truncated)
            fputs(", truncated", out);
        fputc('\n', out);
    }
}

/* What the answer stands on. */
static void print_foot(struct bytes document, FILE *out)
{
    struct bytes cache = value_find(document, "cache");
    if (is_filled(cache)) {
        print_plain(value_find(cache, "status"), "cache    ", out);
        if (number_of(cache, "age_ms") > 0) {
            fputs(", age ", out);
            print_us(number_of(cache, "age_ms") * 1000, out);
        }
        fputc('\n', out);
    }
    print_sources(value_find(document, "sources"), out);
    if (is_filled(value_find(document, "as_of"))) {
        print_plain(value_find(document, "as_of"), "as of    ", out);
        fputc('\n', out);
    }
    if (values_count(value_find(document, "degraded")) > 0) {
        print_plain(value_find(document, "degraded"), "degraded ", out);
        fputc('\n', out);
    }
    print_times(value_find(document, "time"), out);
}

void answer_print(struct bytes document, bool quiet, FILE *out)
{
    struct bytes detail = value_find(document, "detail");
    if (is_filled(value_find(document, "failure")))
        return;
    if (is_filled(value_find(document, "text"))) {
        json_print_plain(value_find(document, "text"), out);
        fputc('\n', out);
    }
    if (is_filled(value_find(document, "value")))
        print_value(value_find(document, "value"), out);
    if (bytes_are(text_of(document, "outcome"), "no_data")) {
        print_plain(value_find(document, "reason"), "no data: ", out);
        fputc('\n', out);
        if (is_filled(detail))
            tree_print(detail, out);
    }
    if (!quiet) {
        fputc('\n', out);
        print_foot(document, out);
    }
}

void answer_print_line(struct bytes document, FILE *out)
{
    struct bytes failure = value_find(document, "failure");
    if (is_filled(failure)) {
        print_plain(value_find(failure, "code"), "error: ", out);
        print_plain(value_find(failure, "message"), ": ", out);
    } else if (is_filled(value_find(document, "text"))) {
        json_print_plain(value_find(document, "text"), out);
    } else if (bytes_are(text_of(document, "outcome"), "no_data")) {
        print_plain(value_find(document, "reason"), "no data: ", out);
    } else {
        json_print_plain(value_find(document, "value"), out);
    }
    fputc('\n', out);
}

void answer_print_failure(struct bytes document, bool quiet, FILE *err)
{
    struct bytes failure = value_find(document, "failure");
    double retry_ms = number_of(document, "retry_after_ms");
    if (!is_filled(failure))
        return;
    print_plain(value_find(failure, "code"), "fact: ", err);
    print_plain(value_find(failure, "message"), ": ", err);
    print_plain(value_find(failure, "field"), ", at ", err);
    print_plain(value_find(failure, "error_id"), ", error id ", err);
    print_plain(value_find(document, "status"), " (status ", err);
    print_plain(value_find(document, "executed"), ", executed: ", err);
    fputs(")\n", err);
    print_plain(value_find(failure, "hint"), "To mend it: ", err);
    if (is_filled(value_find(failure, "hint")))
        fputc('\n', err);
    struct bytes url = value_find(value_find(failure, "details"), "url");
    print_plain(url, "Open: ", err);
    if (is_filled(url))
        fputc('\n', err);
    if (retry_ms > 0)
        fprintf(err, "Try again in %.0f ms.\n", retry_ms);
    if (!quiet)
        print_times(value_find(document, "time"), err);
}
