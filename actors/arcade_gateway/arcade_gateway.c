/* arcade_gateway - the role that asks others: Arcade, MCP servers, models, the web.
 *
 * Serves  every method that READY names: tools of its sites under our names, and a model's turn
 * Asks    nobody of ours; the outside, by HTTP
 * Owns    its sites with their keys, rates and breakers; what they offer; the calls under way
 * See     docs/gateway.md. Stateless for those who ask: any gateway serves any request */
#include "actors/arcade_gateway/arcade_gateway.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/http_curl.h"
#include "actors/arcade_gateway/offers.h"
#include "actors/arcade_gateway/visits.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/settings.h"
#include "protocol/canonical.h"
#include "protocol/schema.h"

#define SECTION "arcade_gateway"

struct gateway {
    struct sites sites;
    struct imports *imports;
    struct http *http;
    struct remote_calls *calls;
    struct visits visits;
    uint32_t calls_max;
    uint64_t told;   /* generation of what READY has said */
    char *arguments; /* CANONICAL_BYTES_MAX */
    char *room;      /* OFFERS_ROOM_BYTES, which is more than PAIR_BODY_BYTES_MAX */
};

_Static_assert(OFFERS_ROOM_BYTES >= PAIR_BODY_BYTES_MAX, "a reply has room");

/* Answers. */

static void fail_with(struct context *context, const struct request *request,
                      const struct failure *failure, struct bytes details)
{
    actor_refuse(context, request, failure->status, failure->retry_after_ms,
                 &(struct failure_text){failure->code, failure->message,
                                        failure->field[0] == '\0' ? NULL : failure->field,
                                        failure->hint[0] == '\0' ? NULL : failure->hint, details});
}

static void fail(struct context *context, const struct request *request,
                 const struct failure *failure)
{
    fail_with(context, request, failure, (struct bytes){0});
}

/* What a tool promises of its data is held to, as in an executor. returns  false: failure */
static bool is_as_promised(const struct dialogue *dialogue, struct failure *failure)
{
    const struct remote_tool *tool = dialogue->tool;
    struct fault fault;
    if (tool == NULL || tool->result.data == NULL ||
        schema_validate(writer_bytes(&dialogue->data), tool->result, &fault) == STATUS_OK)
        return true;
    (void)failure_set(failure, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE",
                      "The tool has run, but its result is not what its definition promises: %s",
                      fault.reason);
    failure_field(failure, "%s", fault.path);
    return false;
}

static void answer(struct gateway *self, struct context *context, const struct remote_call *call)
{
    struct failure failure;
    struct answer reply = {.status = STATUS_OK};
    if (!is_as_promised(&call->dialogue, &failure)) {
        fail(context, &call->request, &failure);
        return;
    }
    if (call->dialogue.tool == NULL) /* a model's turn, a definition: a body of its own */
        reply.body = writer_bytes(&call->dialogue.data);
    else
        reply.body = offers_result(call, context->now_at, context->unix_ms, self->room);
    if (reply.body.size > 0) {
        context->reply(context, &call->request, &reply);
        return;
    }
    failure_set(&failure, STATUS_APP_ERROR, "LIMIT", "the answer of %s is larger than %u bytes",
                call->site->remote.name, RESULT_BYTES_MAX);
    fail(context, &call->request, &failure);
}

/* What a call tells. */

static void on_ended(void *state, struct context *context, struct remote_call *call,
                     enum dialogue_next next)
{
    struct gateway *self = state;
    const struct failure *failure = next == DIALOGUE_FAILED ? &call->dialogue.failure : NULL;
    if (call->request.id == 0) {
        visits_ended(&self->visits, context, call, failure);
        return;
    }
    if (failure == NULL)
        answer(self, context, call);
    else
        fail_with(context, &call->request, failure, call->dialogue.details);
    if (failure != NULL && strcmp(failure->code, "UPSTREAM_AUTH") == 0)
        log_event(EVENT_KEY_REFUSED, log_text("site", call->site->remote.name));
    if (call->dialogue.purpose == DIALOGUE_DESCRIBE)
        visits_show_tools(&self->visits, context, call->site);
}

static const char *class_of(const struct http_response *came)
{
    static const char *const classes[] = {"net", "net", "2xx", "3xx", "4xx", "5xx"};
    if (came->status == 429)
        return "429";
    if (came->was_idle)
        return "closed";
    return came->end != HTTP_ANSWERED || came->status >= 600 ? "net" : classes[came->status / 100];
}

