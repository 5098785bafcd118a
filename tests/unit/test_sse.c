/* test_sse - a stream gives the events that the specification says, the same ones however it is
 * cut, and none that is larger than allowed. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/sse.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define SEEDS 2000
#define TEXT_BYTES 4096u

/* What came of a stream: "type|data|id;" an event, and '!' when it was too large. */
static void hear(struct sse *sse, struct bytes piece, FILE *out)
{
    struct sse_event event;
    enum sse_next next;
    while ((next = sse_take(sse, &piece, &event)) == SSE_EVENT)
        fprintf(out, "%.*s|%.*s|%.*s;", (int)event.type.size, event.type.data, (int)event.data.size,
                event.data.data, (int)event.id.size, event.id.data);
    ck_assert_uint_eq(piece.size, 0);
    if (next == SSE_TOO_LARGE)
        fputc('!', out);
}

/* The events of a stream that comes in pieces of so many bytes, each exactly so long; to be freed.
 */
static char *events_of(struct bytes stream, size_t piece_bytes)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct sse sse;
    sse_init(&sse);
    for (size_t at = 0; at < stream.size; at += piece_bytes) {
        size_t length = stream.size - at < piece_bytes ? stream.size - at : piece_bytes;
        char *exact = malloc(length);
        memcpy(exact, stream.data + at, length);
        hear(&sse, (struct bytes){exact, length}, out);
        free(exact);
    }
    sse_fini(&sse);
    fclose(out);
    return text;
}

static const struct {
    const char *stream, *events;
} rows[] = {
    {"data: a\n\n", "message|a|;"},
    {"data:a\n\n", "message|a|;"},
    {"data:  a \n\n", "message| a |;"},
    {"data: a\r\n\r\n", "message|a|;"},
    {"data: a\r\r", "message|a|;"},
    {"data: a\r\n\rdata: b\n\r\n", "message|a|;message|b|;"},
    {"data: a\ndata: b\r\ndata\rdata:\n\n", "message|a\nb\n\n|;"},
    {"data\n\n", "message||;"},
    {"data:\n\n", "message||;"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "message|a|;"},
    {"\xef\xbb\xbf\n\ndata: a\n\n", "message|a|;"},
    {"\n\xef\xbb\xbf"
     "data: a\n\n",
     ""},
    {"data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     "message|a|;"},
    {": a comment\n:\ndata: a\n: another\n\n", "message|a|;"},
    {"event: progress\ndata: a\n\ndata: b\n\n", "progress|a|;message|b|;"},
    {"event: lost\n\ndata: b\n\n", "message|b|;"},
    {"event\ndata: b\n\n", "message|b|;"},
    {"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|a|7;message|b|7;message|c|;"},
    {"id: 7\n\ndata: a\n\n", "message|a|7;"},
    {"Data: a\ndatax: b\n data: c\nwhat\n\n", ""},
    {"data: a", ""},
    {"data: a\n", ""},
    {"data: a\n\ndata: b\n", "message|a|;"},
    {"", ""},
    {"\n\n\n", ""},
};

START_TEST(a_stream_gives_the_events_of_the_specification)
{
    char *events = events_of(bytes_of(rows[_i].stream), TEXT_BYTES);
    ck_assert_str_eq(events, rows[_i].events);
    free(events);
}
END_TEST

START_TEST(each_cut_gives_the_same_events)
{
    struct bytes stream = bytes_of(rows[_i].stream);
    for (size_t piece_bytes = 1; piece_bytes <= stream.size; piece_bytes++) {
        char *events = events_of(stream, piece_bytes);
        ck_assert_str_eq(events, rows[_i].events);
        free(events);
    }
}
END_TEST

static size_t write_stream(char *text, uint64_t *seed)
{
    static const char *const parts[] = {"data",  ":",  " ",  "\n",   "\r\n", "\r",
                                        "event", "id", "\n", "\n\n", "x",    "\xef\xbb\xbf",
                                        "retry", "5",  "\n", "data:"};
    size_t used = 0, count = random_next(seed) % 60;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, TEXT_BYTES - used, "%s",
                                 parts[random_next(seed) % (sizeof parts / sizeof parts[0])]);
    return used;
}

START_TEST(any_stream_says_the_same_in_any_pieces)
{
    char text[TEXT_BYTES];
    for (uint64_t round = 1; round <= SUITE_SEEDS(SEEDS); round++) {
        uint64_t seed = round;
        struct bytes stream = {text, write_stream(text, &seed)};
        char *whole = events_of(stream, TEXT_BYTES);
        char *cut = events_of(stream, 1 + random_next(&seed) % 7);
        ck_assert_msg(strcmp(whole, cut) == 0, "seed %lu: %s and %s", (unsigned long)round, whole,
                      cut);
        free(whole);
        free(cut);
    }
}
END_TEST

