/* test_slots - requests are found by id, by client and by worker; their bytes are kept as they
 * came; slots, ids of questions passed on, and a tenant's share of the highest class have their
 * bounds. */
#include <string.h>

#include "broker/list.h"
#include "broker/relays.h"
#include "broker/slots.h"
#include "broker/tenants.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define SLOTS 50u
#define CLIENTS 5u
#define WORKERS 4u
#define LARGE 100000u

static struct slots *slots;
static struct outbox *outbox;
static char sent[FRAME_BYTES_MAX], body[LARGE];
static size_t sent_size;

static void carry(void *owner, uint32_t place, zmq_msg_t *message)
{
    (void)owner;
    (void)place;
    sent_size = zmq_msg_size(message);
    memcpy(sent, zmq_msg_data(message), sent_size);
}

static void setup(void)
{
    slots = slots_new(SLOTS, CLIENTS, WORKERS, UINT32_MAX, 9);
    outbox = outbox_new(1, 1, carry, NULL);
}

static void teardown(void)
{
    slots_destroy(&slots);
    outbox_destroy(&outbox);
    ck_assert_ptr_null(slots);
}

/* A request as it comes: its array with a long marker or not. */
static void keep(struct slot *slot, size_t body_bytes, bool canonical)
{
    zmq_msg_t message;
    char head[PAIR_HEAD_BYTES_MAX + 2];
    struct header header = {.command = COMMAND_REQUEST,
                            .id = 5,
                            .deadline_ms = 9,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of("query")};
    size_t size = pairs_encode_head(&header, (struct bytes){body, body_bytes}, head + 2);
    memcpy(head, (char[]){(char)0xdc, 0, 13}, 3);
    struct bytes first =
        canonical ? (struct bytes){head + 2, size} : (struct bytes){head, size + 2};
    if (canonical)
        *(head + 2) = (char)0x9d;
    frame_copy(&message, first, (struct bytes){body, body_bytes});
    struct pairs pairs = pairs_over(frame_bytes(&message));
    struct pair pair;
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.status, STATUS_OK);
    ck_assert_int_eq(pair.header.canonical, canonical);
    slots_keep(slots, slot, &pair, &message);
    zmq_msg_close(&message);
}

static const struct {
    size_t body_bytes;
    bool canonical;
} kinds[] = {{4, true}, {4, false}, {5000, true}, {5000, false}, {LARGE, true}, {LARGE, false}};

/* Small ones in the slot, others in a message of their own; sent twice, patched each time. */
START_TEST(what_is_kept_is_sent_as_it_came)
{
    struct slot *slot = slots_take(slots, 1, 5);
    keep(slot, kinds[_i].body_bytes, kinds[_i].canonical);
    ck_assert_uint_gt(slots_bytes(slots), kinds[_i].body_bytes);
    for (uint8_t attempt = 0; attempt < 2; attempt++) {
        struct header patch = {.command = COMMAND_REQUEST,
                               .id = slots_id(slots, slot),
                               .deadline_ms = 7,
                               .class = CLASS_SHEDDABLE,
                               .attempt = attempt};
        slots_send(slot, &patch, outbox, 0);
        outbox_flush(outbox);
        struct pairs pairs = pairs_over((struct bytes){sent, sent_size});
        struct pair pair;
        ck_assert(pairs_next(&pairs, &pair));
        ck_assert_int_eq(pair.status, STATUS_OK);
        ck_assert(pair.header.canonical);
        ck_assert_uint_eq(pair.header.id, slots_id(slots, slot));
        ck_assert_uint_eq(pair.header.deadline_ms, 7);
        ck_assert_uint_eq(pair.header.attempt, attempt);
        ck_assert_int_eq(pair.header.class, CLASS_SHEDDABLE);
        ck_assert(bytes_are(pair.header.method, "query"));
        ck_assert_uint_eq(pair.body.size, kinds[_i].body_bytes);
        ck_assert_int_eq(memcmp(pair.body.data, body, pair.body.size), 0);
    }
    slots_free(slots, slot);
    ck_assert_uint_eq(slots_bytes(slots), 0);
}
END_TEST

