/* workload - see workload.h. Bodies of keys are made beforehand, so that a generator that asks for
 * one does not measure how it is written. */
#include "tests/load/workload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define ROOM_BYTES (WORKLOAD_SIZE_MAX + 512u)
#define DEMO_RECORDS 144u /* of the generated data: 12 companies, 12 quarters */
#define DOUBLES 1000000u  /* numbers that Arcade is asked for */
#define TENANTS_MIXED                                                                              \
    50u /* that ask in turn; all ask Arcade: a gateway lets one have a few calls */
#define STATEMENT "select revenue from financial_records where id = ? and ? >= 0"

const struct workload_row workload_rows[WORKLOAD_COUNT] = {
    [WORKLOAD_ECHO] = {"echo", "client, broker, fact-echo: the body comes back"},
    [WORKLOAD_MIXED] = {"mixed", "as echo, of 50 tenants in turn, each in all four classes"},
    [WORKLOAD_HIT] = {"hit", "client, broker, driver, cache partition: an answer that is there"},
    [WORKLOAD_MISS] = {"miss", "as hit, never asked before: a tool runs, and it is kept"},
    [WORKLOAD_SELECT] = {"select", "an indexed SELECT, past the cache"},
    [WORKLOAD_ARCADE] = {"arcade", "a gateway's call to fact-arcade-server, past the cache"},
    [WORKLOAD_PLAIN] = {"plain", "--role, --method and --body as they are; any answer"}};

/* {arguments: {statement, parameters: [record, number]}}: the second makes it a question of its
 * own. */
static struct bytes write_select(char *room, uint64_t number)
{
    char arguments[256];
    struct writer writer;
    struct bytes body;
    writer_init(&writer, arguments, sizeof arguments);
    writer_map(&writer, 2);
    writer_cstr(&writer, "statement");
    writer_cstr(&writer, STATEMENT);
    writer_cstr(&writer, "parameters");
    writer_array(&writer, 2);
    writer_u64(&writer, 1 + number % DEMO_RECORDS);
    writer_u64(&writer, number);
    struct msg_call call = {.arguments = writer_bytes(&writer)};
    enum status status = message_encode(MSG_CALL, &call, room, ROOM_BYTES, &body);
    assert(status == STATUS_OK);
    return body;
}

/* {arguments: {n}} */
static struct bytes write_double(char *room, uint64_t number)
{
    char arguments[32];
    struct writer writer;
    struct bytes body;
    writer_init(&writer, arguments, sizeof arguments);
    writer_map(&writer, 1);
    writer_cstr(&writer, "n");
    writer_u64(&writer, number);
    struct msg_call call = {.arguments = writer_bytes(&writer)};
    enum status status = message_encode(MSG_CALL, &call, room, ROOM_BYTES, &body);
    assert(status == STATUS_OK);
    return body;
}

static bool is_double(const struct fact_reply *reply, uint64_t number)
{
    struct msg_answer answer;
    uint64_t found = 0;
    return reply->status == STATUS_OK &&
           message_decode(MSG_ANSWER, reply->body, &answer) == STATUS_OK &&
           value_u64(value_find(answer.value, "double"), &found) && found == 2 * number;
}

static size_t echo_head(uint32_t size)
{
    return size < 258 ? 2 : 3; /* of a bin 8, a bin 16 */
}

/* A blob of zeros, made once. */
static void make_echo(const struct workload *self)
{
    static const char zeros[WORKLOAD_SIZE_MAX];
    struct writer writer;
    writer_init(&writer, self->room, ROOM_BYTES);
    writer_blob(&writer, (struct bytes){zeros, self->config.size - echo_head(self->config.size)});
    assert(writer_bytes(&writer).size == self->config.size);
}

/* Its first bytes are the number. */
static struct bytes write_echo(const struct workload *self, uint64_t number)
{
    memcpy(self->room + echo_head(self->config.size), &number, sizeof number);
    return (struct bytes){self->room, self->config.size};
}

static struct bytes copy(struct bytes from)
{
    char *data = malloc(from.size > 0 ? from.size : 1);
    assert(data != NULL);
    if (from.size > 0)
        memcpy(data, from.data, from.size);
    return (struct bytes){data, from.size};
}

static bool has_keys(const struct workload *self)
{
    return self->config.kind == WORKLOAD_HIT || self->config.kind == WORKLOAD_SELECT;
}

void workload_init(struct workload *self, const struct workload_config *config)
{
    assert(config->keys > 0);
    assert(config->keys <= WORKLOAD_KEYS_MAX);
    assert(config->size >= 16);
    assert(config->size <= WORKLOAD_SIZE_MAX);
    *self = (struct workload){.config = *config, .random = config->seed};
    key_law_init(&self->law, config->keys, config->theta);
    self->number = config->fresh << 20; /* a microsecond asks less than that */
    self->room = malloc(ROOM_BYTES);
    self->bodies = calloc(config->keys, sizeof *self->bodies);
    self->rows = calloc(config->keys, sizeof *self->rows);
    self->tenants = calloc(TENANTS_MAX, sizeof *self->tenants);
    assert(self->tenants != NULL);
    for (unsigned i = 0; i < TENANTS_MAX; i++)
        (void)snprintf(self->tenants[i], sizeof self->tenants[i], "tenant-%u", i);
    assert(self->room != NULL);
    assert(self->bodies != NULL);
    assert(self->rows != NULL);
    make_echo(self);
    for (uint64_t key = 0; has_keys(self) && key < config->keys; key++)
        self->bodies[key] = copy(write_select(self->room, key));
}

