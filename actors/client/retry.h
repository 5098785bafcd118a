/* retry - when a call that was not served is tried again. Pure.
 *
 * Three attempts in all; only what the table of statuses allows; spread by chance, so that many who
 * were refused together do not come back together; and within a budget, so that those who come back
 * do not make an overload worse: a tenth of the requests and ten a second, saved up to a hundred.
 * source: docs/decisions/0080 and 0121; form of the budget: Finagle's */
#ifndef ACTORS_CLIENT_RETRY_H
#define ACTORS_CLIENT_RETRY_H

#include "protocol/envelope.h"

#define RETRY_ATTEMPTS_MAX 3u

struct retry_budget {
    int64_t saved; /* attempts, in millionths */
    int64_t at;    /* until when seconds are counted */
};

void retry_budget_init(struct retry_budget *self, int64_t now_at);
void retry_budget_earn(struct retry_budget *self); /* a request was made */

/* Try one again; false: not now. */
MUST_USE bool retry_budget_spend(struct retry_budget *self, int64_t now_at);

/* How long to wait before the next attempt, microseconds; -1: there is none. What the caller
 * withdrew, and what the tool itself says, is his to decide.
 *
 * reply     a REPLY
 * harmless  doing it twice does no harm
 * attempts  made so far, at least 1
 * random    any number */
int64_t retry_wait_us(const struct header *reply, bool harmless, unsigned attempts,
                      uint64_t random);

#endif