static void on_exchanged(void *state, struct context *context, const struct remote_call *call,
                         const struct http_response *came)
{
    const char *name = call->site->remote.name;
    (void)state;
    metrics_add(context->metrics, METRIC_GATEWAY_REQUESTS_TOTAL, LABELS(name, class_of(came)), 1);
    if (came->version != HTTP_VERSION_NONE)
        metrics_add(context->metrics, METRIC_GATEWAY_HTTP_TOTAL,
                    LABELS(name, http_version_name(came->version)), 1);
    if (call->repeats > 0 || call->exchange.is_repeat)
        metrics_add(context->metrics, METRIC_GATEWAY_REPEATS_TOTAL, LABELS(name), 1);
    if (!call->exchange.is_poll)
        metrics_observe(context->metrics, METRIC_GATEWAY_SECONDS, LABELS(name),
                        (double)came->taken_us / (double)US_PER_S);
}

static void show_usage(struct gateway *self, struct context *context)
{
    struct http_usage usage;
    uint32_t open = 0;
    self->http->usage(self->http, &usage);
    for (enum http_kind kind = 0; kind < HTTP_KINDS; kind++) {
        open += usage.open[kind];
        metrics_set(context->metrics, METRIC_GATEWAY_CONNECTIONS, LABELS(http_kind_name(kind)),
                    usage.open[kind]);
    }
    metrics_set(context->metrics, METRIC_GATEWAY_WAITING, NO_LABELS, usage.waiting);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("connections"),
                (double)open / HTTP_CONNECTIONS_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("exchanges"),
                (double)usage.exchanges / HTTP_TRANSFERS_MAX);
}

static void show_circuit(struct context *context, const struct site *site)
{
    enum breaker_state seen = breaker_seen(&site->target.breaker);
    for (enum breaker_state state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++)
        metrics_set(context->metrics, METRIC_CIRCUIT_STATE,
                    LABELS(site->remote.name, breaker_state_name(state)), state == seen);
}

static void on_changed(void *state, struct context *context, struct site *site,
                       const struct part *part)
{
    char names[1];
    const char *name = site->remote.name;
    const struct breaker *breaker = part != NULL ? &part->breaker : &site->target.breaker;
    const char *to = breaker_state_name(breaker_seen(breaker));
    (void)state;
    if (part != NULL) {
        metrics_set(context->metrics, METRIC_GATEWAY_LEFT_ALONE, LABELS(name),
                    (double)parts_left_alone(site->target.parts, names, sizeof names));
        log_event(EVENT_CIRCUIT, log_text("site", name), log_text("part", part->name),
                  log_text("to", to));
        return;
    }
    show_circuit(context, site);
    metrics_add(context->metrics, METRIC_CIRCUIT_TRANSITIONS_TOTAL, LABELS(name, to), 1);
    log_event(EVENT_CIRCUIT, log_text("site", name), log_text("to", to));
}

/* Requests. */

/* Arguments as the tool's schema wants them: the driver has seen to it, others may not have. */
static bool take_arguments(struct gateway *self, const struct remote_tool *tool, struct bytes body,
                           struct bytes *ret, struct failure *failure)
{
    struct writer writer;
    struct fault fault;
    struct bytes schema = tool->parameters;
    writer_init(&writer, self->arguments, CANONICAL_BYTES_MAX);
    enum status status = canonical_arguments(body, schema, &writer, &fault);
    if (status == STATUS_OK && schema.data != NULL)
        status = schema_validate(writer_bytes(&writer), schema, &fault);
    *ret = writer_bytes(&writer);
    if (status == STATUS_OK)
        return true;
    failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "%s", fault.reason);
    failure_field(failure, "%s", fault.path);
    return false;
}

static struct site *model_site(struct gateway *self, struct bytes body)
{
    struct bytes provider = {0};
    (void)value_text(value_find(body, "provider"), &provider);
    if (bytes_are(provider, "anthropic"))
        return sites_find(&self->sites, "Anthropic");
    return bytes_are(provider, "openai") ? sites_find(&self->sites, "OpenAI") : NULL;
}

static bool wish_for(struct gateway *self, const struct request *request, struct bytes body,
                     struct remote_call_wish *wish, struct failure *failure)
{
    struct bytes method = name_bytes(&request->method);
    *wish = (struct remote_call_wish){.purpose = DIALOGUE_CALL,
                                      .request = request,
                                      .arguments = body,
                                      .deadline_at = request->deadline_at};
    if (bytes_are(method, OFFERS_MODEL_METHOD)) {
        bool sound = body.data != NULL && value_check(body, BODY_NESTING_MAX);
        wish->site = sound ? model_site(self, body) : NULL;
        return wish->site != NULL || failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                                                 "a turn names its provider: anthropic, openai");
    }
    wish->tool = imports_find(self->imports, method);
    wish->site = wish->tool == NULL ? NULL : sites_find(&self->sites, wish->tool->source);
    if (wish->site == NULL)
        return failure_set(failure, STATUS_NO_ROLE, "TOOL_NOT_FOUND",
                           "no tool of this name is offered here, or not any more");
    return take_arguments(self, wish->tool, body, &wish->arguments, failure);
}

