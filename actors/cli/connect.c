/* connect - see connect.h. */
#include "actors/cli/connect.h"

#include <errno.h>
#include <string.h>

#include "actors/cli/diagnose.h"
#include "actors/client/client_keys.h"
#include "protocol/message.h"

#define PATIENCE_MS 300 /* then a look whether anybody listens at all */
#define STEP_MS 1000

enum exit_code exit_code_of(enum status status, struct bytes code)
{
    static const unsigned char codes[STATUS_COUNT] = {[STATUS_OK] = CODE_OK,
                                                      [STATUS_CANCELLED] = CODE_FAILED,
                                                      [STATUS_BAD_REQUEST] = CODE_INVALID,
                                                      [STATUS_VERSION] = CODE_REFUSED,
                                                      [STATUS_UNAUTHENTICATED] = CODE_REFUSED,
                                                      [STATUS_FORBIDDEN] = CODE_REFUSED,
                                                      [STATUS_NO_ROLE] = CODE_REFUSED,
                                                      [STATUS_NO_WORKER] = CODE_REFUSED,
                                                      [STATUS_BUSY_FULL] = CODE_REFUSED,
                                                      [STATUS_BUSY_SHED] = CODE_REFUSED,
                                                      [STATUS_INFEASIBLE] = CODE_REFUSED,
                                                      [STATUS_RATE_LIMITED] = CODE_REFUSED,
                                                      [STATUS_CIRCUIT_OPEN] = CODE_REFUSED,
                                                      [STATUS_DRAINING] = CODE_REFUSED,
                                                      [STATUS_RETRY_BUDGET] = CODE_REFUSED,
                                                      [STATUS_DEADLINE_QUEUED] = CODE_UNREACHABLE,
                                                      [STATUS_DEADLINE_RUNNING] = CODE_UNREACHABLE,
                                                      [STATUS_WORKER_LOST] = CODE_FAILED,
                                                      [STATUS_POISON] = CODE_FAILED,
                                                      [STATUS_DUPLICATE_RUNNING] = CODE_FAILED,
                                                      [STATUS_TOO_LARGE] = CODE_INVALID,
                                                      [STATUS_APP_ERROR] = CODE_FAILED,
                                                      [STATUS_INTERNAL] = CODE_FAILED};
    if (status == STATUS_APP_ERROR && bytes_are(code, "READONLY_VIOLATION"))
        return CODE_REFUSED; /* the tool did not even try */
    return (enum exit_code)codes[status];
}

/* Greeted or not, say so; a broker that will not have us has said why itself. */
static enum exit_code report(const struct invocation *invocation, struct fact **handle,
                             const struct diagnosis *diagnosis)
{
    struct fact_peer peer = fact_peer(*handle);
    if (fact_state(*handle) == FACT_UP)
        return CODE_OK;
    if (fact_state(*handle) == FACT_REFUSED)
        fprintf(invocation->err,
                "fact: the broker at %s sent us away: %s (%s)\n"
                "To mend it: %s.\n",
                peer.endpoint, statuses[peer.refused].name, peer.reason,
                peer.refused == STATUS_UNAUTHENTICATED || peer.refused == STATUS_FORBIDDEN
                    ? "have the key of --key allowed there (docs/operations.md)"
                    : "use a fact of the same version as the broker; this is " FACT_VERSION);
    else
        diagnosis_print(diagnosis, peer.endpoint, peer.reason, invocation->err);
    enum exit_code code = fact_state(*handle) == FACT_REFUSED ? CODE_REFUSED : CODE_UNREACHABLE;
    fact_destroy(handle);
    return code;
}

