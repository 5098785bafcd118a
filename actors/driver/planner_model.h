/* planner_model - a conversation with a language model: what it is told, and what its turns mean.
 *
 * It begins with earlier turns and the question. Each turn ends in calls, whose results go back in
 * one message, or in a text, which is the answer. After so many rounds of calls it is asked once
 * more, without tools. What a model says is trusted in nothing: a call that makes no sense comes
 * back to it as an error.
 * Pure: who asks whom is turns.c. */
#ifndef ACTORS_DRIVER_PLANNER_MODEL_H
#define ACTORS_DRIVER_PLANNER_MODEL_H

#include "actors/driver/model_tools.h"
#include "actors/driver/planner.h"
#include "protocol/message.h"

/* Of all its turns; the numbers are sums of what was said. */
enum tokens { TOKENS_INPUT, TOKENS_OUTPUT, TOKENS_CACHE_WRITTEN, TOKENS_CACHE_READ, TOKENS_COUNT };
struct model_usage {
    unsigned turns;
    uint64_t tokens[TOKENS_COUNT];
    unsigned said[TOKENS_COUNT]; /* by so many turns */
    char model[MODEL_NAME_BYTES_MAX];
    size_t model_size; /* 0: not said */
};

struct talk {
    char *memory; /* MODEL_CONVERSATION_BYTES_MAX: of who has the talk; NULL: not begun */
    size_t used;
    unsigned messages, rounds;
    struct model_usage usage;
};

/* What a turn is asked with, each time. */
struct model_terms {
    struct bytes provider, model, system;
    struct bytes first_tool; /* absent: none */
    uint64_t max_tokens;
    unsigned rounds_max; /* at most MODEL_ROUNDS_MAX */
};

/* What a turn came to. */
enum turn_end { TURN_CALLS, TURN_TEXT, TURN_LENGTH, TURN_REFUSED, TURN_EXHAUSTED, TURN_NOTHING };

/* True if earlier turns can be told to a model; data NULL: there are none. */
bool planner_model_takes(struct bytes conversation);

/* Begin; takes memory over. */
void planner_model_begin(struct talk *self, char *memory, struct bytes conversation,
                         struct bytes question);

/* The body of the next turn.
 *
 * tools    MessagePack, a list of model_tool
 * out      PAIR_BODY_BYTES_MAX bytes */
struct bytes planner_model_turn(struct talk *self, const struct model_terms *terms,
                                struct bytes tools, char *out);

/* Take what a turn came to.
 *
 * came      its answer; what in it is wrong makes the call wrong that it stands in
 * tools     what was offered
 * ret       written if CALLS or TEXT; borrows came, tools, and the talk's memory
 * returns   NOTHING: neither calls nor a text, or more than the conversation can hold */
enum turn_end planner_model_take(struct talk *self, const struct model_terms *terms,
                                 const struct msg_model_turn_result *came,
                                 const struct model_tools *tools, struct planner_step *ret);

/* Tell it what the calls of its last turn came to: one result for each, in their order. What there
 * is no room for becomes an error. */
void planner_model_tell(struct talk *self, const struct msg_model_result *results, size_t count);

/* Message model_usage of the turns so far; absent: there were none. out: size bytes */
struct bytes planner_model_usage(const struct talk *self, char *out, size_t size);

#endif
