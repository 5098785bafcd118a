/* dialect_mcp - see dialect_mcp.h. One row a step says what an answer to it leads to. */
#include "actors/arcade_gateway/dialect_mcp.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_talk.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Versions that begin with initialize, newest first. */
static const char *const session_versions[] = {MCP_SESSION_VERSION, "2025-06-18", "2025-03-26",
                                               "2024-11-05"};

static bool is_session_version(struct bytes version)
{
    for (size_t i = 0; i < COUNT_OF(session_versions); i++)
        if (bytes_are(version, session_versions[i]))
            return true;
    return false;
}

static bool is_among(struct bytes list, bool (*is_one)(struct bytes version))
{
    struct values values = values_over(list);
    struct bytes value, version;
    while (value_kind(list) == KIND_ARRAY && values_next(&values, &value))
        if (value_text(value, &version) && is_one(version))
            return true;
    return false;
}

static bool is_stateless_version(struct bytes version)
{
    return bytes_are(version, MCP_STATELESS_VERSION);
}

static enum dialogue_next fail(struct dialogue *self, const char *message)
{
    failure_set(&self->failure, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "MCP server %s: %s",
                self->remote->name, message);
    return DIALOGUE_FAILED;
}

/* What comes next, by what is known of the server. */
static enum dialogue_next go_on(struct dialogue *self, struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    const struct mcp_server *server = self->remote->memory;
    if (server->era == MCP_ERA_UNKNOWN)
        return mcp_ask(self, MCP_DISCOVER, ret);
    if (server->era == MCP_ERA_SESSION && !server->is_open)
        return mcp_ask(self, MCP_INITIALIZE, ret);
    if (self->purpose == DIALOGUE_CALL)
        return mcp_ask(self, MCP_CALL, ret);
    if (self->purpose == DIALOGUE_LIST)
        return mcp_ask(self, MCP_LIST, ret);
    if (talk->has_met)
        return DIALOGUE_DONE;
    return mcp_ask(self, server->era == MCP_ERA_STATELESS ? MCP_DISCOVER : MCP_PING, ret);
}

static void forget_era(struct mcp_server *server)
{
    server->era = MCP_ERA_UNKNOWN;
    server->is_open = false;
    server->session[0] = '\0';
    server->fresh_until_at = 0;
}

static bool is_good(const struct http_response *came)
{
    return came->status >= 200 && came->status < 300;
}

/* Statuses that say nothing about server or request, whatever stands in the body: a key is wrong,
 * it is too much, something is broken. */
static bool is_about_now(const struct http_response *came)
{
    static const unsigned passing[] = {401, 403, 407, 408, 425, 429};
    for (size_t i = 0; i < COUNT_OF(passing); i++)
        if (came->status == passing[i])
            return true;
    return came->status >= 500;
}

/* Why there is no result. */
static enum dialogue_next refuse(struct dialogue *self, const struct http_response *came)
{
    const struct mcp_talk *talk = self->state;
    if (talk->answer.kind == MCP_ERROR && !is_about_now(came))
        return mcp_fail_error(self);
    return mcp_fail_http(self, came);
}

/* An error that no server of sessions has. */
static bool is_stateless_error(const struct mcp_message *answer, const struct http_response *came)
{
    if (answer->kind != MCP_ERROR)
        return false;
    return answer->code == MCP_HEADER_MISMATCH || answer->code == MCP_CAPABILITY_MISSING ||
           answer->code == MCP_VERSION_UNSUPPORTED ||
           (answer->code == MCP_METHOD_NOT_FOUND && came->status == 404);
}

/* The name and version by which a server of either era introduces itself. */
static void note_server(struct mcp_server *server, struct bytes result)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-";
    struct bytes info = value_find(result, "serverInfo"), version;
    if (info.data == NULL)
        info = value_find(value_find(result, "_meta"), "io.modelcontextprotocol/serverInfo");
    if (!value_text(value_find(info, "version"), &version) || version.size == 0 ||
        version.size >= sizeof server->server_version)
        return;
    memcpy(server->server_version, version.data, version.size);
    server->server_version[version.size] = '\0';
    if (strspn(server->server_version, letters) != version.size)
        server->server_version[0] = '\0';
}

/* The form for a server that has these versions; absent: it did not say. */
static enum dialogue_next choose_version(struct dialogue *self, struct bytes versions,
                                         struct exchange *ret)
{
    struct mcp_server *server = self->remote->memory;
    if (versions.data == NULL || is_among(versions, is_stateless_version)) {
        server->era = MCP_ERA_STATELESS;
        return go_on(self, ret);
    }
    if (is_among(versions, is_session_version))
        return mcp_ask(self, MCP_INITIALIZE, ret);
    return fail(self, "it speaks no version of MCP that is spoken here");
}

