/* shares - see shares.h. */
#include "actors/runtime/shares.h"

#include <assert.h>
#include <stddef.h>

uint32_t shares_first(uint32_t concurrency, unsigned brokers)
{
    assert(concurrency > 0);
    assert(brokers > 0);
    return (concurrency + brokers - 1) / brokers;
}

bool shares_may_shrink(const struct share *self)
{
    return self->share > 1 + self->asked;
}

/* It has had all that it may have: it could do with more. */
static bool is_hungry(const struct share *one)
{
    return one->up && one->peak >= one->share;
}

/* The hungry one with the least; NULL: nobody is. */
static struct share *hungriest(struct share *shares, unsigned count)
{
    struct share *least = NULL;
    for (unsigned i = 0; i < count; i++)
        if (is_hungry(&shares[i]) && (least == NULL || shares[i].share < least->share))
            least = &shares[i];
    return least;
}

static struct share *richest(struct share *shares, unsigned count)
{
    struct share *most = NULL;
    for (unsigned i = 0; i < count; i++)
        if (shares[i].up && (most == NULL || shares[i].share > most->share))
            most = &shares[i];
    return most;
}

static struct share *poorest(struct share *shares, unsigned count)
{
    struct share *least = NULL;
    for (unsigned i = 0; i < count; i++)
        if (shares[i].up && (least == NULL || shares[i].share < least->share))
            least = &shares[i];
    return least;
}

/* What it has not needed, and never its last one. */
static uint32_t unneeded(const struct share *one)
{
    uint32_t needs = one->peak > 1 ? one->peak : 1;
    return one->up && one->asked == 0 && one->share > needs ? one->share - needs : 0;
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

/* From the one with the most, as its requests end; not below the one with the least. */
static void withhold(struct share *shares, unsigned count, uint32_t wanted)
{
    struct share *rich = richest(shares, count);
    const struct share *poor = poorest(shares, count);
    if (rich != NULL)
        rich->withhold = at_most(wanted, (rich->share - poor->share + 1) / 2);
}

/* More is out than there is. */
static void make_room(struct share *shares, unsigned count, uint32_t lacks)
{
    for (unsigned i = 0; i < count; i++) {
        shares[i].ask_back = at_most(unneeded(&shares[i]), lacks);
        lacks -= shares[i].ask_back;
    }
    withhold(shares, count, lacks);
}

int64_t shares_split(struct share *shares, unsigned count, int64_t spare)
{
    int64_t coming = 0;
    for (unsigned i = 0; i < count; i++) {
        shares[i].grant = shares[i].ask_back = shares[i].withhold = 0;
        coming += shares[i].asked;
    }
    struct share *hungry = hungriest(shares, count);
    if (spare < 0) {
        if (spare + coming < 0)
            make_room(shares, count, (uint32_t) - (spare + coming));
        return spare;
    }
    if (hungry == NULL)
        return spare;
    if (spare > 0) {
        hungry->grant = (uint32_t)spare;
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!is_hungry(&shares[i]))
            shares[i].ask_back = (unneeded(&shares[i]) + 1) / 2;
        coming += shares[i].ask_back;
    }
    if (coming == 0 && richest(shares, count)->share > hungry->share + 1)
        withhold(shares, count, UINT32_MAX);
    return spare;
}
