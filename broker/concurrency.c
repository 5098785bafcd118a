/* concurrency - see concurrency.h. */
#include "broker/concurrency.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MIN 20u
#define HEADROOM 1.5
#define GRADIENT_MIN 0.5
#define KEPT 0.8
#define BACK_OFF 0.9
#define LINK_WEIGHT 0.05
#define TIMEOUTS_PART 10u /* more than one in so many is too many */
#define RULE_BYTES_MAX 96u
#define NUMBER_MAX 100000u

static const char *const kind_names[CONCURRENCY_KINDS] = {[CONCURRENCY_OFF] = "off",
                                                          [CONCURRENCY_STATIC] = "static",
                                                          [CONCURRENCY_GRADIENT] = "gradient",
                                                          [CONCURRENCY_AIMD] = "aimd"};

/* A gateway's time is not ours: it is held back by timeouts alone. */
static const struct concurrency_rule defaults[ROLE_COUNT] = {
    [ROLE_DRIVER] = {CONCURRENCY_GRADIENT, 0, 0},
    [ROLE_CACHE_PARTITION] = {CONCURRENCY_GRADIENT, 0, 0},
    [ROLE_TOOL_EXECUTOR] = {CONCURRENCY_GRADIENT, 0, 0},
    [ROLE_ARCADE_GATEWAY] = {CONCURRENCY_AIMD, 0, 0},
    [ROLE_AUTOSCALER] = {CONCURRENCY_GRADIENT, 0, 0},
    [ROLE_CONSOLE] = {CONCURRENCY_GRADIENT, 0, 0},
};

static bool read_count(const char *text, uint32_t *ret)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || number == 0 || number > NUMBER_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool read_kind(const char *text, enum concurrency_kind *ret)
{
    for (uint32_t kind = 0; kind < CONCURRENCY_KINDS; kind++)
        if (strcmp(text, kind_names[kind]) == 0) {
            *ret = (enum concurrency_kind)kind;
            return true;
        }
    return false;
}

/* ROLE=KIND [START [CAP]]; text: may be written to */
static bool read_rule(char *text, struct concurrency_rule *rules)
{
    struct concurrency_rule rule = {0};
    char *rest = NULL;
    const char *role_name = strtok_r(text, "=", &rest), *kind = strtok_r(NULL, " ", &rest);
    const char *start = strtok_r(NULL, " ", &rest), *cap = strtok_r(NULL, " ", &rest);
    if (role_name == NULL || kind == NULL || strtok_r(NULL, " ", &rest) != NULL ||
        !read_kind(kind, &rule.kind))
        return false;
    if (start != NULL && !read_count(start, &rule.start))
        return false;
    if (cap != NULL && (!read_count(cap, &rule.cap) || rule.cap < rule.start))
        return false;
    if (rule.kind == CONCURRENCY_STATIC && rule.start == 0)
        return false;
    for (uint32_t role = ROLE_DRIVER; role < ROLE_COUNT; role++)
        if (role != ROLE_CLIENT && strcmp(role_name, role_names[role]) == 0) {
            rules[role] = rule;
            return true;
        }
    return false;
}

bool concurrency_read(struct concurrency_rule *ret, const char *text, char *reason)
{
    char rule[RULE_BYTES_MAX];
    memcpy(ret, defaults, sizeof defaults);
    for (text += strspn(text, " ,"); *text != '\0'; text += strspn(text, " ,")) {
        size_t size = strcspn(text, ",");
        (void)snprintf(rule, sizeof rule, "%.*s", (int)size, text);
        if (size >= sizeof rule || !read_rule(rule, ret))
            return option_fail(reason,
                               "broker.concurrency: '%.*s' is not ROLE=KIND [START [CAP]]; KIND is "
                               "off, static (with START), gradient or aimd; both for each worker",
                               (int)(size < sizeof rule ? size : sizeof rule - 1), text);
        text += size;
    }
    return true;
}