START_TEST(an_id_is_of_one_request_only)
{
    struct slot *slot = slots_take(slots, 1, 5);
    uint64_t id = slots_id(slots, slot);
    ck_assert_uint_ne(id, 0);
    ck_assert_ptr_eq(slots_find_id(slots, id), slot);
    slots_free(slots, slot);
    ck_assert_ptr_null(slots_find_id(slots, id));
    ck_assert_ptr_eq(slots_take(slots, 1, 6), slot);
    ck_assert_ptr_null(slots_find_id(slots, id));
    ck_assert_ptr_null(slots_find_id(slots, 0));
    ck_assert_ptr_null(slots_find_id(slots, UINT64_MAX));
    ck_assert_ptr_null(slots_find_id(slots, (uint64_t)(SLOTS + 1) << 32 | UINT32_MAX));
}
END_TEST

/* From a seed: comings, goings and moves between workers, against plain tables. */
START_TEST(requests_are_found_by_client_and_worker)
{
    uint64_t seed = 9;
    uint32_t client_of[SLOTS], worker_of[SLOTS] = {0};
    uint64_t id_of[SLOTS] = {0};
    memset(client_of, UINT8_MAX, sizeof client_of);
    for (int step = 0; step < 20000; step++) {
        uint32_t client = (uint32_t)(random_next(&seed) % CLIENTS);
        uint64_t id = random_next(&seed) % 1000 * 64;
        struct slot *slot = slots_find_request(slots, client, id);
        uint32_t at = 0;
        while (at < SLOTS && (client_of[at] != client || id_of[at] != id))
            at++;
        ck_assert_int_eq(slot != NULL, at < SLOTS);
        if (slot == NULL && (slot = slots_take(slots, client, id)) != NULL) {
            at = slots_index(slots, slot);
            ck_assert_uint_eq(client_of[at], NONE);
            client_of[at] = client;
            id_of[at] = id;
            worker_of[at] = NONE;
        } else if (slot == NULL) {
            ck_assert_uint_eq(slots_used(slots), SLOTS);
            slot = slots_first_of_client(slots, client);
        }
        if (slot == NULL)
            continue;
        at = slots_index(slots, slot);
        worker_of[at] =
            random_next(&seed) % 3 == 0 ? NONE : (uint32_t)(random_next(&seed) % WORKERS);
        slots_give(slots, slot, worker_of[at]);
        if (worker_of[at] != NONE) {
            ck_assert_ptr_eq(slots_last_of_worker(slots, worker_of[at]), slot);
        } else if (random_next(&seed) % 2 == 0) {
            slots_free(slots, slot);
            client_of[at] = NONE;
        }
    }
}
END_TEST

START_TEST(slots_are_bounded)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        ck_assert_ptr_nonnull(slots_take(slots, 0, i));
    ck_assert_ptr_null(slots_take(slots, 1, 1));
    for (struct slot *slot; (slot = slots_first_of_client(slots, 0)) != NULL;)
        slots_free(slots, slot);
    ck_assert_uint_eq(slots_used(slots), 0);
    ck_assert_ptr_nonnull(slots_take(slots, 1, 1));
}
END_TEST

START_TEST(relays_are_bounded_and_look_like_no_request)
{
    static struct relays relays;
    struct relay *relay = NULL;
    relays = (struct relays){.generation = UINT32_MAX};
    for (uint32_t i = 0; i < RELAYS_MAX; i++)
        ck_assert_ptr_nonnull(relay = relays_add(&relays, i, i, 1));
    ck_assert_ptr_null(relays_add(&relays, 0, 0, 1));
    uint64_t id = relays_id(&relays, relay);
    ck_assert(relays_is_id(id));
    ck_assert_ptr_eq(relays_find(&relays, id), relay);
    relay->taken = false;
    ck_assert_ptr_null(relays_find(&relays, id));
    ck_assert_ptr_eq(relays_add(&relays, 0, 0, 1), relay);
    ck_assert_ptr_null(relays_find(&relays, id));
    ck_assert_ptr_null(relays_find(&relays, UINT64_MAX));
    ck_assert(!relays_is_id((uint64_t)SLOTS_MAX << 32));
}
END_TEST

