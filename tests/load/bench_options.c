/* bench_options - see bench_options.h. A flag is a row: its name, what help says, and the function
 * that takes its text. */
#include "tests/load/bench_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/command.h"
#include "actors/cli/json.h"

#define NUMBER_MAX 1e9

/* Takes a flag's text; false: it makes no sense. */
typedef bool take_option(struct bench_options *self, const char *text);

static bool read_number(const char *text, double min, double max, double *ret)
{
    char *end;
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret >= min && *ret <= max;
}

static bool read_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
    double number;
    bool good = read_number(text, min, max, &number) && number == (double)(uint32_t)number;
    *ret = good ? (uint32_t)number : 0;
    return good;
}

static bool read_us(const char *text, int64_t *ret)
{
    int64_t ms;
    bool good = duration_parse(text, &ms);
    *ret = good ? ms * US_PER_MS : 0;
    return good;
}

static bool take_endpoint(struct bench_options *self, const char *text)
{
    self->endpoint = text;
    return true;
}

static bool take_label(struct bench_options *self, const char *text)
{
    self->label = text;
    return true;
}

static bool take_remote(struct bench_options *self, const char *text)
{
    uint32_t pid;
    if (!read_u32(text, 1, INT32_MAX, &pid))
        return false;
    self->remote = (int)pid;
    return true;
}

static bool take_rate(struct bench_options *self, const char *text)
{
    return read_number(text, 0.1, NUMBER_MAX, &self->run.rate);
}

static bool take_law(struct bench_options *self, const char *text)
{
    self->run.law = strcmp(text, "poisson") == 0 ? LAW_POISSON : LAW_CONSTANT;
    return self->run.law == LAW_POISSON || strcmp(text, "constant") == 0;
}

static bool take_window(struct bench_options *self, const char *text)
{
    return read_u32(text, 1, CALLS_MAX, &self->run.window);
}

static bool take_connections(struct bench_options *self, const char *text)
{
    return read_u32(text, 1, CONNECTIONS_MAX, &self->connections);
}

static bool take_seconds(struct bench_options *self, const char *text)
{
    return read_us(text, &self->run.measure_us) && self->run.measure_us > 0;
}

static bool take_warmup(struct bench_options *self, const char *text)
{
    return read_us(text, &self->run.warmup_us);
}

static bool take_timeout(struct bench_options *self, const char *text)
{
    int64_t us;
    bool good = read_us(text, &us) && us > 0 && us <= DEADLINE_MS_MAX * US_PER_MS;
    self->workload.timeout_ms = good ? (uint32_t)(us / US_PER_MS) : 0;
    return good;
}

static bool take_late(struct bench_options *self, const char *text)
{
    return read_us(text, &self->run.late_us);
}

static bool take_inflight(struct bench_options *self, const char *text)
{
    return read_u32(text, 1, INFLIGHT_MAX, &self->run.inflight_max);
}

static bool take_seed(struct bench_options *self, const char *text)
{
    uint32_t seed;
    bool good = read_u32(text, 0, UINT32_MAX, &seed);
    self->run.seed = self->workload.seed = seed;
    return good;
}

static bool take_keys(struct bench_options *self, const char *text)
{
    uint32_t keys;
    bool good = read_u32(text, 1, WORKLOAD_KEYS_MAX, &keys);
    self->workload.keys = keys;
    return good;
}

static bool take_zipf(struct bench_options *self, const char *text)
{
    return read_number(text, 0, 0.999, &self->workload.theta);
}

static bool take_size(struct bench_options *self, const char *text)
{
    return read_u32(text, 16, WORKLOAD_SIZE_MAX, &self->workload.size);
}

static bool take_role(struct bench_options *self, const char *text)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {{"driver", ROLE_DRIVER},
                 {"tool_executor", ROLE_TOOL_EXECUTOR},
                 {"arcade_gateway", ROLE_ARCADE_GATEWAY}};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(text, roles[i].name) == 0) {
            self->workload.role = roles[i].role;
            return true;
        }
    return false;
}

