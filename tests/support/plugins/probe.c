/* probe - a plug-in whose tools do what their argument "mode" says: to see each function of the
 * host at work, and what becomes of a call that breaks a promise. */
#include <fact_tool.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct thread {
    unsigned index;
    uint64_t calls;
};

static void *thread_start(unsigned index)
{
    struct thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        abort();
    thread->index = index;
    return thread;
}

static void thread_stop(void *thread_state)
{
    free(thread_state);
}

static void nap(void)
{
    const struct timespec time = {0, 1000000};
    (void)nanosleep(&time, NULL);
}

static bool is_mode(const struct fact_call *call, const char *mode)
{
    struct fact_view text = call->host->text(call, "mode");
    return text.size == strlen(mode) && memcmp(text.data, mode, text.size) == 0;
}

/* Every argument back, read by its own function. */
static bool echo(const struct fact_call *call)
{
    const struct fact_host *host = call->host;
    struct thread *thread = call->thread_state;
    struct fact_view list = host->argument(call, "list"), map = host->argument(call, "map");
    struct fact_view text = {NULL, 0};
    int64_t integer = -1;
    double number = -1;
    bool boolean = false;
    bool all = host->read_text(host->element(list, 0), &text) &&
               host->read_integer(host->element(list, 1), &integer) &&
               host->read_number(host->find(map, "n"), &number) &&
               host->read_boolean(host->find(map, "b"), &boolean);
    bool wrong = host->read_integer(host->element(list, 0), &integer) ||
                 host->read_text(host->element(list, 2), &text) ||
                 host->read_boolean(host->find(list, "b"), &boolean) ||
                 host->find(map, "none").data != NULL || host->count(host->element(list, 0)) != 0;
    host->put_map(call, 10);
    host->put_string(call, "text");
    host->put_text(call, text);
    host->put_string(call, "integer");
    host->put_integer(call, integer + host->integer(call, "integer"));
    host->put_string(call, "number");
    host->put_number(call, number + host->number(call, "number"));
    host->put_string(call, "boolean");
    host->put_boolean(call, boolean && host->boolean(call, "boolean"));
    host->put_string(call, "nothing");
    host->put_null(call);
    host->put_string(call, "counts");
    host->put_array(call, 2);
    host->put_integer(call, (int64_t)host->count(list));
    host->put_integer(call, (int64_t)host->count(map));
    host->put_string(call, "map");
    host->put_value(call, map);
    host->put_string(call, "read");
    host->put_boolean(call, all && !wrong);
    host->put_string(call, "calls");
    host->put_integer(call, (int64_t)++thread->calls);
    host->put_string(call, "left");
    host->put_boolean(call, host->left_us(call) > 0 && host->room(call) > 100000);
    return true;
}

static void put_mode(const struct fact_call *call)
{
    call->host->put_map(call, 1);
    call->host->put_string(call, "mode");
    call->host->put_text(call, call->host->text(call, "mode"));
}

static bool depend(const struct fact_call *call)
{
    put_mode(call);
    call->host->depends(call, "db:probe");
    call->host->depends(call, "t:probe.rows");
    call->host->as_of(call, 1700000000000u);
    call->host->truncated(call);
    return true;
}

static bool depend_much(const struct fact_call *call)
{
    put_mode(call);
    for (int i = 0; i < 1000; i++)
        call->host->depends(call, "db:one-of-very-many");
    return true;
}

static bool fail_bad(const struct fact_call *call)
{
    bool failed = call->host->fail(call, "BAD_ARGUMENTS", "item %d is odd", 3);
    call->host->fail_field(call, "list/3");
    call->host->fail_hint(call, "Take an even one.");
    return failed;
}

static bool fail_away(const struct fact_call *call)
{
    return call->host->fail(call, "UNAVAILABLE", "the other side is away");
}

static bool fail_own(const struct fact_call *call)
{
    put_mode(call);
    (void)call->host->fail(call, "FIRST", "the first reason");
    (void)call->host->fail(call, "OWN_CODE", "the last reason");
    return true; /* a failure all the same */
}

static bool fail_code(const struct fact_call *call)
{
    return call->host->fail(call, "no code at all", "%s", "why\xff");
}

static bool fail_mute(const struct fact_call *call)
{
    (void)call;
    return false;
}

static bool nothing(const struct fact_call *call)
{
    (void)call;
    return true;
}

static bool cut_short(const struct fact_call *call)
{
    call->host->put_map(call, 2);
    call->host->put_string(call, "mode");
    return true;
}

static bool two_values(const struct fact_call *call)
{
    put_mode(call);
    put_mode(call);
    return true;
}