static enum dialogue_next on_discover(struct dialogue *self, const struct http_response *came,
                                      struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    const struct mcp_message *answer = &talk->answer;
    talk->has_met = true;
    if (answer->kind == MCP_RESULT && is_good(came)) {
        note_server(self->remote->memory, answer->result);
        return choose_version(self, value_find(answer->result, "supportedVersions"), ret);
    }
    if (is_stateless_error(answer, came)) {
        bool is_version = answer->code == MCP_VERSION_UNSUPPORTED;
        struct bytes none = {0};
        return choose_version(self, is_version ? value_find(answer->data, "supported") : none, ret);
    }
    if (is_about_now(came) || (answer->kind == MCP_NOTHING && came->end != HTTP_ANSWERED))
        return mcp_fail_http(self, came);
    return mcp_ask(self, MCP_INITIALIZE, ret);
}

/* False: the server names a session in a way that cannot be repeated. */
static bool take_session(struct mcp_talk *talk, const struct http_response *came)
{
    const char *session = http_header_find(came, "Mcp-Session-Id");
    size_t size = session != NULL ? strlen(session) : 0;
    talk->session[0] = '\0';
    if (size >= sizeof talk->session)
        return false;
    for (size_t i = 0; i < size; i++)
        if (session[i] <= ' ' || session[i] > '~')
            return false;
    if (size > 0)
        memcpy(talk->session, session, size + 1);
    return true;
}

static enum dialogue_next on_initialize(struct dialogue *self, const struct http_response *came,
                                        struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    struct bytes version = {0};
    if (talk->answer.kind != MCP_RESULT)
        return refuse(self, came);
    if (!value_text(value_find(talk->answer.result, "protocolVersion"), &version) ||
        !is_session_version(version))
        return fail(self, "it speaks no version of MCP that is spoken here");
    if (!take_session(talk, came))
        return fail(self, "the name of its session is too long, or not plain");
    note_server(self->remote->memory, talk->answer.result);
    memcpy(talk->version, version.data, version.size);
    talk->version[version.size] = '\0';
    return mcp_ask(self, MCP_INITIALIZED, ret);
}

/* Only now is the session for others, who may have opened one of their own: the last one counts. */
static enum dialogue_next on_initialized(struct dialogue *self, const struct http_response *came,
                                         struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    struct mcp_server *server = self->remote->memory;
    if (came->end != HTTP_ANSWERED || !is_good(came))
        return mcp_fail_http(self, came);
    memcpy(server->version, talk->version, sizeof server->version);
    memcpy(server->session, talk->session, sizeof server->session);
    server->era = MCP_ERA_SESSION;
    server->is_open = true;
    server->opened++;
    return go_on(self, ret);
}

/* It may be that the server is not what it was: restarted, replaced, its session gone. Only a
 * refusal can say so, of which nothing was run. One of sessions states errors of a request with
 * 200: with another status it does not know us, or is a stateless one by now, whatever code it has.
 */
static bool is_unknown_here(const struct dialogue *self, const struct http_response *came)
{
    const struct mcp_talk *talk = self->state;
    const struct mcp_server *server = self->remote->memory;
    const struct mcp_message *answer = &talk->answer;
    if (answer->kind == MCP_RESULT || came->end != HTTP_ANSWERED)
        return false;
    if (answer->kind == MCP_ERROR && answer->code == MCP_VERSION_UNSUPPORTED)
        return true;
    if (came->status != 400 && came->status != 404 && came->status != 405)
        return false;
    if (server->era == MCP_ERA_SESSION || answer->kind != MCP_ERROR)
        return true;
    return answer->code != MCP_METHOD_NOT_FOUND && answer->code != MCP_INVALID_PARAMS &&
           answer->code != MCP_CAPABILITY_MISSING && answer->code != MCP_HEADER_MISMATCH;
}

/* Begin anew: with the session that another dialogue has opened meanwhile, or a new one where one
 * was lost; else by asking which era it is. */
static enum dialogue_next renew(struct dialogue *self, const struct http_response *came,
                                struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    struct mcp_server *server = self->remote->memory;
    talk->is_renewed = true;
    mcp_drop_pages(talk);
    bool is_session = server->era == MCP_ERA_SESSION;
    if (is_session && talk->opened != server->opened && server->is_open)
        return go_on(self, ret);
    if (is_session && came->status == 404 && server->session[0] != '\0') {
        server->is_open = false;
        server->session[0] = '\0';
        server->fresh_until_at = 0;
        return go_on(self, ret);
    }
    forget_era(server);
    return go_on(self, ret);
}