static bool take_method(struct bench_options *self, const char *text)
{
    self->workload.method = text;
    return text[0] != '\0' && strlen(text) <= METHOD_BYTES_MAX;
}

static bool take_body(struct bench_options *self, const char *text)
{
    char reason[OPTIONS_REASON_BYTES];
    struct writer writer;
    free(self->body);
    self->body = malloc(PAIR_BODY_BYTES_MAX);
    if (self->body == NULL)
        return false;
    writer_init(&writer, self->body, PAIR_BODY_BYTES_MAX);
    if (json_read(bytes_of(text), &writer, reason, sizeof reason) != STATUS_OK)
        return false;
    self->workload.body = writer_bytes(&writer);
    return true;
}

static bool take_no_cache(struct bench_options *self, const char *text)
{
    (void)text;
    self->workload.flags |= FLAG_NO_CACHE;
    return true;
}

static bool take_search(struct bench_options *self, const char *text)
{
    self->searches = true;
    return read_us(text, &self->p99_us) && self->p99_us > 0;
}

static bool take_search_to(struct bench_options *self, const char *text)
{
    return read_number(text, 1, NUMBER_MAX, &self->search_to);
}

static bool take_output(struct bench_options *self, const char *text)
{
    self->is_json = strcmp(text, "json") == 0;
    return self->is_json || strcmp(text, "table") == 0;
}

/* clang-format off */
static const struct {
    const char *name, *value; /* value NULL: it takes none */
    take_option *take;
    const char *doc;
} rows[] = {
    {"--endpoint",     "EP",       take_endpoint,    "broker's frontend (tcp://127.0.0.1:5550)"},
    {"--rate",         "N",        take_rate,        "open loop: requests a second; without it, closed loop"},
    {"--law",          "LAW",      take_law,         "of arrivals: constant, poisson (poisson)"},
    {"--window",       "N",        take_window,      "under way on a connection; closed loop (1), open loop (no bound)"},
    {"--connections",  "N",        take_connections, "handles (1)"},
    {"--measure",      "TIME",     take_seconds,     "how long it is measured (5s)"},
    {"--warmup",       "TIME",     take_warmup,      "before that, not counted (500ms)"},
    {"--timeout",      "TIME",     take_timeout,     "deadline of a request (5s)"},
    {"--late",         "TIME",     take_late,        "later than this is late (1ms)"},
    {"--max-inflight", "N",        take_inflight,    "open loop: more, waiting or under way, are dropped (20000)"},
    {"--seed",         "N",        take_seed,        "of arrivals and keys (1)"},
    {"--keys",         "N",        take_keys,        "hit, select: different questions (1000)"},
    {"--zipf",         "THETA",    take_zipf,        "0: each as often; 0.99: few very often (0)"},
    {"--size",         "BYTES",    take_size,        "echo: of a body (64)"},
    {"--role",         "ROLE",     take_role,        "plain: driver, tool_executor, arcade_gateway (driver)"},
    {"--method",       "METHOD",   take_method,      "plain: what is asked"},
    {"--body",         "JSON",     take_body,        "plain: the body ({})"},
    {"--no-cache",     NULL,       take_no_cache,    "plain: past the cache"},
    {"--find-max",     "P99",      take_search,      "the highest rate from --rate on with p99 up to this and no failure"},
    {"--to",           "N",        take_search_to,   "--find-max: look no higher (1000000)"},
    {"--remote",       "PID",      take_remote,      "arcade: the server, counted as a part, not as a disturbance"},
    {"--label",        "TEXT",     take_label,       "goes into the report"},
    {"-o",             "table|json", take_output,    "how to print (table)"},
};
/* clang-format on */
#define ROWS (sizeof rows / sizeof rows[0])

