/* arcade_talk - what the parts of the Arcade dialect share: the state of one dialogue.
 *
 * dialect_arcade.c decides what is asked next; arcade_ask.c writes it; arcade_tools.c makes tools
 * of lists; arcade_describe.c sees to one tool by name; arcade_failures.c says what went wrong. */
#ifndef ACTORS_ARCADE_GATEWAY_ARCADE_TALK_H
#define ACTORS_ARCADE_GATEWAY_ARCADE_TALK_H

#include "actors/arcade_gateway/dialect_arcade.h"
#include "actors/arcade_gateway/json_body.h"

#define ARCADE_NESTING_MAX 32u         /* containers inside each other, in a response */
#define ARCADE_DATA_NESTING_MAX 24u    /* containers of a result, which stands inside a reply's */
#define ARCADE_PAGE_TOOLS 100u         /* asked for at once; the API gives no more */
#define ARCADE_PAGES_MAX 100u          /* of one list, all toolkits together; no more are read */
#define ARCADE_LIST_BYTES_MAX 8388608u /* of its pages together, read */
#define ARCADE_USER_BYTES_MAX (6u * NAME_BYTES_MAX + 2u) /* tenant and user, escaped, an end */
#define ARCADE_ID_BYTES_MAX 256u                         /* of an authorization, with its end */
#define ARCADE_SCOPES_BYTES_MAX 4096u                    /* of an authorization, as MessagePack */
#define ARCADE_WAIT_S_MAX 59u                            /* a long poll; the API waits no longer */
#define ARCADE_PAUSE_MS 1000u       /* between polls that are answered at once */
#define ARCADE_POLL_FAILURES_MAX 5u /* in a row; then the call fails */
#define ARCADE_VERSION_UNKNOWN "0.0.0"

#define ARCADE_DOUBT_MS 2000u /* a failed call waits no longer for a definition */

enum arcade_step {
    ARCADE_AUTHORIZE,
    ARCADE_POLL,
    ARCADE_EXECUTE,
    ARCADE_LIST,
    ARCADE_HEALTH,
    ARCADE_DESCRIBE
};

struct arcade_talk {
    enum arcade_step step; /* whose answer is awaited */

    /* The request, as long as it is under way. */
    char *body;
    size_t body_size;
    char url[HTTP_URL_BYTES_MAX];
    char authorization[REMOTE_SECRET_BYTES_MAX + sizeof "Bearer "];

    /* The call. */
    char user[ARCADE_USER_BYTES_MAX];
    bool may_repeat;         /* the tool may run twice */
    unsigned repeats;        /* executions that it asked for itself */
    struct failure at_first; /* why it is repeated: the answer, if there is no time for that */
    bool has_doubted;        /* its tool's definition was asked for: once */
    bool was_refused;        /* and nothing had been run: it may be tried with the new one */
    char wanted[REMOTE_NAME_BYTES_MAX]; /* Arcade's name of the tool whose definition is */

    /* The user's leave. */
    bool has_waited; /* it was given in this dialogue */
    int64_t polled_at;
    unsigned poll_failures; /* in a row */
    char leave_url[HTTP_URL_BYTES_MAX], leave_id[ARCADE_ID_BYTES_MAX];
    char scopes[ARCADE_SCOPES_BYTES_MAX];
    struct bytes scopes_value; /* an array of texts, in scopes; data NULL: none are named */
    char *leave;               /* what the caller is told of it; owned */

    /* The pages of a list. */
    struct json_body *pages;
    size_t page_count, page_bytes;
    size_t toolkit_at; /* in the server's toolkits */
    uint64_t offset;   /* of the next page, in its toolkit */
    bool is_cut;       /* there are more than are read */

    struct json_body came; /* the response that is looked at */
};

/* Write the request of a step.
 *
 * returns  EXCHANGE; FAILED: it cannot be said in JSON, or in an address */
enum dialogue_next arcade_ask(struct dialogue *self, enum arcade_step step, struct exchange *ret);

/* Keep the page that has come.
 *
 * returns  EXCHANGE: there is a further one; DONE: it was the last; FAILED */
enum dialogue_next arcade_take_page(struct dialogue *self);

/* Make Arcade's tools those of the pages. */
void arcade_import(struct dialogue *self);

void arcade_drop_pages(struct arcade_talk *self);

/* Take up the definition of the tool that is wanted, and no other.
 *
 * reason   why not; HTTP_REASON_BYTES
 * returns  NULL: it was not taken */
const struct remote_tool *arcade_import_one(struct dialogue *self, struct bytes given,
                                            char *reason);

/* Begin to ask for one tool's definition: message tool_describe names it. */
enum dialogue_next arcade_describe(struct dialogue *self, struct exchange *ret);

/* A call was refused as if its tool were not what we hold it for: look, before it fails as it has.
 *
 * was_refused  nothing was run: if there is a newer definition that takes the arguments, it is
 *              tried with that */
enum dialogue_next arcade_doubt(struct dialogue *self, bool was_refused, struct exchange *ret);

/* The definition has come, or has not. */
enum dialogue_next arcade_on_describe(struct dialogue *self, const struct http_response *came,
                                      struct exchange *ret);

bool arcade_is_good(const struct http_response *came);

/* The next toolkit of the setting, from at on; size 0: none. */
struct bytes arcade_toolkit(const char *toolkits, size_t at);

/* Why there is no result: what a response is not; its end or status; what the tool says; that the
 * user has to give leave. */
enum dialogue_next arcade_fail(struct dialogue *self, const char *code, const char *message);
enum dialogue_next arcade_fail_http(struct dialogue *self, const struct http_response *came);
enum dialogue_next arcade_fail_tool(struct dialogue *self, struct bytes error);
enum dialogue_next arcade_fail_leave(struct dialogue *self);

/* What the caller is told of the leave that is missing: a map of code, url, authorization_id and
 * scopes, or no scopes if they are longer than that. In the talk's memory, until the next time. */
struct bytes arcade_write_leave(struct arcade_talk *self, size_t scopes_max);

/* Every reason there is to fail passes here: our key is taken out of what others wrote. */
void arcade_hide_secret(struct dialogue *self);

#endif