START_TEST(an_id_with_a_zero_or_too_long_is_passed_over)
{
    static const char zero[] = "id: 1\nid: 2\0003\ndata: a\n\n";
    char *events = events_of((struct bytes){zero, sizeof zero - 1}, TEXT_BYTES);
    ck_assert_str_eq(events, "message|a|1;");
    free(events);
    char text[TEXT_BYTES];
    int size = snprintf(text, sizeof text, "id: 1\nid: %0*d\ndata: a\n\n", SSE_ID_BYTES_MAX + 1, 0);
    events = events_of((struct bytes){text, (size_t)size}, TEXT_BYTES);
    ck_assert_str_eq(events, "message|a|1;");
    free(events);
    size = snprintf(text, sizeof text, "id: %0*d\ndata: a\n\n", SSE_ID_BYTES_MAX, 0);
    events = events_of((struct bytes){text, (size_t)size}, TEXT_BYTES);
    ck_assert_uint_eq(strlen(events), strlen("message|a|;") + SSE_ID_BYTES_MAX);
    free(events);
}
END_TEST

START_TEST(a_type_that_is_too_long_is_cut)
{
    char text[TEXT_BYTES];
    int size =
        snprintf(text, sizeof text, "event: %0*d\ndata: a\n\n", (int)SSE_TYPE_BYTES_MAX + 9, 0);
    char *events = events_of((struct bytes){text, (size_t)size}, TEXT_BYTES);
    ck_assert_uint_eq(strlen(events), strlen("|a|;") + SSE_TYPE_BYTES_MAX);
    free(events);
}
END_TEST

static uint32_t retry_of(const char *text)
{
    struct sse sse;
    struct sse_event event;
    struct bytes piece = bytes_of(text);
    sse_init(&sse);
    ck_assert_int_eq(sse_take(&sse, &piece, &event), SSE_MORE);
    uint32_t retry_ms = sse.retry_ms;
    sse_fini(&sse);
    return retry_ms;
}

START_TEST(a_time_to_come_again_is_digits_only)
{
    ck_assert_uint_eq(retry_of("retry: 1500\n"), 1500);
    ck_assert_uint_eq(retry_of("retry: 1500\nretry: soon\nretry: -1\nretry:\nretry: 1 \n"), 1500);
    ck_assert_uint_eq(retry_of("retry: 99999999999999999999999999\n"), UINT32_MAX);
}
END_TEST

/* One event whose last line makes the buffer this full before it ends. */
static char *stream_of(size_t bytes, size_t *ret_size)
{
    char *text = malloc(bytes + 2);
    memset(text, 'x', bytes);
    for (size_t i = 0; i < 5; i++)
        text[i] = "data:"[i];
    text[bytes] = text[bytes + 1] = '\n';
    *ret_size = bytes + 2;
    return text;
}

START_TEST(an_event_as_large_as_allowed_comes_and_one_byte_more_does_not)
{
    for (size_t more = 0; more <= 1; more++) {
        struct bytes stream;
        char *text = stream_of(SSE_EVENT_BYTES_MAX + more, &stream.size);
        stream.data = text;
        for (size_t piece_bytes = 65536; piece_bytes <= 4u * 1048576u; piece_bytes *= 8) {
            char *events = events_of(stream, piece_bytes);
            if (more == 0)
                ck_assert_uint_eq(strlen(events), strlen("message||;") + SSE_EVENT_BYTES_MAX - 5);
            else
                ck_assert_uint_eq(strspn(events, "!"), strlen(events));
            free(events);
        }
        free(text);
    }
}
END_TEST

START_TEST(after_an_event_that_is_too_large_nothing_comes)
{
    struct sse sse;
    struct sse_event event;
    struct bytes piece;
    char *text = stream_of(SSE_EVENT_BYTES_MAX + 1, &piece.size);
    piece.data = text;
    sse_init(&sse);
    ck_assert_int_eq(sse_take(&sse, &piece, &event), SSE_TOO_LARGE);
    piece = bytes_of("\n\ndata: a\n\n");
    ck_assert_int_eq(sse_take(&sse, &piece, &event), SSE_TOO_LARGE);
    sse_fini(&sse);
    free(text);
}
END_TEST

START_TEST(many_events_take_no_more_memory_than_the_largest)
{
    struct sse sse;
    struct sse_event event;
    sse_init(&sse);
    for (unsigned i = 0; i < 100000; i++) {
        struct bytes piece = bytes_of("event: message\nid: 12\ndata: {\"a\": 1}\n\n");
        ck_assert_int_eq(sse_take(&sse, &piece, &event), SSE_EVENT);
    }
    ck_assert_uint_le(sse.size, 4096);
    sse_fini(&sse);
}
END_TEST

static void add_tests(TCase *tcase)
{
    int count = sizeof rows / sizeof rows[0];
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_stream_gives_the_events_of_the_specification, 0, count);
    tcase_add_loop_test(tcase, each_cut_gives_the_same_events, 0, count);
    tcase_add_test(tcase, any_stream_says_the_same_in_any_pieces);
    tcase_add_test(tcase, an_id_with_a_zero_or_too_long_is_passed_over);
    tcase_add_test(tcase, a_type_that_is_too_long_is_cut);
    tcase_add_test(tcase, a_time_to_come_again_is_digits_only);
    tcase_add_test(tcase, an_event_as_large_as_allowed_comes_and_one_byte_more_does_not);
    tcase_add_test(tcase, after_an_event_that_is_too_large_nothing_comes);
    tcase_add_test(tcase, many_events_take_no_more_memory_than_the_largest);
}

int main(void)
{
    return suite_run("sse", add_tests);
}
