/* policy - see policy.h. */
#include "broker/policy.h"

#include <assert.h>
#include <string.h>

static bool read_breaker(const char *profile, struct policy *ret, char *reason)
{
    enum breaker_profile found;
    ret->breaker = NULL;
    if (strcmp(profile, "off") == 0)
        return true;
    if (!breaker_profile_find(profile, &found))
        return option_fail(reason,
                           "broker.breaker: '%.32s' is not off, default, development, standard, "
                           "production or high_traffic",
                           profile);
    ret->breaker = breaker_rule(found);
    return true;
}

bool policy_read(const struct settings *settings, struct policy *ret, char *reason)
{
    ret->retry_percent = (uint32_t)settings_u64(settings, "broker", "retry_percent");
    ret->retry_floor = (uint32_t)settings_u64(settings, "broker", "retry_floor");
    return concurrency_read(ret->concurrency, settings_text(settings, "broker", "concurrency"),
                            reason) &&
           limit_rules_read(&ret->limits, settings_text(settings, "broker", "limits_profile"),
                            settings_text(settings, "broker", "limits"), reason) &&
           tenant_weights_read(&ret->weights, settings_text(settings, "broker", "tenant_weights"),
                               reason) &&
           read_breaker(settings_text(settings, "broker", "breaker"), ret, reason);
}

struct policy policy_default(void)
{
    char reason[SETTINGS_REASON_BYTES];
    struct policy policy;
    struct settings *settings = settings_new();
    bool good = policy_read(settings, &policy, reason);
    assert(good);
    settings_destroy(&settings);
    return policy;
}
