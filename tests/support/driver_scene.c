/* driver_scene - see driver_scene.h. */
#include "tests/support/driver_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/demo_planner.h"
#include "tests/support/sql_tools.h"
#include "tests/support/suite.h"

#define EXECUTOR "executor-1"
#define SCHEMA_FIRST 1000u /* schema hashes of the tools, in their order */

struct scene scene;

/* --- tools --- */

static const struct {
    const char *name;
    bool cacheable;
    const char *properties[4];
} tools[] = {
    {"SQL_GetSchema", true, {"database"}},
    {"SQL_QueryReadonly", true, {"max_rows", "parameters", "statement"}},
    {SCENE_ECHO, true, {"n"}},
    {SCENE_WRITE, false, {"n"}},
};
#define TOOL_COUNT (sizeof tools / sizeof tools[0])
_Static_assert(SCHEMA_FIRST + 2 == SCENE_ECHO_SCHEMA, "the third in the list");

static const char *type_of(const char *property)
{
    if (strcmp(property, "parameters") == 0)
        return "array";
    return strcmp(property, "n") == 0 || strcmp(property, "max_rows") == 0 ? "integer" : "string";
}

static void write_property(struct writer *writer, const char *name)
{
    bool has_default = strcmp(name, "n") == 0;
    writer_cstr(writer, name);
    writer_map(writer, has_default ? 2 : 1);
    writer_cstr(writer, "type");
    writer_cstr(writer, type_of(name));
    if (has_default) {
        writer_cstr(writer, "default");
        writer_u64(writer, 7);
    }
}

static struct bytes parameters_of(size_t tool, char *out, size_t size)
{
    struct writer writer;
    size_t count = 0;
    writer_init(&writer, out, size);
    while (count < 4 && tools[tool].properties[count] != NULL)
        count++;
    writer_map(&writer, 2);
    writer_cstr(&writer, "type");
    writer_cstr(&writer, "object");
    writer_cstr(&writer, "properties");
    writer_map(&writer, count);
    for (size_t i = 0; i < count; i++)
        write_property(&writer, tools[tool].properties[i]);
    return writer_bytes(&writer);
}

/* Nobody waits for it but the driver itself. */
static void assert_of_its_own(const struct recorded_ask *ask)
{
    ck_assert_uint_eq(ask->origin.id, 0);
    ck_assert_int_eq(ask->origin.deadline_at, 0);
}

static void answer_directory(struct recorded_ask *ask)
{
    assert_of_its_own(ask);
    char room[4096];
    struct writer writer;
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, TOOL_COUNT);
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        struct msg_directory_method method = {.role = ROLE_TOOL_EXECUTOR,
                                              .name = bytes_of(tools[i].name),
                                              .version = bytes_of("1.0.0"),
                                              .schema = SCHEMA_FIRST + i,
                                              .workers = 1,
                                              .instance = bytes_of(EXECUTOR)};
        ck_assert_int_eq(message_write(MSG_DIRECTORY_METHOD, &method, &writer), STATUS_OK);
    }
    struct msg_directory directory = {
        .instance = bytes_of("b1"), .methods = writer_bytes(&writer), .workers = {"\x90", 1}};
    record_answer_message(scene.record, ask, MSG_DIRECTORY, &directory);
}

static void answer_definitions(struct recorded_ask *ask)
{
    char room[8192], parameters[1024];
    struct writer writer;
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, TOOL_COUNT);
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        struct msg_tool_definition definition = {
            .name = bytes_of(tools[i].name),
            .version = bytes_of("1.0.0"),
            .description = bytes_of("Says what it is told."),
            .schema = SCHEMA_FIRST + i,
            .parameters = parameters_of(i, parameters, sizeof parameters),
            .timeout_ms = 5000,
            .ttl_ms = 300000,
            .scope = bytes_of(strncmp(tools[i].name, "SQL_", 4) == 0 ? scene.sql_scope : NULL),
            .cacheable = tools[i].cacheable,
            .read_only = tools[i].cacheable,
            .idempotent = tools[i].cacheable};
        ck_assert_int_eq(message_write(MSG_TOOL_DEFINITION, &definition, &writer), STATUS_OK);
    }
    struct msg_tool_definitions list = {writer_bytes(&writer)};
    record_answer_message(scene.record, ask, MSG_TOOL_DEFINITIONS, &list);
}

