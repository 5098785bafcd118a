/* repeat - see repeat.h. */
#include "actors/arcade_gateway/repeat.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/limits.h"

#define BACKOFF_US (500 * US_PER_MS)
#define BACKOFF_US_MAX (8 * US_PER_S)
#define EARLIER_PERCENT_MAX 25u /* by chance, so that not all come back together */

void repeat_earn(struct repeat_budget *self)
{
    self->saved += REPEAT_BUDGET_PERMILLE;
    if (self->saved > REPEAT_BUDGET_SAVED_MAX)
        self->saved = REPEAT_BUDGET_SAVED_MAX;
}

bool repeat_pay(struct repeat_budget *self)
{
    if (self->saved < 1000)
        return false;
    self->saved -= 1000;
    return true;
}

/* A whole number without sign; false: it is none. */
static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* The three forms of a date. source: RFC 9110, 5.6.7 */
static bool read_date(const char *text, int64_t *ret_unix_ms)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm when = {0};
        const char *end = strptime(text, forms[i], &when);
        if (end == NULL || *end != '\0')
            continue;
        *ret_unix_ms = (int64_t)timegm(&when) * 1000;
        return true;
    }
    return false;
}

static uint32_t clamp_ms(uint64_t ms)
{
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

bool repeat_after_ms(const struct http_response *came, int64_t unix_ms, uint32_t *ret_ms)
{
    const char *ms = http_header_find(came, "Retry-After-Ms");
    const char *after = http_header_find(came, "Retry-After");
    uint64_t number;
    int64_t at_ms;
    if (ms != NULL && read_number(ms, &number)) {
        *ret_ms = clamp_ms(number);
    } else if (after != NULL && read_number(after, &number)) {
        *ret_ms = number < UINT32_MAX / 1000 ? (uint32_t)number * 1000 : UINT32_MAX;
    } else if (after != NULL && read_date(after, &at_ms)) {
        *ret_ms = at_ms > unix_ms ? clamp_ms((uint64_t)(at_ms - unix_ms)) : 0;
    } else {
        return false;
    }
    return true;
}

/* Of what kinds of end another try may go better, as long as the other side says nothing else. */
static bool may_go_better(const struct http_response *came)
{
    const char *should = http_header_find(came, "x-should-retry");
    if (came->end != HTTP_ANSWERED)
        return came->end == HTTP_NO_CONNECTION || came->end == HTTP_LOST;
    if (should != NULL && strcmp(should, "true") == 0)
        return true;
    if (should != NULL && strcmp(should, "false") == 0)
        return false;
    return came->status == 408 || came->status == 409 || came->status == 429 || came->status >= 500;
}

static int64_t backoff_us(unsigned repeats, uint64_t random)
{
    int64_t us = BACKOFF_US;
    for (unsigned i = 0; i < repeats && us < BACKOFF_US_MAX; i++)
        us *= 2;
    if (us > BACKOFF_US_MAX)
        us = BACKOFF_US_MAX;
    return us - us * (int64_t)(random % (EARLIER_PERCENT_MAX + 1)) / 100;
}

bool repeat_decide(struct repeat_budget *budget, const struct repeat_case *given,
                   int64_t *ret_wait_us)
{
    uint32_t after_ms = 0;
    int64_t wait_us = backoff_us(given->repeats, given->random);
    if (given->repeats >= REPEATS_MAX || !may_go_better(given->came) ||
        (given->came->sent && !given->idempotent))
        return false;
    if (repeat_after_ms(given->came, given->unix_ms, &after_ms)) {
        if (after_ms >= REPEAT_AFTER_MS_MAX)
            return false;
        wait_us = after_ms * US_PER_MS;
    }
    if (given->now_at + wait_us >= given->deadline_at || !repeat_pay(budget))
        return false;
    *ret_wait_us = wait_us;
    return true;
}
