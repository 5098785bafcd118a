/* test_allow_list - each line is somebody with his grants, or is refused with its number; keys are
 * found, and found once; a list is full at ALLOWED_MAX. */
#include "actors/runtime/allow_list.h"

#include <stdio.h>
#include <zmq.h>

#include "tests/support/suite.h"

#define A "uKDwhsH*xcbI^}<[c%.37@tOjyiw@6V+?s%^/N-2"
#define B "E]U7qpU*^/YZ<c/R*ItXAId.Y>1Emr]7xNFDS9WH"

static char reason[ALLOW_REASON_BYTES];

static struct allow_list *read_text(const char *text)
{
    return allow_list_read(bytes_of(text), "allow", reason);
}

START_TEST(a_client_asks_drivers_and_not_the_highest_class)
{
    struct allow_list *list = read_text("# who may\n\n  client billing " A "\r\n");
    ck_assert_ptr_nonnull(list);
    const struct allowed *one = allow_list_find(list, bytes_of(A));
    ck_assert_ptr_nonnull(one);
    ck_assert_str_eq(one->name, "billing");
    ck_assert_int_eq(one->kind, KEY_CLIENT);
    ck_assert_uint_eq(one->roles, 1u << ROLE_DRIVER);
    ck_assert_uint_eq(one->classes, 0xeu);
    ck_assert(!one->admin);
    ck_assert(allow_names(one->tenants, (struct bytes){0}));
    ck_assert_ptr_null(allow_list_find(list, bytes_of(B)));
    ck_assert_ptr_null(allow_list_find(list, (struct bytes){A, CURVE_KEY_BYTES - 1}));
    ck_assert_ptr_null(allow_list_find(list, (struct bytes){0}));
    allow_list_destroy(&list);
    ck_assert_ptr_null(list);
}
END_TEST

START_TEST(grants_are_what_the_line_says)
{
    struct allow_list *list = read_text(
        "client c " A " classes=0,3 roles=driver,tool_executor tenants=acme methods=SQL_*,query "
        "admin\nworker w " B " roles=cache_partition\n");
    ck_assert_msg(list != NULL, "%s", reason);
    const struct allowed *client = allow_list_find(list, bytes_of(A));
    const struct allowed *worker = allow_list_find(list, bytes_of(B));
    ck_assert_uint_eq(client->classes, 0x9u);
    ck_assert_uint_eq(client->roles, 1u << ROLE_DRIVER | 1u << ROLE_TOOL_EXECUTOR);
    ck_assert_str_eq(client->tenants, "acme");
    ck_assert(client->admin);
    ck_assert_int_eq(worker->kind, KEY_WORKER);
    ck_assert_uint_eq(worker->roles, 1u << ROLE_CACHE_PARTITION);
    ck_assert(!worker->admin);
    allow_list_destroy(&list);
    list = read_text("operator o " A);
    ck_assert(allow_list_find(list, bytes_of(A))->admin);
    ck_assert_str_eq(key_kind_name(allow_list_at(list, 0)->kind), "operator");
    allow_list_destroy(&list);
}
END_TEST

static const struct {
    const char *text, *reason;
} bad[] = {
    {"\nclient", "allow:2: a line is KIND NAME KEY"},
    {"client x", "allow:1: a line is KIND NAME KEY"},
    {"guest x " A, "'guest': a line begins with client, worker or operator"},
    {"client x short", "no key"},
    {"client x " A "0", "no key"},
    {"worker x " A, "names its roles"},
    {"worker x " A " classes=1", "is no grant of worker"},
    {"client x " A " class=1", "'class=1' is no grant"},
    {"client x " A " classes=4", "there is no '4'"},
    {"client x " A " classes=", "there is no ''"},
    {"client x " A " classes=1,", "there is no ''"},
    {"client x " A " roles=drivers", "there is no 'drivers'"},
    {"client x " A " tenants=", "a name of 1 to 64 bytes"},
    {"client x " A " tenants=a,,b", "a name of 1 to 64 bytes"},
    {"operator x " A " admin", "is no grant of operator"},
    {"client x " A "\n# again\nworker y " A " roles=driver", "have one key"},
    {"client xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx " A, "at most 64"},
};

START_TEST(what_is_wrong_is_told_with_its_line)
{
    ck_assert_ptr_null(read_text(bad[_i].text));
    ck_assert_msg(strstr(reason, bad[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(names_end_where_a_star_stands)
{
    const char *list = "SQL_*,query,*x";
    ck_assert(allow_names(NULL, (struct bytes){0}));
    ck_assert(allow_names(list, bytes_of("SQL_")));
    ck_assert(allow_names(list, bytes_of("SQL_Query")));
    ck_assert(allow_names(list, bytes_of("query")));
    ck_assert(!allow_names(list, bytes_of("SQL")));
    ck_assert(!allow_names(list, bytes_of("query2")));
    ck_assert(!allow_names(list, bytes_of("quer")));
    ck_assert(!allow_names(list, bytes_of("x")));
    ck_assert(!allow_names(list, (struct bytes){0}));
    ck_assert(allow_names("*", bytes_of("anything")));
    ck_assert(!allow_names("*", (struct bytes){0})); /* named it must be */
}
END_TEST

START_TEST(a_full_list_takes_no_more)
{
    size_t size = 0, room = (size_t)(ALLOWED_MAX + 1) * 64;
    char *text = malloc(room), public_key[41], secret_key[41];
    for (uint32_t i = 0; i < ALLOWED_MAX; i++) {
        ck_assert_int_eq(zmq_curve_keypair(public_key, secret_key), 0);
        size += (size_t)snprintf(text + size, room - size, "client c%u %s\n", i, public_key);
    }
    struct allow_list *list = allow_list_read((struct bytes){text, size}, "allow", reason);
    ck_assert_msg(list != NULL, "%s", reason);
    ck_assert_uint_eq(allow_list_count(list), ALLOWED_MAX);
    ck_assert_ptr_nonnull(allow_list_find(list, bytes_of(public_key)));
    allow_list_destroy(&list);
    size += (size_t)snprintf(text + size, room - size, "client more %s\n", A);
    ck_assert_ptr_null(allow_list_read((struct bytes){text, size}, "allow", reason));
    ck_assert_ptr_nonnull(strstr(reason, "at most 1024 keys"));
    free(text);
}
END_TEST

START_TEST(a_long_line_and_a_long_text_are_refused)
{
    char *text = malloc(ALLOW_LIST_BYTES_MAX + 1);
    memset(text, 'x', ALLOW_LIST_BYTES_MAX + 1);
    ck_assert_ptr_null(
        allow_list_read((struct bytes){text, ALLOW_LIST_BYTES_MAX + 1}, "allow", reason));
    ck_assert_ptr_null(
        allow_list_read((struct bytes){text, ALLOW_LINE_BYTES_MAX + 1}, "allow", reason));
    ck_assert_ptr_nonnull(strstr(reason, "a line has at most"));
    text[1] = '\0';
    ck_assert_ptr_null(allow_list_read((struct bytes){text, 3}, "allow", reason));
    free(text);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_client_asks_drivers_and_not_the_highest_class);
    tcase_add_test(tcase, grants_are_what_the_line_says);
    tcase_add_loop_test(tcase, what_is_wrong_is_told_with_its_line, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, names_end_where_a_star_stands);
    tcase_add_test(tcase, a_full_list_takes_no_more);
    tcase_add_test(tcase, a_long_line_and_a_long_text_are_refused);
}

int main(void)
{
    return suite_run("allow_list", add_tests);
}