static bool bad_text(const struct fact_call *call)
{
    call->host->put_map(call, 1);
    call->host->put_string(call, "mode");
    call->host->put_text(call, (struct fact_view){"\xff\xfe", 2});
    return true;
}

static bool not_a_number(const struct fact_call *call)
{
    call->host->put_map(call, 1);
    call->host->put_string(call, "extra");
    call->host->put_number(call, NAN);
    return true;
}

static bool too_deep(const struct fact_call *call)
{
    call->host->put_map(call, 1);
    call->host->put_string(call, "extra");
    for (int i = 0; i < 40; i++)
        call->host->put_array(call, 1);
    call->host->put_null(call);
    return true;
}

static bool too_large(const struct fact_call *call)
{
    static const char zeros[4096];
    call->host->put_map(call, 100);
    while (call->host->room(call) > 0)
        call->host->put_text(call, (struct fact_view){zeros, sizeof zeros});
    return true;
}

static bool other_result(const struct fact_call *call)
{
    call->host->put_map(call, 1);
    call->host->put_string(call, "mode");
    call->host->put_integer(call, 7);
    return true;
}

/* Ends when it is told to, with half of a result. */
static bool obey(const struct fact_call *call)
{
    while (!call->host->cancelled(call))
        nap();
    put_mode(call);
    return true;
}

/* Deaf to everything. */
static bool hang(const struct fact_call *call)
{
    while (call != NULL)
        nap();
    return false;
}

static bool crash(const struct fact_call *call)
{
    (void)call;
    abort();
}

static bool pause_first(const struct fact_call *call)
{
    for (int64_t i = call->host->integer(call, "integer"); i > 0; i--)
        nap();
    put_mode(call);
    return true;
}

static const struct {
    const char *mode;
    fact_tool_run *run;
} modes[] = {
    {"echo", echo},
    {"depend", depend},
    {"depend much", depend_much},
    {"fail bad", fail_bad},
    {"fail away", fail_away},
    {"fail own", fail_own},
    {"fail code", fail_code},
    {"fail mute", fail_mute},
    {"nothing", nothing},
    {"cut short", cut_short},
    {"two values", two_values},
    {"bad text", bad_text},
    {"not a number", not_a_number},
    {"too deep", too_deep},
    {"too large", too_large},
    {"other result", other_result},
    {"obey", obey},
    {"hang", hang},
    {"crash", crash},
    {"pause", pause_first},
};

static bool probe(const struct fact_call *call)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (is_mode(call, modes[i].mode))
            return modes[i].run(call);
    return call->host->fail(call, "BAD_ARGUMENTS", "there is no such mode");
}

#define PARAMETERS                                                                                 \
    "{\"type\": \"object\", \"required\": [\"mode\"], \"properties\": {"                           \
    "\"mode\": {\"type\": \"string\"},"                                                            \
    "\"integer\": {\"type\": \"integer\", \"default\": 40},"                                       \
    "\"number\": {\"type\": \"number\", \"default\": 0.5},"                                        \
    "\"boolean\": {\"type\": \"boolean\", \"default\": true},"                                     \
    "\"list\": {\"type\": \"array\"},"                                                             \
    "\"map\": {\"type\": \"object\", \"additionalProperties\": true}}}"
#define RESULT                                                                                     \
    "{\"type\": \"object\", \"additionalProperties\": true, \"properties\": {"                     \
    "\"mode\": {\"type\": \"string\"}}}"

/* Two, for one of them has little time. */
static const struct fact_tool tools[] = {
    {
        .name = "Probe_Patient",
        .version = "1.0.0",
        .description = "Does what it is told, and may take its time.",
        .parameters = PARAMETERS,
        .result = RESULT,
        .timeout_ms = 60000,
        .idempotent = true,
        .concurrency = 64,
        .run = probe,
    },
    {
        .name = "Probe_Do",
        .version = "1.2.3-test.1",
        .description = "Does what it is told, as a test of what becomes of it.",
        .parameters = PARAMETERS,
        .result = RESULT,
        .timeout_ms = 700,
        .scope = "user",
        .ttl_ms = 7, /* means nothing where nothing is cached */
        .idempotent = true,
        .concurrency = 3,
        .rights = "read,probe",
        .run = probe,
    },
};

const struct fact_plugin *fact_plugin(void)
{
    static const struct fact_plugin plugin = {.abi = FACT_TOOL_ABI,
                                              .tool_count = 2,
                                              .tools = tools,
                                              .thread_start = thread_start,
                                              .thread_stop = thread_stop};
    return &plugin;
}