void workload_fini(struct workload *self)
{
    for (uint64_t key = 0; key < self->config.keys; key++) {
        free((void *)self->bodies[key].data);
        free((void *)self->rows[key].data);
    }
    free(self->bodies);
    free(self->rows);
    free(self->tenants);
    free(self->room);
    *self = (struct workload){.room = NULL};
}

uint64_t workload_draw(struct workload *self)
{
    return has_keys(self) ? key_law_draw(&self->law, &self->random) : self->number++;
}

void workload_request(struct workload *self, uint64_t key, struct fact_request *ret)
{
    *ret = (struct fact_request)FACT_REQUEST;
    ret->timeout_ms = self->config.timeout_ms;
    ret->flags = FLAG_IDEMPOTENT;
    ret->method = bytes_of("SQL_QueryReadonly");
    switch (self->config.kind) {
    case WORKLOAD_MIXED:
        ret->tenant = bytes_of(self->tenants[key % TENANTS_MIXED]);
        ret->class = (enum request_class)(key / TENANTS_MIXED % CLASS_COUNT);
        /* fall through */
    case WORKLOAD_ECHO:
        ret->role = ROLE_TOOL_EXECUTOR;
        ret->method = bytes_of("Bench_Echo");
        ret->body = write_echo(self, key);
        break;
    case WORKLOAD_SELECT:
        ret->flags |= FLAG_NO_CACHE;
        ret->body = self->bodies[key];
        break;
    case WORKLOAD_MISS:
        ret->body = write_select(self->room, key);
        break;
    case WORKLOAD_ARCADE:
        ret->method = bytes_of("Arcade_Bench_Double");
        ret->flags |= FLAG_NO_CACHE;
        ret->tenant = bytes_of(self->tenants[key % TENANTS_MAX]);
        ret->body = write_double(self->room, key % DOUBLES);
        break;
    case WORKLOAD_PLAIN:
        ret->role = self->config.role;
        ret->method = bytes_of(self->config.method);
        ret->body = self->config.body;
        ret->flags = self->config.flags;
        break;
    default:
        ret->body = self->bodies[key];
    }
}

uint64_t workload_warm_keys(const struct workload *self)
{
    return has_keys(self) ? self->config.keys : 0;
}

/* What an answer of SQL_QueryReadonly has found, and how it came about. No more of it is read than
 * is compared: what the generator takes is part of the client's cost. */
static bool read_answer(const struct fact_reply *reply, struct bytes *ret_rows,
                        struct bytes *ret_cache)
{
    struct values members =
        values_over(reply->status == STATUS_OK ? reply->body : (struct bytes){0});
    struct bytes name, key, value, outcome = {0};
    *ret_rows = *ret_cache = (struct bytes){0};
    while (values_next(&members, &key) && values_next(&members, &value)) {
        if (!value_text(key, &name))
            return false;
        if (bytes_are(name, "outcome"))
            (void)value_text(value, &outcome);
        else if (bytes_are(name, "value"))
            *ret_rows = value_find(value, "rows");
        else if (bytes_are(name, "cache"))
            (void)value_text(value_find(value, "status"), ret_cache);
    }
    return bytes_are(outcome, "ok") && ret_rows->data != NULL;
}

bool workload_learn(struct workload *self, uint64_t key, const struct fact_reply *reply)
{
    struct bytes rows, cache;
    if (!read_answer(reply, &rows, &cache))
        return false;
    free((void *)self->rows[key].data);
    self->rows[key] = copy(rows);
    return true;
}

bool workload_is_right(struct workload *self, uint64_t key, const struct fact_reply *reply)
{
    struct bytes rows, cache, sent;
    switch (self->config.kind) {
    case WORKLOAD_PLAIN:
        return true;
    case WORKLOAD_ARCADE:
        return is_double(reply, key % DOUBLES);
    case WORKLOAD_ECHO:
    case WORKLOAD_MIXED:
        sent = write_echo(self, key);
        return bytes_equal(reply->body, sent);
    case WORKLOAD_MISS:
        return read_answer(reply, &rows, &cache) && bytes_are(cache, "miss");
    case WORKLOAD_HIT:
        return read_answer(reply, &rows, &cache) && bytes_equal(rows, self->rows[key]) &&
               bytes_are(cache, "hit");
    default:
        return read_answer(reply, &rows, &cache) && bytes_equal(rows, self->rows[key]);
    }
}
