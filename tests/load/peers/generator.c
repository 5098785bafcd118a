/* generator - see generator.h. */
#include "tests/load/peers/generator.h"

#include <string.h>
#include <time.h>

#include "tests/load/verdict.h"

#define PATIENCE_US (10 * US_PER_S) /* for a reply; nothing is lost on loopback */

int64_t generator_now_at(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static bool counts(const struct generator *self, int64_t at)
{
    return at >= self->from_at && at < self->to_at;
}

static void send_one(struct generator *self, int64_t now_at)
{
    memcpy(self->payload, &now_at, sizeof now_at);
    self->under_way++;
    self->outcomes.offered += counts(self, now_at);
    self->outcomes.sent += counts(self, now_at);
    self->client->send(self->client->self, self->payload, self->size);
}

void generator_take(struct generator *self, const char *payload, size_t size)
{
    int64_t sent_at, now_at = generator_now_at();
    bool right =
        size == self->size && memcmp(payload + sizeof sent_at, self->payload + sizeof sent_at,
                                     size - sizeof sent_at) == 0;
    memcpy(&sent_at, payload, sizeof sent_at);
    self->under_way--;
    if (counts(self, sent_at))
        outcomes_ended(&self->outcomes, STATUS_OK, right, now_at - sent_at, now_at - sent_at);
    self->completed += right && counts(self, now_at);
    if (!self->stopping)
        send_one(self, now_at);
}

static void turn(struct generator *self, int64_t timeout_us)
{
    if (self->client->flush != NULL)
        self->client->flush(self->client->self);
    self->client->receive(self->client->self, timeout_us < 0 ? 0 : timeout_us);
}

bool generator_run(struct generator *self)
{
    int64_t now_at = generator_now_at();
    uint64_t before = 0;
    bool is_measuring = false;
    self->from_at = now_at + self->warmup_us;
    self->to_at = self->from_at + self->measure_us;
    for (uint32_t i = 0; i < self->window; i++)
        send_one(self, now_at);
    for (; now_at < self->to_at; now_at = generator_now_at()) {
        if (!is_measuring && now_at >= self->from_at) {
            cost_begin(self->cost);
            is_measuring = true;
            before = self->completed;
        }
        turn(self, (is_measuring ? self->to_at : self->from_at) - now_at);
    }
    if (!is_measuring)
        cost_begin(self->cost);
    cost_end(self->cost);
    self->stopping = true;
    while (self->under_way > 0 && now_at < self->to_at + PATIENCE_US) {
        turn(self, US_PER_S / 10);
        now_at = generator_now_at();
    }
    struct conditions conditions = {.sent = self->outcomes.sent,
                                    .generator = cost_thread(self->cost),
                                    .foreign = cost_foreign(self->cost)};
    self->invalid = verdict_of(&conditions);
    return self->under_way == 0 && self->completed > before && self->outcomes.wrong == 0;
}