static enum status on_call(void *state, struct context *context, const struct request *request,
                           const void *body)
{
    struct gateway *self = state;
    struct remote_call_wish wish;
    struct failure failure = {.status = STATUS_OK};
    if (!wish_for(self, request, *(const struct bytes *)body, &wish, &failure)) {
        fail(context, request, &failure);
        return STATUS_OK;
    }
    if (wish.tool == NULL || !wish.tool->idempotent)
        context->started(context, request);
    if (remote_calls_begin(self->calls, context, &wish, &failure) != STATUS_OK)
        fail(context, request, &failure);
    metrics_set(context->metrics, METRIC_GATEWAY_CALLS, LABELS(wish.site->remote.name),
                wish.site->target.calls);
    return STATUS_OK;
}

/* Whose tool a name says that it is: by its beginning; NULL: nobody's who can be asked. */
static struct site *site_of_name(struct gateway *self, struct bytes name)
{
    for (size_t i = 0; i < self->sites.count; i++) {
        struct site *site = &self->sites.list[i];
        size_t size = strlen(site->remote.name);
        if (site->dialect->describes && name.size > size && name.data[size] == '_' &&
            memcmp(name.data, site->remote.name, size) == 0)
            return site;
    }
    return NULL;
}

/* A definition: from the side that makes it, if that can be asked; else as its list had it. */
static enum status on_describe(void *state, struct context *context, const struct request *request,
                               const void *body)
{
    struct gateway *self = state;
    const struct msg_tool_describe *wanted = body;
    const struct remote_tool *tool = imports_find(self->imports, wanted->name);
    struct site *site = site_of_name(self, wanted->name);
    struct failure failure;
    struct writer writer;
    writer_init(&writer, self->arguments, CANONICAL_BYTES_MAX);
    if (site == NULL && tool == NULL) {
        (void)failure_set(&failure, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND",
                          "no tool of this name is offered here");
        fail(context, request, &failure);
        return STATUS_OK;
    }
    if (site == NULL) {
        enum status status = imports_write_definition(tool, &writer);
        assert(status == STATUS_OK); /* it fits a reply, and this */
        context->reply(context, request, &(struct answer){.body = writer_bytes(&writer)});
        return STATUS_OK;
    }
    enum status status = message_write(MSG_TOOL_DESCRIBE, wanted, &writer);
    assert(status == STATUS_OK);
    struct remote_call_wish wish = {.site = site,
                                    .purpose = DIALOGUE_DESCRIBE,
                                    .request = request,
                                    .arguments = writer_bytes(&writer),
                                    .deadline_at = request->deadline_at};
    if (remote_calls_begin(self->calls, context, &wish, &failure) != STATUS_OK)
        fail(context, request, &failure);
    return STATUS_OK;
}

static void on_cancel(void *state, struct context *context, const struct request *request)
{
    struct gateway *self = state;
    struct remote_call *call = remote_calls_find(self->calls, request);
    if (call != NULL)
        remote_calls_cancel(self->calls, context, call);
}

static enum status on_query(void *state, struct context *context, struct bytes method,
                            struct bytes body, struct writer *writer)
{
    struct gateway *self = state;
    struct msg_query_tools query = {.name = {NULL, 0}};
    (void)context;
    if (bytes_are(method, "targets") || bytes_are(method, "statistics"))
        return offers_write_targets(&self->sites, self->calls, self->http, self->calls_max, writer);
    if (!bytes_are(method, "tools"))
        return STATUS_NO_ROLE;
    if (body.data != NULL && message_decode(MSG_QUERY_TOOLS, body, &query) != STATUS_OK)
        return STATUS_BAD_REQUEST;
    return offers_write_tools(self->imports, query.name, self->room, writer);
}

/* Time. */

static int64_t due_at(const void *state)
{
    const struct gateway *self = state;
    int64_t at = remote_calls_due_at(self->calls);
    int64_t http_at = self->http->due_at(self->http);
    int64_t visits_at = visits_due_at(&self->visits);
    at = http_at < at ? http_at : at;
    return visits_at < at ? visits_at : at;
}

