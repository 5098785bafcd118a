/* keys - see keys.h. */
#include "actors/runtime/keys.h"

#include <stdio.h>
#include <string.h>

bool keys_read(const struct settings *settings, const char *section, unsigned does,
               struct keys *ret, char *reason)
{
    const char *own = settings_text(settings, section, "curve_key_file");
    const char *servers = settings_text(settings, "common", "curve_server_file");
    bool connects = (does & KEYS_CONNECTS) != 0, lets_in = (does & KEYS_LETS_IN) != 0;
    memset(ret, 0, sizeof *ret);
    ret->allow_file = settings_text(settings, "common", "curve_allow_file");
    const char *missing = NULL;
    if (own[0] == '\0' && servers[0] != '\0' && connects)
        missing = "common.curve_server_file is set: name this process's own key, too, in "
                  "curve_key_file (fact keys generate)";
    else if (own[0] != '\0' && servers[0] == '\0' && connects)
        missing = "curve_key_file is set: name the file with the brokers' public key, too, in "
                  "common.curve_server_file";
    else if (own[0] != '\0' && ret->allow_file[0] == '\0' && lets_in)
        missing = "curve_key_file is set: name the list of those who may connect, too, in "
                  "common.curve_allow_file";
    else if (own[0] == '\0' && ret->allow_file[0] != '\0' && lets_in)
        missing = "common.curve_allow_file is set, and nobody would be asked for a key: name this "
                  "process's own, too, in curve_key_file (fact keys generate)";
    if (missing != NULL)
        (void)snprintf(reason, KEY_FILE_REASON_BYTES, "%s", missing);
    if (missing != NULL || own[0] == '\0')
        return missing == NULL;
    ret->used = true;
    return key_file_read_pair(own, &ret->own, reason) &&
           (!connects || key_file_read_servers(servers, &ret->servers, reason));
}

void keys_wipe(struct keys *self)
{
    explicit_bzero(self, sizeof *self);
}