/* The files with the keys, so that it is told which of the options is wrong. */
static bool check_keys(const struct invocation *invocation)
{
    struct client_keys keys;
    const char *key = invocation->options[CLI_KEY].text;
    const char *server = invocation->options[CLI_SERVER_KEY].text;
    bool good = client_keys_read(key, server, &keys);
    const char *why = strerror(errno);
    client_keys_wipe(&keys);
    if (good)
        return true;
    if (key == NULL || server == NULL)
        why = "each needs the other";
    else if (errno == EINVAL)
        why = "one holds no key; they are NAME.secret and NAME.public of fact keys generate";
    else if (errno == EACCES)
        why = "the pair must be readable, and by its owner alone (chmod 600); of the server key "
              "nobody else may change the file (chmod 644)";
    fprintf(invocation->err, "fact: --key %s, --server-key %s: %s\n", key != NULL ? key : "(none)",
            server != NULL ? server : "(none)", why);
    return false;
}

struct fact_options connect_options(const struct invocation *invocation, const char *endpoint)
{
    return (struct fact_options){.endpoints = endpoint,
                                 .tenant = invocation->options[CLI_TENANT].text,
                                 .user = invocation->options[CLI_USER].text,
                                 .key_file = invocation->options[CLI_KEY].text,
                                 .server_key_file = invocation->options[CLI_SERVER_KEY].text};
}

static enum exit_code open_handle(const struct invocation *invocation, bool plain,
                                  struct fact **ret)
{
    const char *endpoint = invocation->options[CLI_ENDPOINT].text;
    int64_t timeout_ms = invocation->options[CLI_TIMEOUT].number;
    struct fact_options options = connect_options(invocation, endpoint);
    options.plain = plain;
    struct diagnosis diagnosis;
    if (!check_keys(invocation))
        return CODE_USAGE;
    struct fact *handle = fact_open(&options);
    if (handle == NULL && errno == EINVAL) {
        diagnose(endpoint, STEP_MS, &diagnosis);
        diagnosis_print(&diagnosis, endpoint, "", invocation->err);
        return CODE_USAGE;
    }
    if (handle == NULL) {
        fprintf(invocation->err, "fact: cannot open a socket: %s\n", strerror(errno));
        return CODE_FAILED;
    }
    int64_t first_ms = timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS;
    if (fact_wait_up(handle, first_ms) == STATUS_DEADLINE_QUEUED) {
        diagnose(fact_peer(handle).endpoint, STEP_MS, &diagnosis);
        bool hopeless = diagnosis.failed != STEP_COUNT &&
                        (diagnosis.refused || diagnosis.failed < STEP_CONNECT) &&
                        strchr(endpoint, ',') == NULL;
        if (!hopeless && timeout_ms > first_ms)
            (void)!fact_wait_up(handle, timeout_ms - first_ms);
    }
    enum exit_code code = report(invocation, &handle, &diagnosis);
    if (code == CODE_OK)
        *ret = handle;
    return code;
}

enum exit_code connect_open(const struct invocation *invocation, struct fact **ret)
{
    return open_handle(invocation, false, ret);
}

enum exit_code connect_one(const struct invocation *invocation, struct fact **ret)
{
    return open_handle(invocation, true, ret);
}

enum exit_code connect_ask(const struct invocation *invocation, struct fact *handle,
                           enum command command, const char *method, struct bytes body,
                           struct fact_reply *ret)
{
    struct fact_request request = FACT_REQUEST;
    struct msg_failure failure;
    request.command = command;
    request.role = ROLE_BROKER;
    request.method = bytes_of(method);
    request.body = body.data != NULL ? body : (struct bytes){"\x80", 1};
    request.timeout_ms = (uint32_t)invocation->options[CLI_TIMEOUT].number;
    enum status status = fact_call(handle, &request, ret);
    if (status == STATUS_OK)
        return CODE_OK;
    if (message_decode(MSG_FAILURE, ret->body, &failure) != STATUS_OK)
        failure = (struct msg_failure){.code = bytes_of(statuses[status].name),
                                       .message = bytes_of(statuses[status].text)};
    fprintf(invocation->err, "fact: %s: %.*s: %.*s\n", method, (int)failure.code.size,
            failure.code.data, (int)failure.message.size, failure.message.data);
    if (failure.hint.size > 0)
        fprintf(invocation->err, "To mend it: %.*s\n", (int)failure.hint.size, failure.hint.data);
    return exit_code_of(status, failure.code);
}