void concurrency_init(struct concurrency *self, const struct concurrency_rule *rule,
                      int64_t tolerated_us)
{
    assert(rule->kind < CONCURRENCY_KINDS);
    assert(rule->cap == 0 || rule->cap >= rule->start);
    assert(tolerated_us >= 0);
    *self = (struct concurrency){.rule = *rule, .tolerated_us = (double)tolerated_us};
    quantiles_init(&self->took, US_PER_MS);
    quantiles_init(&self->service, US_PER_MS);
}

/* Where no worker has more than one, nothing waits inside: what is not work is the way. */
static void learn_link(struct concurrency *self, double link_us)
{
    if (link_us < self->link_us)
        self->link_us = link_us;
    else
        self->link_us += (link_us - self->link_us) * LINK_WEIGHT;
}

void concurrency_reply(struct concurrency *self, int64_t took_us, int64_t service_us,
                       uint32_t in_flight)
{
    int64_t work_us = service_us < took_us ? service_us : took_us;
    quantiles_add(&self->took, took_us);
    quantiles_add(&self->service, work_us);
    if (in_flight <= self->workers)
        learn_link(self, (double)(took_us - work_us));
    self->samples++;
}

void concurrency_timeout(struct concurrency *self)
{
    self->samples++;
    self->timeouts++;
}

/* So much for each worker, and no more than they say. */
static double share(uint32_t each, uint32_t workers, uint32_t capacity)
{
    uint64_t all = (uint64_t)each * workers;
    return each == 0 || all > capacity ? capacity : (double)all;
}

static void bound(struct concurrency *self)
{
    double most = share(self->rule.cap, self->workers, self->capacity);
    if (self->limit > most)
        self->limit = most;
    if (self->limit < self->workers)
        self->limit = self->workers;
}

/* source: Netflix concurrency-limits, Gradient2Limit; the time without load is that of the same
 * requests, so that a mix of short and long ones is no load. */
static void follow_gradient(struct concurrency *self)
{
    double noload_us = self->service.p50_us + self->link_us + self->tolerated_us;
    double gradient = HEADROOM * noload_us / self->took.p50_us;
    if (gradient > 1)
        gradient = 1;
    if (gradient < GRADIENT_MIN)
        gradient = GRADIENT_MIN;
    double room = gradient < 1 ? 0 : sqrt(self->limit);
    self->limit = KEPT * self->limit + (1 - KEPT) * (self->limit * gradient + room);
    if (self->timeouts * TIMEOUTS_PART > self->samples)
        self->limit *= BACK_OFF;
}

static void follow_timeouts(struct concurrency *self)
{
    if (self->timeouts > 0)
        self->limit *= BACK_OFF;
    else
        self->limit += 1;
}

void concurrency_tick(struct concurrency *self, uint32_t in_flight)
{
    if (self->samples < SAMPLES_MIN)
        return;
    bool is_used = in_flight * 2.0 >= self->limit || self->timeouts > 0;
    if (is_used && self->rule.kind == CONCURRENCY_GRADIENT)
        follow_gradient(self);
    if (is_used && self->rule.kind == CONCURRENCY_AIMD)
        follow_timeouts(self);
    self->samples = 0;
    self->timeouts = 0;
    bound(self);
}

static void resize(struct concurrency *self, uint32_t workers, uint32_t capacity)
{
    double before = share(self->rule.start, self->workers, self->capacity);
    double after = share(self->rule.start, workers, capacity);
    self->limit += after > before ? after - before : 0;
    if (self->rule.kind == CONCURRENCY_STATIC)
        self->limit = after;
    self->workers = workers;
    self->capacity = capacity;
    bound(self);
}

/* At all that the workers say, their credit is the limit: they may have granted more since. */
bool concurrency_has_room(struct concurrency *self, uint32_t workers, uint32_t capacity,
                          uint32_t in_flight)
{
    if (workers != self->workers || capacity != self->capacity)
        resize(self, workers, capacity);
    bool holds_back = self->rule.kind != CONCURRENCY_OFF && self->limit < capacity;
    return !holds_back || in_flight < (uint32_t)self->limit;
}

uint32_t concurrency_limit(const struct concurrency *self, uint32_t capacity)
{
    bool holds_back = self->rule.kind != CONCURRENCY_OFF && self->workers > 0;
    return holds_back && self->limit < capacity ? (uint32_t)self->limit : capacity;
}