/* What is offered has changed: say so, once a turn. */
static void tell_offers(struct gateway *self, struct context *context)
{
    if (self->told == imports_generation(self->imports))
        return;
    self->told = imports_generation(self->imports);
    context->say_ready(context);
}

static void tick(void *state, struct context *context)
{
    struct gateway *self = state;
    visits_tick(&self->visits, context);
    remote_calls_tick(self->calls, context);
    tell_offers(self, context);
}

static int descriptor(const void *state)
{
    const struct gateway *self = state;
    return self->http->descriptor(self->http);
}

static bool on_ready(void *state, struct context *context)
{
    struct gateway *self = state;
    bool heard = remote_calls_take(self->calls, context);
    show_usage(self, context);
    tell_offers(self, context);
    return heard;
}

/* Life. */

static bool open_http(struct gateway *self, const struct settings *settings, char *reason,
                      size_t reason_size)
{
    char why[HTTP_REASON_BYTES] = "";
    struct http_curl_options wanted = {.ca_file = settings_text(settings, SECTION, "ca_file"),
                                       .proxy = settings_text(settings, SECTION, "proxy"),
                                       .web_allow = settings_text(settings, SECTION, "web_allow"),
                                       .web_ports = settings_text(settings, SECTION, "web_ports"),
                                       .user_agent = "fact/" FACT_VERSION};
    self->http = http_curl_new(&wanted, why);
    if (self->http == NULL)
        (void)snprintf(reason, reason_size, SECTION ": %s", why);
    return self->http != NULL;
}

static struct remote_calls *new_calls(struct gateway *self)
{
    struct remote_calls_owner owner = {
        .self = self, .ended = on_ended, .exchanged = on_exchanged, .changed = on_changed};
    return remote_calls_new(self->calls_max + SITES_MAX, self->http, &owner);
}

void arcade_gateway_use_http(void *state, struct http *http)
{
    struct gateway *self = state;
    assert(remote_calls_count(self->calls) == 0);
    remote_calls_destroy(&self->calls);
    self->http->destroy(&self->http);
    self->http = http;
    self->calls = new_calls(self);
    self->visits.calls = self->calls;
}

static void stop_role(void *state)
{
    struct gateway *self = state;
    remote_calls_destroy(&self->calls);
    if (self->http != NULL)
        self->http->destroy(&self->http);
    sites_fini(&self->sites);
    imports_destroy(&self->imports);
    free(self->arguments);
    free(self->room);
}

static bool start_role(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    struct gateway *self = state;
    self->imports = imports_new();
    self->calls_max = (uint32_t)settings_u64(settings, SECTION, "concurrency");
    if (!sites_read(&self->sites, settings, self->imports, reason, reason_size) ||
        !open_http(self, settings, reason, reason_size)) {
        stop_role(self);
        return false;
    }
    self->calls = new_calls(self);
    self->visits = (struct visits){
        .sites = &self->sites,
        .calls = self->calls,
        .imports = self->imports,
        .every_us = (int64_t)settings_u64(settings, SECTION, "list_ms") * US_PER_MS,
        .retry_us = (int64_t)settings_u64(settings, SECTION, "list_retry_ms") * US_PER_MS};
    self->arguments = malloc(CANONICAL_BYTES_MAX);
    self->room = malloc(OFFERS_ROOM_BYTES);
    assert(self->arguments != NULL);
    assert(self->room != NULL);
    for (size_t i = 0; i < self->sites.count; i++) {
        struct site *site = &self->sites.list[i];
        (void)site_has_key(site, context->now_at);
        show_circuit(context, site);
    }
    visits_begin(&self->visits, context);
    return true;
}

static uint32_t methods(void *state, struct writer *writer)
{
    struct gateway *self = state;
    bool with_models =
        sites_find(&self->sites, "Anthropic") != NULL || sites_find(&self->sites, "OpenAI") != NULL;
    offers_write_methods(self->imports, with_models, writer);
    return self->calls_max;
}

const struct actor_spec arcade_gateway_spec = {
    .role = ROLE_ARCADE_GATEWAY,
    .name = SECTION,
    .state_bytes = sizeof(struct gateway),
    .start = start_role,
    .stop = stop_role,
    .methods = methods,
    .handlers = {[MSG_TOOL_DESCRIBE] = on_describe},
    .any_method = on_call,
    .on_cancel = on_cancel,
    .on_query = on_query,
    .due_at = due_at,
    .tick = tick,
    .descriptor = descriptor,
    .on_ready = on_ready,
    .summary = "runs tools of others: Arcade, MCP servers, models, the web",
};