/* An answer that is no result. */
static enum dialogue_next take_refusal(struct dialogue *self, const struct http_response *came,
                                       struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    if (!talk->is_renewed && is_unknown_here(self, came))
        return renew(self, came, ret);
    return refuse(self, came);
}

static enum dialogue_next on_list(struct dialogue *self, const struct http_response *came,
                                  struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    if (talk->answer.kind != MCP_RESULT)
        return take_refusal(self, came, ret);
    note_server(self->remote->memory, talk->answer.result);
    enum dialogue_next next = mcp_take_page(self);
    if (next == DIALOGUE_EXCHANGE)
        return mcp_ask(self, MCP_LIST, ret);
    if (next == DIALOGUE_FAILED)
        return next;
    mcp_import(self);
    if (self->purpose == DIALOGUE_LIST)
        return DIALOGUE_DONE;
    if (!mcp_take_tool(self, imports_find(self->remote->imports, self->method)))
        return DIALOGUE_FAILED;
    return mcp_ask(self, MCP_CALL, ret);
}

static enum dialogue_next on_call(struct dialogue *self, const struct http_response *came,
                                  struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    const struct mcp_server *server = self->remote->memory;
    if (talk->answer.kind == MCP_RESULT)
        return mcp_take_result(self);
    if (talk->answer.kind == MCP_ERROR && talk->answer.code == MCP_HEADER_MISMATCH &&
        server->era == MCP_ERA_STATELESS && !talk->is_reloaded) {
        talk->is_reloaded = true;
        return mcp_ask(self, MCP_LIST, ret);
    }
    return take_refusal(self, came, ret);
}

/* Whatever a server answers to a ping, it is there. */
static enum dialogue_next on_ping(struct dialogue *self, const struct http_response *came,
                                  struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    if (talk->answer.kind == MCP_RESULT)
        return DIALOGUE_DONE;
    if (talk->answer.kind == MCP_ERROR && !is_about_now(came) && !is_unknown_here(self, came))
        return DIALOGUE_DONE;
    return take_refusal(self, came, ret);
}

static enum dialogue_next (*const steps[])(struct dialogue *self, const struct http_response *came,
                                           struct exchange *ret) = {
    [MCP_DISCOVER] = on_discover,
    [MCP_INITIALIZE] = on_initialize,
    [MCP_INITIALIZED] = on_initialized,
    [MCP_LIST] = on_list,
    [MCP_CALL] = on_call,
    [MCP_PING] = on_ping,
};

static enum dialogue_next begin(struct dialogue *self, struct exchange *ret)
{
    const struct mcp_server *server = self->remote->memory;
    if (self->purpose == DIALOGUE_LIST && self->now_at < server->fresh_until_at)
        return DIALOGUE_DONE;
    if (self->purpose == DIALOGUE_CALL && !mcp_take_tool(self, self->tool))
        return DIALOGUE_FAILED;
    return go_on(self, ret);
}

/* What came of progress, for who wants parts. */
static void tell_progress(struct dialogue *self)
{
    struct mcp_talk *talk = self->state;
    if (talk->step == MCP_CALL && talk->progress_size > 0)
        self->partial = (struct bytes){talk->progress, talk->progress_size};
}

/* A stream may end without its last piece, or late, and yet have said all. */
static enum dialogue_next take(struct dialogue *self, const struct http_response *came,
                               struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    mcp_hear(talk, came);
    if (came->end == HTTP_ANSWERED)
        mcp_hear_end(talk);
    tell_progress(self);
    return steps[talk->step](self, came, ret);
}

/* A call is over with its result, whatever the server goes on to say. */
static bool piece(struct dialogue *self, const struct http_response *so_far,
                  enum dialogue_next *ret_next)
{
    struct mcp_talk *talk = self->state;
    mcp_hear(talk, so_far);
    tell_progress(self);
    if (talk->step != MCP_CALL || talk->answer.kind != MCP_RESULT)
        return false;
    *ret_next = mcp_take_result(self);
    return true;
}

static void end(struct dialogue *self)
{
    struct mcp_talk *talk = self->state;
    mcp_hear_fini(talk);
    mcp_drop_pages(talk);
    free(talk->body);
    sodium_memzero(talk->authorization, sizeof talk->authorization);
}

const struct dialect dialect_mcp = {
    .name = "mcp",
    .state_bytes = sizeof(struct mcp_talk),
    .memory_bytes = sizeof(struct mcp_server),
    .has_tools = true,
    .begin = begin,
    .take = take,
    .piece = piece,
    .end = end,
};
