/* mcp_scene - an MCP server of the tests' own, behind the dialect: what it answers is a script. */
#ifndef TESTS_SUPPORT_MCP_SCENE_H
#define TESTS_SUPPORT_MCP_SCENE_H

#include "actors/arcade_gateway/dialect_mcp.h"
#include "actors/arcade_gateway/mcp_talk.h"

/* One exchange: what the request must say, and what is answered. In a body $ is the request's id.
 */
struct turn {
    const char *method;
    unsigned status;
    const char *body;    /* NULL: none */
    const char *headers; /* lines "name: value"; that the request must have, NULL: any */
    const char *session; /* that the server names */
    enum http_end end;
    bool is_stream, is_unsent;
};

#define TURN(asked, code, text, ...)                                                               \
    {                                                                                              \
        .method = asked, .status = code, .body = text, __VA_ARGS__                                 \
    }

#define OK(result) "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":" result "}"
#define ERROR(code, text)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":$,\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"
#define EVENT(message) "event: message\r\ndata: " message "\r\n\r\n"
#define DISCOVERED OK("{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"]}")
#define INITIALIZED                                                                                \
    OK("{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"x\","   \
       "\"version\":\"1.2.3\"}}")
#define SEARCH                                                                                     \
    "{\"name\":\"search\",\"description\":\"Finds.\",\"inputSchema\":{\"type\":\"object\","        \
    "\"properties\":{\"q\":{\"type\":\"string\"}}},\"annotations\":{\"readOnlyHint\":true}}"
#define MARKED(name)                                                                               \
    "{\"name\":\"search\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":"   \
    "\"string\",\"x-mcp-header\":\"" name "\"}}}}"
#define LISTED OK("{\"resultType\":\"complete\",\"tools\":[" SEARCH "]}")
#define FOUND OK("{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":{\"n\":1}}")

/* One server named Docs, and one dialogue with it at a time. */
extern struct mcp_server server;
extern struct remote remote;
extern struct imports *imports;
extern struct mcp_talk talk;
extern struct dialogue dialogue;

/* As fixtures: a trusted server of which nothing is known. */
void mcp_scene_set_up(void);
void mcp_scene_tear_down(void);

/* JSON as MessagePack. */
struct bytes mcp_scene_json(const char *text, char *out, size_t size);

/* The value of a header; NULL: there is none. */
const char *mcp_scene_header(const struct http_request *http, const char *name);

/* Begin a dialogue. method: of a call, our name of the tool; json: its arguments. */
void mcp_scene_begin(enum dialogue_purpose purpose, const char *method, const char *json);

/* The response of a turn, without its body. */
void mcp_scene_respond(const struct turn *turn, struct http_response *ret);

/* Check the request, answer it in pieces, and return what comes of it. */
enum dialogue_next mcp_scene_play(const struct turn *turn, struct exchange *exchange);

/* Play a whole dialogue by its script, to a turn without a method; a list that is done is taken up.
 */
enum dialogue_next mcp_scene_run(const struct turn *turns);

/* Meet the server in one of its eras, to the end of a list. session: its name; NULL: none. */
void mcp_scene_meet_stateless(const char *list);
void mcp_scene_meet_session(const char *session);

void mcp_scene_check_failure(enum status status, const char *code, const char *part);
void mcp_scene_check_data(const char *json);

/* The body of an answer with the id of the request that is out; to be freed. */
char *mcp_scene_body(const char *body);

#endif
