/* test_grants - each grant lets through what it says and nothing else; without keys everything. */
#include "broker/grants.h"

#include "tests/support/suite.h"

#define BIT(number) (1u << (number))

static const char key[] = "uKDwhsH*xcbI^}<[c%.37@tOjyiw@6V+?s%^/N-2";

static struct allowed client(void)
{
    return (struct allowed){.key = key,
                            .name = "c",
                            .kind = KEY_CLIENT,
                            .roles = BIT(ROLE_DRIVER),
                            .classes = BIT(CLASS_CRITICAL) | BIT(CLASS_SHEDDABLE)};
}

static struct header request(void)
{
    return (struct header){.command = COMMAND_REQUEST,
                           .class = CLASS_CRITICAL,
                           .role = ROLE_DRIVER,
                           .method = bytes_of("query")};
}

START_TEST(without_keys_everybody_may_do_everything)
{
    struct header header = request();
    header.class = CLASS_CRITICAL_PLUS;
    ck_assert_ptr_null(grants_refuse_request(NULL, &header));
    ck_assert_ptr_null(grants_refuse_ready(NULL, ROLE_DRIVER, bytes_of(key)));
    ck_assert_ptr_null(grants_refuse_order(NULL));
    ck_assert_ptr_null(grants_refuse_invalidate(NULL));
}
END_TEST

START_TEST(a_request_needs_role_class_tenant_and_method)
{
    struct allowed one = client();
    struct header header = request();
    ck_assert_ptr_null(grants_refuse_request(&one, &header));
    for (uint8_t class = 0; class < (uint8_t)CLASS_COUNT; class ++) {
        header.class = class;
        ck_assert_int_eq(grants_refuse_request(&one, &header) == NULL,
                         class == CLASS_CRITICAL || class == CLASS_SHEDDABLE);
    }
    header = request();
    for (unsigned role = 0; role < 256; role++) {
        header.role = (uint8_t)role;
        ck_assert_int_eq(grants_refuse_request(&one, &header) == NULL, role == ROLE_DRIVER);
    }
    header = request();
    one.tenants = "acme,glo*";
    ck_assert_ptr_nonnull(strstr(grants_refuse_request(&one, &header), "tenant"));
    header.tenant = bytes_of("initech");
    ck_assert_ptr_nonnull(grants_refuse_request(&one, &header));
    header.tenant = bytes_of("globex");
    ck_assert_ptr_null(grants_refuse_request(&one, &header));
    one.methods = "SQL_*";
    ck_assert_ptr_nonnull(strstr(grants_refuse_request(&one, &header), "method"));
    header.method = bytes_of("SQL_QueryReadonly");
    ck_assert_ptr_null(grants_refuse_request(&one, &header));
}
END_TEST

START_TEST(a_worker_serves_its_roles_and_asks_for_others)
{
    struct allowed one = {.key = key, .name = "w", .kind = KEY_WORKER, .roles = BIT(ROLE_DRIVER)};
    struct header header = request();
    header.role = ROLE_TOOL_EXECUTOR;
    header.class = CLASS_CRITICAL_PLUS;
    ck_assert_ptr_null(grants_refuse_request(&one, &header));
    ck_assert_ptr_null(grants_refuse_ready(&one, ROLE_DRIVER, (struct bytes){0}));
    ck_assert_ptr_null(grants_refuse_ready(&one, ROLE_DRIVER, bytes_of(key)));
    ck_assert_ptr_nonnull(grants_refuse_ready(&one, ROLE_DRIVER, bytes_of("another")));
    ck_assert_ptr_nonnull(grants_refuse_ready(&one, ROLE_TOOL_EXECUTOR, (struct bytes){0}));
    ck_assert_ptr_nonnull(grants_refuse_invalidate(&one));
    ck_assert_ptr_nonnull(grants_refuse_order(&one));
    one.kind = KEY_CLIENT;
    ck_assert_ptr_nonnull(grants_refuse_ready(&one, ROLE_DRIVER, (struct bytes){0}));
    ck_assert_ptr_nonnull(grants_refuse_invalidate(&one));
    one.admin = true;
    ck_assert_ptr_null(grants_refuse_order(&one));
    ck_assert_ptr_null(grants_refuse_invalidate(&one));
}
END_TEST

START_TEST(of_workers_only_drivers_ask)
{
    struct header header = request();
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        struct allowed one = {.key = key, .name = "w", .kind = KEY_WORKER, .roles = BIT(role)};
        ck_assert_int_eq(grants_refuse_request(&one, &header) == NULL, role == ROLE_DRIVER);
        ck_assert_int_eq(grants_refuse_invalidate(&one) == NULL,
                         role == ROLE_TOOL_EXECUTOR || role == ROLE_ARCADE_GATEWAY);
    }
}
END_TEST

START_TEST(a_worker_greets_as_what_its_key_says)
{
    struct allowed one = {.key = key, .name = "w", .kind = KEY_WORKER, .roles = BIT(ROLE_DRIVER)};
    for (unsigned role = 0; role < 300; role++)
        for (int is_backend = 0; is_backend < 2; is_backend++)
            ck_assert_int_eq(grants_refuse_hello(&one, is_backend, role) == NULL,
                             role == ROLE_DRIVER);
    one = client();
    ck_assert_ptr_null(grants_refuse_hello(&one, false, ROLE_CLIENT));
    ck_assert_ptr_null(grants_refuse_hello(&one, false, ROLE_DRIVER)); /* is a client there */
    ck_assert_ptr_nonnull(grants_refuse_hello(&one, true, ROLE_CLIENT));
    ck_assert_ptr_nonnull(grants_refuse_hello(&one, true, ROLE_DRIVER));
    ck_assert_ptr_null(grants_refuse_hello(NULL, true, ROLE_DRIVER));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, without_keys_everybody_may_do_everything);
    tcase_add_test(tcase, a_request_needs_role_class_tenant_and_method);
    tcase_add_test(tcase, a_worker_serves_its_roles_and_asks_for_others);
    tcase_add_test(tcase, of_workers_only_drivers_ask);
    tcase_add_test(tcase, a_worker_greets_as_what_its_key_says);
}

int main(void)
{
    return suite_run("grants", add_tests);
}
