/* outcomes - see outcomes.h. */
#include "tests/load/outcomes.h"

#include <assert.h>
#include <string.h>

void outcomes_clear(struct outcomes *self)
{
    memset(self, 0, sizeof *self);
}

bool outcomes_is_refusal(enum status status)
{
    const struct status_row *row = &statuses[status];
    return status == STATUS_RETRY_BUDGET || row->retry == RETRY_AFTER ||
           row->retry == RETRY_ELSEWHERE;
}

void outcomes_ended(struct outcomes *self, enum status status, bool right, int64_t response_us,
                    int64_t service_us)
{
    assert(status < STATUS_COUNT);
    self->by_status[status]++;
    if (status == STATUS_OK && right) {
        self->ok++;
        histogram_add(&self->response, response_us);
        histogram_add(&self->service, service_us);
    } else if (status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING) {
        self->timeouts++;
        histogram_add(&self->timeout, response_us);
    } else if (outcomes_is_refusal(status)) {
        self->refused++;
        histogram_add(&self->refusal, response_us);
    } else {
        self->failed++;
        self->wrong += status == STATUS_OK;
    }
}
