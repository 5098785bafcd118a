/* test_allocations - headers, pairs and bodies are written and read without memory of their own;
 * and a hit passes driver and partition, and the session and server between them, without any.
 * The linker puts the functions below in the place of the allocator's, for all that this program
 * links but shared libraries; the codec calls none of those that could allocate. */
#include <string.h>

#include "protocol/asks.h"
#include "protocol/message.h"
#include "protocol/pairs.h"
#include "tests/support/hit_path.h"
#include "tests/support/suite.h"

#define PAIRS 8
#define KEY "Math_Calculator:0123456789abcdef0123456789abcdef"

static unsigned allocations;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations++;
    return __real_realloc(memory, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static char letters[PAIR_BODY_BYTES_MAX]; /* zeros are valid UTF-8 */
static char data[MESSAGE_BYTES_MAX], wire[FRAME_BYTES_MAX];

/* The library's own calls are seen, or the tests below could not fail. */
START_TEST(an_allocation_in_the_library_is_counted)
{
    allocations = 0;
    struct asks *asks = asks_new(16);
    ck_assert_uint_gt(allocations, 0);
    asks_destroy(&asks);
}
END_TEST

static struct header full_header(enum command command)
{
    return (struct header){.command = command,
                           .id = UINT64_MAX,
                           .deadline_ms = 1000,
                           .role = ROLE_DRIVER,
                           .method = {letters, METHOD_BYTES_MAX},
                           .has_key = true,
                           .key = UINT64_MAX,
                           .tenant = {letters, NAME_BYTES_MAX},
                           .idempotency_key = {letters, IDEMPOTENCY_KEY_BYTES},
                           .trace = {letters, TRACE_BYTES},
                           .instance = {letters, NAME_BYTES_MAX}};
}

/* Requests and replies, with a body of nothing to one of the largest that is packed. */
START_TEST(a_message_of_pairs_takes_no_memory_of_its_own)
{
    struct pairs_buffer buffer = {.data = data};
    struct pair pair;
    char head[PAIR_HEAD_BYTES_MAX];
    allocations = 0;
    for (size_t n = 0; n < PAIRS; n++) {
        struct header header = full_header(n % 2 ? COMMAND_REQUEST : COMMAND_REPLY);
        struct bytes body = {letters, n * n * n};
        size_t size = pairs_encode_head(&header, body, head);
        envelope_patch(head, &header);
        ck_assert(pairs_append(&buffer, (struct bytes){head, size}, body));
    }
    struct pairs pairs = pairs_over(pairs_flush(&buffer));
    while (pairs_next(&pairs, &pair))
        ck_assert_int_eq(pair.status, STATUS_OK);
    ck_assert_uint_eq(pairs.count, PAIRS);
    ck_assert_uint_eq(allocations, 0);
}
END_TEST

/* One the size of the largest pair, and what damage makes of it. */
START_TEST(a_large_pair_and_a_broken_one_take_none_either)
{
    struct header header = full_header(COMMAND_REQUEST);
    struct bytes body = {letters, PAIR_BODY_BYTES_MAX};
    struct pair pair;
    allocations = 0;
    size_t size = pairs_encode_head(&header, body, wire);
    memcpy(wire + size, body.data, body.size);
    struct pairs pairs = pairs_over((struct bytes){wire, size + body.size});
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_uint_eq(pair.body.size, body.size);
    for (size_t cut = 0; cut < size; cut++) {
        pairs = pairs_over((struct bytes){wire, cut});
        ck_assert(!pairs_next(&pairs, &pair));
    }
    ck_assert_uint_eq(allocations, 0);
}
END_TEST

/* One of each row of messages.def, with all its fields. */
START_TEST(a_body_takes_none)
{
    const struct message *message = &messages[_i];
    union any_body body = {0}, read;
    struct bytes encoded;
    for (size_t i = 0; message->name != NULL && i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        struct bytes *member = (struct bytes *)((char *)&body + field->offset);
        if (field->element != NULL)
            *member = bytes_of("\x90");
        else if (field->type == TYPE_TEXT || field->type == TYPE_BLOB)
            *member = (struct bytes){letters, field->bytes_max};
        else if (field->type == TYPE_VALUE)
            *member = bytes_of("\xc0");
    }
    allocations = 0;
    if (message->name != NULL) {
        ck_assert_int_eq(message_encode((enum message_id)_i, &body, wire, sizeof wire, &encoded),
                         STATUS_OK);
        ck_assert_int_eq(message_decode((enum message_id)_i, encoded, &read), STATUS_OK);
    }
    ck_assert_uint_eq(allocations, 0);
}
END_TEST

/* What is asked for the first time is computed, and takes some. */
START_TEST(a_hit_takes_none)
{
    hit_path_warm();
    unsigned computed = hit_path_computed();
    allocations = 0;
    for (unsigned i = 0; i < 3 * HIT_PATH_KEYS; i++)
        ck_assert_uint_gt(hit_path_ask(i % HIT_PATH_KEYS).size, 0);
    ck_assert_uint_eq(allocations, 0);
    ck_assert_uint_eq(hit_path_computed(), computed);
    (void)hit_path_ask(HIT_PATH_KEYS);
    ck_assert_uint_eq(hit_path_computed(), computed + 1);
    hit_path_end();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, an_allocation_in_the_library_is_counted);
    tcase_add_test(tcase, a_message_of_pairs_takes_no_memory_of_its_own);
    tcase_add_test(tcase, a_large_pair_and_a_broken_one_take_none_either);
    tcase_add_test(tcase, a_hit_takes_none);
    tcase_add_loop_test(tcase, a_body_takes_none, 0, MESSAGE_ID_MAX);
}

int main(void)
{
    return suite_run("allocations", add_tests);
}
