/* ejection - see ejection.h. */
#include "broker/ejection.h"

#include <assert.h>
#include <string.h>

#define IN_A_ROW_MAX 5u
#define SAMPLES_MIN 20u
#define SUCCESS_PERCENT_MIN 80u
#define EJECT_US (5 * US_PER_S) /* the first time; n times that the nth */
#define EJECT_US_MAX (300 * US_PER_S)
#define JITTER_PERCENT 20u        /* more, at most */
#define FORGET_US (30 * US_PER_S) /* so long without, and it counts as once less */
#define RAMP_US (10 * US_PER_S)
#define EJECTED_PERCENT_MAX 50u
#define SOUND_PERCENT_MIN 50u

/* Seconds that went by without an outcome have none. */
static void move_on(struct health *self, int64_t second)
{
    int64_t gone = second - self->second;
    for (int64_t i = 1; i <= gone && i <= HEALTH_SECONDS; i++) {
        self->good[(self->second + i) % HEALTH_SECONDS] = 0;
        self->bad[(self->second + i) % HEALTH_SECONDS] = 0;
    }
    self->second = second;
}

bool health_note(struct health *self, bool failed, int64_t now_at)
{
    assert(now_at >= 0);
    uint64_t good = 0, bad = 0;
    int64_t second = now_at / US_PER_S;
    assert(second >= self->second);
    move_on(self, second);
    self->good[second % HEALTH_SECONDS] += !failed;
    self->bad[second % HEALTH_SECONDS] += failed;
    self->failed_in_a_row = failed ? self->failed_in_a_row + 1 : 0;
    if (!failed) /* what is no failure makes nobody sick */
        return false;
    for (unsigned i = 0; i < HEALTH_SECONDS; i++) {
        good += self->good[i];
        bad += self->bad[i];
    }
    return self->failed_in_a_row >= IN_A_ROW_MAX ||
           (good + bad >= SAMPLES_MIN && good * 100 < (good + bad) * SUCCESS_PERCENT_MIN);
}

bool health_is_out(const struct health *self)
{
    return self->ejected_at > 0 && self->back_at == 0;
}

void health_eject(struct health *self, uint64_t chance, int64_t now_at)
{
    bool well = self->ejected_at > 0 && now_at > self->until_at;
    int64_t forgotten = well ? (now_at - self->until_at) / FORGET_US : 0;
    self->times = self->times > forgotten ? self->times - (uint32_t)forgotten : 0;
    self->times++;
    int64_t out_us = self->times < EJECT_US_MAX / EJECT_US ? self->times * EJECT_US : EJECT_US_MAX;
    out_us += (int64_t)(chance % (uint64_t)(out_us * JITTER_PERCENT / 100));
    self->ejected_at = now_at;
    self->until_at = now_at + (out_us < EJECT_US_MAX ? out_us : EJECT_US_MAX);
    self->back_at = 0;
}

void health_return(struct health *self, int64_t now_at)
{
    assert(self->ejected_at > 0);
    self->back_at = now_at;
    self->failed_in_a_row = 0;
    memset(self->good, 0, sizeof self->good);
    memset(self->bad, 0, sizeof self->bad);
}

uint32_t health_ramp(const struct health *self, uint32_t concurrency, int64_t now_at)
{
    int64_t since_us = now_at - self->back_at;
    if (self->back_at == 0 || since_us >= RAMP_US || concurrency <= 1)
        return concurrency > 0 ? concurrency : 1;
    return 1 + (uint32_t)((int64_t)(concurrency - 1) * since_us / RAMP_US);
}

bool ejection_may(uint32_t members, uint32_t ejected)
{
    assert(ejected <= members);
    uint32_t most = members * EJECTED_PERCENT_MAX / 100;
    return ejected < (most > 1 ? most : 1);
}

bool ejection_is_ignored(uint32_t members, uint32_t sound)
{
    assert(sound <= members);
    return sound * 100 < members * SOUND_PERCENT_MIN;
}
