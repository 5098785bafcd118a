/* visits - when each site is asked, without anybody's request, what it has and how it is: LIST for
 * its tools, HEALTH where that says nothing of it. Neither is billed.
 *
 * Each at the start and then on the schedule; sooner after a failure, twice as late each time. A
 * list that needed no exchange, still fresh or of a side without tools, is followed by HEALTH; so
 * that a wrong key, or a side that is not there, is known before a caller meets it. What is heard
 * is said by its site; logged only when it changes. Owns the schedule, which stands in the sites.
 */
#ifndef ACTORS_ARCADE_GATEWAY_VISITS_H
#define ACTORS_ARCADE_GATEWAY_VISITS_H

#include "actors/arcade_gateway/remote_calls.h"

struct visits {
    struct sites *sites;
    struct remote_calls *calls;
    struct imports *imports;
    int64_t every_us, retry_us; /* the schedule; how soon after a first failure */
};

/* The first visits are due now. */
void visits_begin(struct visits *self, struct context *context);

int64_t visits_due_at(const struct visits *self);
void visits_tick(struct visits *self, struct context *context);

/* A call without a request has ended; failure NULL: it is done. */
void visits_ended(struct visits *self, struct context *context, const struct remote_call *call,
                  const struct failure *failure);

/* What is offered of a site, as metrics. */
void visits_show_tools(const struct visits *self, struct context *context, const struct site *site);

#endif
