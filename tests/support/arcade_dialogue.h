/* arcade_dialogue - one dialogue with Arcade, answered by the test: whatever it wants, in virtual
 * time. */
#ifndef TESTS_SUPPORT_ARCADE_DIALOGUE_H
#define TESTS_SUPPORT_ARCADE_DIALOGUE_H

#include "actors/arcade_gateway/arcade_talk.h"
#include "protocol/limits.h"

#define NOW_AT (50 * US_PER_S)
#define KEY "arc_key_of_the_test"
#define URL "https://example.com/leave?x=1"
#define PENDING "{\"id\":\"a/1\",\"status\":\"pending\",\"url\":\"" URL "\",\"scopes\":[\"mail\"]}"
#define COMPLETED "{\"id\":\"a/1\",\"status\":\"completed\"}"
#define RAN "{\"success\":true,\"output\":{\"value\":{\"n\":1}}}"

/* The remote side named Arcade, one of its tools, and one dialogue with it at a time. */
extern struct arcade_server arcade_server;
extern struct arcade_talk arcade_talk;
extern struct remote arcade_remote;
extern struct remote_tool arcade_tool;
extern struct dialogue arcade_dialogue;
extern struct exchange arcade_exchange;  /* the one that is out */
extern struct http_response arcade_came; /* what is answered, but for status and body */

/* As fixtures. */
void arcade_set_up(void);
void arcade_tear_down(void);

/* JSON as MessagePack, in out. */
struct bytes arcade_json(const char *text, char *out, size_t size);

/* End the dialogue that is there, and begin one. */
enum dialogue_next arcade_begin(enum dialogue_purpose purpose);

/* Answer the exchange that is out with a body, exactly so long: a byte too far is seen. */
enum dialogue_next arcade_answer_bytes(struct bytes body);
enum dialogue_next arcade_answer(unsigned status, const char *body);

/* As arcade_answer(); if then the tool's definition is asked for, there is none. */
enum dialogue_next arcade_refuse(unsigned status, const char *body);

/* The value of a header of the exchange; NULL: there is none. */
const char *arcade_header(const char *name);

/* What is asked; body NULL: none. What it has come to. */
void arcade_check_asked(enum http_method method, const char *url, const char *body);
void arcade_check_failure(enum status status, const char *code);
void arcade_check_data(const char *text);

#endif