static struct bytes run_tool(const struct recorded_ask *ask, char *out, size_t size)
{
    struct writer writer;
    char name[METHOD_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)ask->ask.method.size, ask->ask.method.data);
    if (strncmp(name, "SQL_", 4) == 0)
        return sql_tools_call(planner.database, name, ask->ask.body, out, size);
    writer_init(&writer, out, size);
    writer_map(&writer, 1);
    writer_cstr(&writer, "n");
    writer_raw(&writer, value_find(ask->ask.body, "n"));
    return writer_bytes(&writer);
}

static void answer_tool(struct recorded_ask *ask)
{
    static char room[RESULT_BYTES_MAX];
    char *body = malloc(PAIR_BODY_BYTES_MAX);
    struct msg_tool_result result = {
        .tool = ask->ask.method,
        .version = bytes_of("1.0.0"),
        .success = true,
        .data = run_tool(ask, room, sizeof room),
        .as_of = (uint64_t)scene.record->context.unix_ms,
        .deps = {"\x92\xa7"
                 "db:demo\xa8"
                 "t:demo.x",
                 18},
        .execution_method = bytes_of("local"),
    };
    struct answer answer = {
        .status = STATUS_OK, .executed = EXECUTED_YES, .instance = bytes_of(EXECUTOR)};
    ck_assert_int_eq(
        message_encode(MSG_TOOL_RESULT, &result, body, PAIR_BODY_BYTES_MAX, &answer.body),
        STATUS_OK);
    scene.executed++;
    record_answer(scene.record, ask, &answer);
    free(body);
}

/* --- partitions --- */

static struct scene_entry *entry_of(struct bytes key)
{
    for (size_t i = 0; i < scene.entry_count; i++)
        if (bytes_equal(key, (struct bytes){scene.entries[i].key, scene.entries[i].key_size}))
            return &scene.entries[i];
    ck_assert_uint_lt(scene.entry_count, SCENE_ENTRIES_MAX);
    struct scene_entry *entry = &scene.entries[scene.entry_count++];
    *entry = (struct scene_entry){.key_size = key.size};
    memcpy(entry->key, key.data, key.size);
    return entry;
}

struct scene_entry *scene_entry_of(const struct recorded_ask *ask)
{
    struct msg_cache_get get;
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, ask->ask.body, &get), STATUS_OK);
    return entry_of(get.key);
}

static void grant(struct scene_entry *entry, struct msg_cache_entry *answer)
{
    entry->lease = ++scene.last_lease;
    answer->lease = entry->lease;
    answer->lease_ms = 10000;
    scene.granted++;
}

static bool answer_get(struct recorded_ask *ask)
{
    struct msg_cache_get get;
    bool refresh = (ask->ask.flags & FLAG_REFRESH) != 0;
    bool only_cached = (ask->ask.flags & FLAG_ONLY_IF_CACHED) != 0;
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, ask->ask.body, &get), STATUS_OK);
    struct scene_entry *entry = entry_of(get.key);
    bool there = entry->value != NULL && !refresh;
    struct msg_cache_entry answer = {.outcome = bytes_of(!there         ? "MISS"
                                                         : entry->stale ? "STALE"
                                                                        : "HIT"),
                                     .age_ms = 5,
                                     .fresh_ms = there && !entry->stale ? entry->fresh_ms : 0,
                                     .position = scene.position};
    if (!there && entry->lease != 0 && get.park_ms > 0 && !refresh && !only_cached)
        return false;
    if (there)
        answer.value = (struct bytes){entry->value, entry->size};
    if ((!there || entry->stale) && entry->lease == 0 && !only_cached)
        grant(entry, &answer);
    record_answer_message(scene.record, ask, MSG_CACHE_ENTRY, &answer);
    return true;
}

/* Those who are parked are asked again, as a partition does. */
static void unpark(const struct scene_entry *entry)
{
    for (size_t i = 0; i < scene.record->ask_count; i++) {
        struct recorded_ask *ask = &scene.record->asks[i];
        if (ask->open && bytes_are(ask->ask.method, "get") && scene_entry_of(ask) == entry)
            (void)answer_get(ask);
    }
}

static void take_tags(struct scene_entry *entry, struct bytes tags)
{
    struct values values = values_over(tags);
    struct bytes value;
    entry->tag_count = 0;
    while (values_next(&values, &value)) {
        ck_assert_uint_lt(entry->tag_count, TAGS_MAX);
        ck_assert(value_u64(value, &entry->tags[entry->tag_count++]));
    }
}