void bench_options_help(void)
{
    puts("usage: fact-bench WORKLOAD [options]\n"
         "Loads a running system, and says what it cost and how long it took.\n\nworkloads:");
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++)
        printf("  %-10s %s\n", workload_rows[i].name, workload_rows[i].doc);
    puts("\noptions:");
    for (size_t i = 0; i < ROWS; i++)
        printf("  %-14s %-10s  %s\n", rows[i].name, rows[i].value == NULL ? "" : rows[i].value,
               rows[i].doc);
    puts("\nIt ends with 0: it was measured; 1: an answer was wrong, or no rate holds; 2: the run\n"
         "proves nothing (INVALID), and why; 3: the command line makes no sense; 4: nobody "
         "answers.");
}

static void set_defaults(struct bench_options *self)
{
    static const char empty_map[] = "\x80";
    *self = (struct bench_options){.endpoint = "tcp://127.0.0.1:5550",
                                   .label = "",
                                   .connections = 1,
                                   .search_to = 1e6,
                                   .tolerance = 0.05,
                                   .run = {.law = LAW_POISSON,
                                           .seed = 1,
                                           .inflight_max = 20000,
                                           .warmup_us = US_PER_S / 2,
                                           .measure_us = 5 * US_PER_S,
                                           .late_us = US_PER_MS},
                                   .workload = {.timeout_ms = FACT_TIMEOUT_MS_DEFAULT,
                                                .keys = 1000,
                                                .seed = 1,
                                                .size = 64,
                                                .role = ROLE_DRIVER,
                                                .body = {empty_map, 1},
                                                .flags = FLAG_IDEMPOTENT}};
}

static bool find_workload(const char *name, enum workload_kind *ret)
{
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++)
        if (strcmp(name, workload_rows[i].name) == 0) {
            *ret = (enum workload_kind)i;
            return true;
        }
    return false;
}

/* One flag and what it takes; *at moves behind both. */
static bool take_flag(struct bench_options *self, int argc, char *const *argv, int *at,
                      char *reason)
{
    const char *name = argv[(*at)++];
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(name, rows[i].name) != 0)
            continue;
        if (rows[i].value != NULL && *at == argc) {
            snprintf(reason, OPTIONS_REASON_BYTES, "%s wants %s", name, rows[i].value);
            return false;
        }
        const char *text = rows[i].value != NULL ? argv[(*at)++] : "";
        if (rows[i].take(self, text))
            return true;
        snprintf(reason, OPTIONS_REASON_BYTES, "%s %s: no %s", name, text, rows[i].value);
        return false;
    }
    snprintf(reason, OPTIONS_REASON_BYTES, "%s: no such option; see --help", name);
    return false;
}

/* What flags say of each other. */
static const char *contradiction(struct bench_options *self)
{
    if (self->workload.kind == WORKLOAD_PLAIN && self->workload.method == NULL)
        return "plain wants --method";
    if (self->searches && self->run.rate == 0)
        return "--find-max wants --rate, to begin with";
    if (self->searches && self->run.rate > self->search_to)
        return "--rate is above --to";
    if (self->run.rate == 0 && self->run.window == 0)
        self->run.window = 1;
    if (self->run.rate == 0 && self->run.inflight_max < self->run.window * self->connections)
        self->run.inflight_max = self->run.window * self->connections;
    return NULL;
}

enum options_end bench_options_read(int argc, char *const *argv, struct bench_options *ret,
                                    char *reason)
{
    set_defaults(ret);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return OPTIONS_HELP;
    if (argc < 2 || !find_workload(argv[1], &ret->workload.kind)) {
        snprintf(reason, OPTIONS_REASON_BYTES, "%s: no such workload; see --help",
                 argc < 2 ? "(none)" : argv[1]);
        return OPTIONS_WRONG;
    }
    int at = 2;
    while (at < argc)
        if (!take_flag(ret, argc, argv, &at, reason))
            return OPTIONS_WRONG;
    const char *wrong = contradiction(ret);
    if (wrong != NULL)
        snprintf(reason, OPTIONS_REASON_BYTES, "%s", wrong);
    return wrong == NULL ? OPTIONS_RUN : OPTIONS_WRONG;
}

void bench_options_fini(struct bench_options *self)
{
    free(self->body);
    self->body = NULL;
}