/* One of ten at most, however much of it is asked for; alone at first, and again after a while. */
START_TEST(the_highest_class_is_a_tenth_of_what_is_admitted)
{
    static struct tenants tenants;
    tenants_init(&tenants, 1);
    struct tenant *tenant = tenants_find(&tenants, tenants_key(&tenants, bytes_of("acme")));
    unsigned highest = 0;
    for (unsigned i = 0; i < 10000; i++) {
        enum request_class class = tenant_class(tenant, i % 2, INT64_C(100) * i);
        ck_assert_int_ge(class, (int)(i % 2));
        highest += class == CLASS_CRITICAL_PLUS;
        tenant_admitted(tenant, class);
    }
    ck_assert_uint_ge(highest, 900);
    ck_assert_uint_le(highest, 1100);
    struct tenant *other = tenants_find(&tenants, tenants_key(&tenants, (struct bytes){0}));
    ck_assert_int_eq(tenant_class(other, CLASS_CRITICAL_PLUS, 0), CLASS_CRITICAL_PLUS);
    for (unsigned i = 0; i < 20; i++)
        tenant_admitted(tenant, CLASS_CRITICAL_PLUS);
    tenant_admitted(tenant, CLASS_CRITICAL_PLUS);
    ck_assert_int_eq(tenant_class(tenant, CLASS_SHEDDABLE, 0), CLASS_SHEDDABLE);
    tenant_admitted(other, CLASS_CRITICAL_PLUS);
    ck_assert_int_eq(tenant_class(other, CLASS_CRITICAL_PLUS, 0), CLASS_CRITICAL);
    ck_assert_int_eq(tenant_class(other, CLASS_CRITICAL_PLUS, 60 * US_PER_S), CLASS_CRITICAL_PLUS);
}
END_TEST

START_TEST(weights_are_read_and_found_by_tenant)
{
    static struct tenants tenants;
    static struct tenant_weights weights;
    char reason[SETTINGS_REASON_BYTES];
    ck_assert(tenant_weights_read(&weights, " acme=3  a=b=100 ", reason));
    ck_assert_uint_eq(weights.count, 2);
    tenants_init(&tenants, 9);
    tenants_weigh(&tenants, &weights);
    ck_assert_uint_eq(tenants_weight(&tenants, tenants_key(&tenants, bytes_of("acme"))), 3);
    ck_assert_uint_eq(tenants_weight(&tenants, tenants_key(&tenants, bytes_of("a=b"))), 100);
    ck_assert_uint_eq(tenants_weight(&tenants, tenants_key(&tenants, bytes_of("other"))), 1);
    ck_assert_uint_eq(tenants_weight(&tenants, tenants_key(&tenants, (struct bytes){0})), 1);
    ck_assert_uint_ne(tenants_key(&tenants, bytes_of("")), 0); /* named, if by nothing */
    ck_assert(tenant_weights_read(&weights, "", reason));
    ck_assert_uint_eq(weights.count, 0);
}
END_TEST

/* One line says what to mend. */
START_TEST(a_weight_that_makes_no_sense_is_named)
{
    static const char *const wrong[] = {"acme",   "acme=",    "=3",       "acme=0",
                                        "acme=x", "acme=101", "acme=3=x", "acme=3 b"};
    static struct tenant_weights weights;
    char reason[SETTINGS_REASON_BYTES] = "";
    ck_assert(!tenant_weights_read(&weights, wrong[_i], reason));
    ck_assert_ptr_nonnull(strstr(reason, "write tenant=weight"));
}
END_TEST

START_TEST(so_many_tenants_have_a_weight)
{
    static struct tenant_weights weights;
    static char text[TENANT_WEIGHTS_MAX * 8 + 8];
    char reason[SETTINGS_REASON_BYTES];
    size_t size = 0;
    for (unsigned i = 0; i < TENANT_WEIGHTS_MAX; i++)
        size += (size_t)sprintf(text + size, "t%03u=2 ", i);
    ck_assert(tenant_weights_read(&weights, text, reason));
    ck_assert_uint_eq(weights.count, TENANT_WEIGHTS_MAX);
    memcpy(text + size, "one=2", 6);
    ck_assert(!tenant_weights_read(&weights, text, reason));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_is_kept_is_sent_as_it_came, 0, 6);
    tcase_add_test(tcase, an_id_is_of_one_request_only);
    tcase_add_test(tcase, requests_are_found_by_client_and_worker);
    tcase_add_test(tcase, slots_are_bounded);
    tcase_add_test(tcase, relays_are_bounded_and_look_like_no_request);
    tcase_add_test(tcase, weights_are_read_and_found_by_tenant);
    tcase_add_loop_test(tcase, a_weight_that_makes_no_sense_is_named, 0, 8);
    tcase_add_test(tcase, so_many_tenants_have_a_weight);
    tcase_add_test(tcase, the_highest_class_is_a_tenth_of_what_is_admitted);
}

int main(void)
{
    return suite_run("slots", add_tests);
}