static void answer_set(struct recorded_ask *ask)
{
    struct msg_cache_set set;
    ck_assert_int_eq(message_decode(MSG_CACHE_SET, ask->ask.body, &set), STATUS_OK);
    struct scene_entry *entry = entry_of(set.key);
    ck_assert_uint_ne(set.lease, 0);
    ck_assert_uint_eq(set.lease, entry->lease);
    ck_assert_int_ge(ask->origin.deadline_at,
                     ask->ask.deadline_at); /* not its request's, which is over */
    entry->lease = 0;
    free(entry->value);
    entry->value = malloc(set.value.size);
    memcpy(entry->value, set.value.data, set.value.size);
    entry->size = set.value.size;
    entry->stale = false;
    entry->fresh_ms = set.fresh_ms;
    take_tags(entry, set.tags);
    scene.stored++;
    struct msg_cache_stored stored = {.outcome = bytes_of("STORED")};
    record_answer_message(scene.record, ask, MSG_CACHE_STORED, &stored);
    unpark(entry);
}

static void answer_fail(struct recorded_ask *ask)
{
    struct msg_cache_fail fail;
    ck_assert_int_eq(message_decode(MSG_CACHE_FAIL, ask->ask.body, &fail), STATUS_OK);
    struct scene_entry *entry = entry_of(fail.key);
    ck_assert_uint_ne(fail.lease, 0);
    ck_assert_uint_eq(fail.lease, entry->lease);
    entry->lease = 0;
    scene.failed += fail.status != STATUS_CANCELLED;
    scene.handed_back += fail.status == STATUS_CANCELLED;
    struct msg_cache_stored stored = {.outcome = bytes_of("REJECTED")};
    record_answer_message(scene.record, ask, MSG_CACHE_STORED, &stored);
    unpark(entry);
}

void scene_lose(struct recorded_ask *ask)
{
    struct bytes body = ask->ask.body, key;
    ck_assert(value_text(value_find(body, "key"), &key));
    struct scene_entry *entry = entry_of(key);
    entry->lease = 0;
    record_answer_failure(scene.record, ask, STATUS_WORKER_LOST);
    unpark(entry);
}

size_t scene_leases_out(void)
{
    size_t count = 0;
    for (size_t i = 0; i < scene.entry_count; i++)
        count += scene.entries[i].lease != 0;
    return count;
}

static struct bytes view_body(unsigned partitions, uint64_t epoch, char *out, size_t size)
{
    char members[8192], uuid[16] = {0}, endpoint[64];
    struct writer writer;
    struct bytes body = {0};
    writer_init(&writer, members, sizeof members);
    writer_array(&writer, partitions);
    for (unsigned i = 0; i < partitions; i++) {
        uuid[15] = (char)(i + 1);
        snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", 7000 + i);
        struct msg_member member = {
            .uuid = {uuid, sizeof uuid}, .weight = 100, .endpoint = bytes_of(endpoint)};
        ck_assert_int_eq(message_write(MSG_MEMBER, &member, &writer), STATUS_OK);
    }
    struct msg_view view = {.epoch = epoch, .members = writer_bytes(&writer)};
    ck_assert_int_eq(message_encode(MSG_VIEW, &view, out, size, &body), STATUS_OK);
    return body;
}

struct bytes scene_newer_view(unsigned partitions, char *out, size_t size)
{
    return view_body(partitions, ++scene.epoch, out, size);
}

void scene_view(unsigned partitions)
{
    char room[8192];
    struct msg_view view;
    struct bytes body = view_body(partitions, ++scene.epoch, room, sizeof room);
    ck_assert_int_eq(message_decode(MSG_VIEW, body, &view), STATUS_OK);
    record_view(scene.record, &view);
}

/* --- the scene --- */

void scene_setup(const char *const *flags)
{
    demo_planner_setup();
    memset(&scene, 0, sizeof scene);
    scene.position = (struct bytes){"\x90", 1};
    scene.flags = flags;
    scene.record = record_new(&driver_spec, flags);
    scene_view(SCENE_PARTITIONS);
    record_step(scene.record, 0);
    scene_run();
}

void scene_start_anew(void)
{
    record_destroy(&scene.record);
    scene.record = record_new(&driver_spec, scene.flags);
    scene_view(SCENE_PARTITIONS);
}

void scene_teardown(void)
{
    for (size_t i = 0; i < scene.entry_count; i++)
        free(scene.entries[i].value);
    record_destroy(&scene.record);
    demo_planner_teardown();
}

