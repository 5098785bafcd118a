/* mcp_talk - what the parts of the MCP client share: what is known of a server, and one dialogue.
 *
 * dialect_mcp.c decides what is asked next; mcp_ask.c writes it; mcp_hear.c reads what comes, in
 * pieces; mcp_tools.c makes tools of lists, and results of answers. */
#ifndef ACTORS_ARCADE_GATEWAY_MCP_TALK_H
#define ACTORS_ARCADE_GATEWAY_MCP_TALK_H

#include "actors/arcade_gateway/dialogue.h"
#include "actors/arcade_gateway/mcp_headers.h"
#include "actors/arcade_gateway/mcp_message.h"
#include "actors/arcade_gateway/sse.h"

#define MCP_STATELESS_VERSION "2026-07-28"
#define MCP_SESSION_VERSION "2025-11-25" /* the newest of those that begin with initialize */
#define MCP_VERSION_BYTES_MAX 16u        /* with its end */
#define MCP_SESSION_BYTES_MAX 256u /* of a session's id, with its end; longer ones are refused */
#define MCP_SERVER_VERSION_BYTES_MAX 33u /* of the server itself, with its end */
#define MCP_PAGES_MAX 100u               /* of one list */
#define MCP_LIST_BYTES_MAX 8388608u      /* of its pages together, read */
#define MCP_STREAM_BYTES_MAX                                                                       \
    8388608u                         /* of one answer that streams, whatever it says in between    \
                                      */
#define MCP_CURSOR_BYTES_MAX 4096u   /* with its end */
#define MCP_MARKS_BYTES_MAX 8192u    /* of all Mcp-Param headers of one call, with their ends */
#define MCP_EXTRA_BYTES_MAX 4096u    /* of a tool's marks */
#define MCP_LIST_TTL_MS_MAX 3600000u /* a list is fresh for no longer, whatever its server says */
#define MCP_ANSWER_TTL_MS 60000u     /* of an answer that may be kept: MCP has no word for it */
#define MCP_DATA_NESTING_MAX 24u     /* containers of a result, which stands inside a reply's */

#define MCP_PROGRESS_BYTES_MAX 768u  /* of a part for the caller */
#define MCP_PROGRESS_TEXT_BYTES 513u /* of its message, with its end */

/* Which form of the protocol a server speaks. */
enum mcp_era {
    MCP_ERA_UNKNOWN,
    MCP_ERA_STATELESS, /* 2026-07-28: each request says all */
    MCP_ERA_SESSION    /* before: initialize opens, perhaps with a session */
};

/* A server, from one dialogue to the next; zeroed: nothing is known. */
struct mcp_server {
    enum mcp_era era;
    bool is_open;           /* SESSION: initialize has been answered, and its answer acknowledged */
    uint64_t opened;        /* how often it was */
    int64_t request_id;     /* the last one given */
    int64_t fresh_until_at; /* its list; 0: not at all */
    char version[MCP_VERSION_BYTES_MAX];               /* SESSION: what was agreed on */
    char session[MCP_SESSION_BYTES_MAX];               /* SESSION: empty if the server has none */
    char server_version[MCP_SERVER_VERSION_BYTES_MAX]; /* as it says; empty: it says none */
};

enum mcp_step { MCP_DISCOVER, MCP_INITIALIZE, MCP_INITIALIZED, MCP_LIST, MCP_CALL, MCP_PING };

struct mcp_talk {
    enum mcp_step step; /* whose answer is awaited */
    int64_t id;         /* of that request; 0: a notification */
    char *body;         /* its text; size bytes */
    size_t body_size;
    uint64_t opened; /* server->opened when it was asked */

    bool has_met;     /* the server has answered in this dialogue */
    bool is_renewed;  /* era or session were found anew: once */
    bool is_reloaded; /* so was the list, for its marks: once */

    /* Of this exchange; from initialize on those that it came to, which are the server's only when
     * they have been acknowledged. */
    char version[MCP_VERSION_BYTES_MAX];
    char session[MCP_SESSION_BYTES_MAX];

    /* What has been heard of the answer. */
    struct mcp_message answer;
    struct sse sse;
    uint64_t exchange; /* of HTTP; another one is a repeat, and begins from the start */
    char *text;        /* of an answer that is no stream */
    size_t text_size, text_room;
    bool is_too_large;
    char progress[MCP_PROGRESS_BYTES_MAX]; /* the last of this piece, as a body for PARTIAL */
    size_t progress_size;                  /* 0: none */

    /* The pages of a list, and the cursors that led to them, hashed. */
    struct mcp_message *pages;
    size_t page_count, page_bytes;
    uint32_t ttl_ms; /* the shortest that they state */
    uint64_t cursors[MCP_PAGES_MAX];
    char cursor[MCP_CURSOR_BYTES_MAX]; /* of the next page; empty: the first */

    /* The tool, as it was when it was asked for: a list may replace it meanwhile. */
    char remote_name[REMOTE_NAME_BYTES_MAX];
    char extra[MCP_EXTRA_BYTES_MAX];
    size_t extra_size;
    bool may_repeat;

    /* Values of headers. */
    char authorization[REMOTE_SECRET_BYTES_MAX + sizeof "Bearer "];
    char name_value[2 * REMOTE_NAME_BYTES_MAX];
    char marks[MCP_MARKS_BYTES_MAX];
};

/* Write the request of a step.
 *
 * returns  EXCHANGE; FAILED: the arguments fit no header */
enum dialogue_next mcp_ask(struct dialogue *self, enum mcp_step step, struct exchange *ret);

/* Begin to listen for the answer to what has been asked. */
void mcp_hear_begin(struct mcp_talk *self);

/* Take in what came of a response since the last time. */
void mcp_hear(struct mcp_talk *self, const struct http_response *came);

/* Nothing more comes: read an answer that is no stream. */
void mcp_hear_end(struct mcp_talk *self);

void mcp_hear_fini(struct mcp_talk *self);

/* Keep the page that has been heard.
 *
 * returns  EXCHANGE: it names a further one, in cursor; DONE: it was the last; FAILED */
enum dialogue_next mcp_take_page(struct dialogue *self);

/* Make the tools of the server those of the pages. */
void mcp_import(struct dialogue *self);

void mcp_drop_pages(struct mcp_talk *self);

/* Take over name and marks of the tool; false: FAILED, there is none. */
bool mcp_take_tool(struct dialogue *self, const struct remote_tool *tool);

/* Write the data of a tool's result, or its failure. */
enum dialogue_next mcp_take_result(struct dialogue *self);

/* Why there is no result: of an error that the server states; of HTTP. */
enum dialogue_next mcp_fail_error(struct dialogue *self);
enum dialogue_next mcp_fail_http(struct dialogue *self, const struct http_response *came);

#endif
