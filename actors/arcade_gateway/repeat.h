/* repeat - whether one HTTP exchange is tried again, and after how long. Pure.
 *
 * At most twice; only if it does no harm, or nothing had been sent; only what may go better; within
 * the deadline, and within a budget of the target: a tenth of its exchanges. What the other side
 * says of when to come back is obeyed, if it is soon.
 * source: docs/gateway.md, "Repeats" */
#ifndef ACTORS_ARCADE_GATEWAY_REPEAT_H
#define ACTORS_ARCADE_GATEWAY_REPEAT_H

#include "actors/arcade_gateway/http.h"

#define REPEATS_MAX 2u                  /* of one exchange */
#define REPEAT_AFTER_MS_MAX 60000u      /* a longer wait is not waited for */
#define REPEAT_BUDGET_PERMILLE 100u     /* of a target's exchanges */
#define REPEAT_BUDGET_SAVED_FIRST 2000u /* thousandths: what a target begins with */
#define REPEAT_BUDGET_SAVED_MAX 10000u  /* thousandths: what quiet times may save up */

/* What a target may still spend, in thousandths of a repeat. */
struct repeat_budget {
    uint32_t saved;
};

/* One exchange was begun: a tenth of a repeat is earned. */
void repeat_earn(struct repeat_budget *self);

/* Pay for one repeat that somebody else decides on; false: there is not enough saved. */
bool repeat_pay(struct repeat_budget *self);

struct repeat_case {
    const struct http_response *came;
    bool idempotent;  /* may be done twice */
    unsigned repeats; /* of this exchange so far */
    int64_t now_at, deadline_at;
    int64_t unix_ms;
    uint64_t random;
};

/* Decide; a repeat is paid for.
 *
 * ret_wait_us  before it is sent; written on true
 * returns      false: what came is the end of it */
bool repeat_decide(struct repeat_budget *budget, const struct repeat_case *given,
                   int64_t *ret_wait_us);

/* When the other side wants to be asked again: Retry-After-Ms, or Retry-After in seconds or as a
 * date.
 *
 * unix_ms  now, for a date
 * ret_ms   at most UINT32_MAX; written on true
 * returns  false: it does not say, or what it says makes no sense */
bool repeat_after_ms(const struct http_response *came, int64_t unix_ms, uint32_t *ret_ms);

#endif