uint64_t scene_call_with(const char *tool, uint64_t n, uint16_t flags,
                         const struct msg_options *said)
{
    char room[512], body_room[1024], options_room[512];
    struct writer writer;
    struct bytes body;
    struct msg_call call = {0};
    writer_init(&writer, room, sizeof room);
    writer_map(&writer, 1);
    writer_cstr(&writer, "n");
    writer_u64(&writer, n);
    call.arguments = writer_bytes(&writer);
    if (said != NULL)
        ck_assert_int_eq(
            message_encode(MSG_OPTIONS, said, options_room, sizeof options_room, &call.options),
            STATUS_OK);
    ck_assert_int_eq(message_encode(MSG_CALL, &call, body_room, sizeof body_room, &body),
                     STATUS_OK);
    return record_send(scene.record,
                       (struct header){.class = CLASS_CRITICAL,
                                       .flags = flags,
                                       .method = bytes_of(tool),
                                       .tenant = bytes_of("acme")},
                       body);
}

uint64_t scene_call(const char *tool, uint64_t n, uint16_t flags)
{
    return scene_call_with(tool, n, flags, NULL);
}

uint64_t scene_ask_with(const struct msg_query *query, uint16_t flags)
{
    char room[4096];
    struct bytes body;
    ck_assert_int_eq(message_encode(MSG_QUERY, query, room, sizeof room, &body), STATUS_OK);
    return record_send(scene.record,
                       (struct header){.class = CLASS_CRITICAL,
                                       .flags = flags,
                                       .method = bytes_of("query"),
                                       .tenant = bytes_of("acme")},
                       body);
}

uint64_t scene_ask(const char *question, uint16_t flags)
{
    return scene_ask_with(&(struct msg_query){.question = bytes_of(question)}, flags);
}

struct recorded_ask *scene_open(enum role role, const char *method)
{
    struct recorded_ask *ask = record_open_ask_of(scene.record, role, method);
    ck_assert_msg(ask != NULL, "%s is not asked", method);
    return ask;
}

bool scene_answer(struct recorded_ask *ask)
{
    struct bytes method = ask->ask.method;
    if (ask->ask.role == ROLE_ARCADE_GATEWAY)
        return false;
    if (ask->ask.role == ROLE_TOOL_EXECUTOR)
        answer_tool(ask);
    else if (bytes_are(method, "directory"))
        answer_directory(ask);
    else if (bytes_are(method, "instance"))
        answer_definitions(ask);
    else if (bytes_are(method, "set"))
        answer_set(ask);
    else if (bytes_are(method, "fail"))
        answer_fail(ask);
    else
        return answer_get(ask);
    return true;
}

void scene_run(void)
{
    for (size_t i = 0; i < scene.record->ask_count; i++)
        if (scene.record->asks[i].open && scene_answer(&scene.record->asks[i]))
            i = (size_t)-1; /* from the first again: it may have asked for more */
}

static int64_t deadline_of(const struct recorded_ask *ask)
{
    int64_t left_us = ask->origin.deadline_at - scene.record->context.now_at;
    int64_t share_at = scene.record->context.now_at + left_us * 95 / 100;
    if (ask->origin.deadline_at == 0)
        return ask->ask.deadline_at;
    return ask->ask.deadline_at == 0 || ask->ask.deadline_at > share_at ? share_at
                                                                        : ask->ask.deadline_at;
}

static void time_out(void)
{
    for (size_t i = 0; i < scene.record->ask_count; i++) {
        struct recorded_ask *ask = &scene.record->asks[i];
        struct bytes method = ask->ask.method;
        if (!ask->open || deadline_of(ask) > scene.record->context.now_at)
            continue;
        if (bytes_are(method, "set") || bytes_are(method, "fail"))
            scene_lose(ask);
        else
            record_answer_failure(scene.record, ask, STATUS_DEADLINE_RUNNING);
    }
}

void scene_pass(int64_t us)
{
    const int64_t grain_us = 1000;
    for (; us > 0; us -= grain_us) {
        record_step(scene.record, us < grain_us ? us : grain_us);
        time_out();
    }
    record_step(scene.record, 0);
}

struct scene_reply scene_reply_to(uint64_t request_id)
{
    struct scene_reply reply = {.n = 0};
    record_decode_reply(scene.record, request_id, MSG_ANSWER, &reply.answer);
    ck_assert_int_eq(message_decode(MSG_ANSWER_CACHE, reply.answer.cache, &reply.cache), STATUS_OK);
    struct bytes n = value_find(reply.answer.value, "n");
    if (n.data != NULL)
        ck_assert(value_u64(n, &reply.n));
    return reply;
}
