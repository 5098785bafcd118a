/* fuzz_settings - any bytes as fact.yaml: they are read, or refused with one line that names the
 * file; every value that counts then is one that its row allows, and can be written as a flag. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(const struct settings *settings)
{
    char assignment[SETTINGS_FILE_BYTES_MAX], reason[SETTINGS_REASON_BYTES];
    struct settings *copy = settings_new();
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        int length = snprintf(assignment, sizeof assignment, "%s.%s=%s", options[row].section,
                              options[row].key, settings_value(settings, row));
        assert(length < (int)sizeof assignment);
        bool good = settings_read_flag(copy, assignment, reason);
        assert(good);
        assert(strcmp(settings_value(copy, row), settings_value(settings, row)) == 0);
    }
    settings_destroy(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[SETTINGS_REASON_BYTES] = "";
    struct settings *settings = settings_new();
    struct bytes text = {(const char *)data, size};
    bool good = settings_read_yaml(settings, "fact.yaml", text, reason);
    assert(good == (reason[0] == '\0'));
    assert(good || strncmp(reason, "fact.yaml", 9) == 0);
    assert(memchr(reason, '\n', sizeof reason) == NULL || good);
    check_values(settings);
    settings_destroy(&settings);
    return 0;
}
