/* model_api - what one provider of language models differs in from another: where a turn is sent,
 * how it is written, and how the answer is read. Bodies are MessagePack here; dialect_model.c makes
 * JSON of them, and of JSON MessagePack. For the dialect alone. */
#ifndef ACTORS_ARCADE_GATEWAY_MODEL_API_H
#define ACTORS_ARCADE_GATEWAY_MODEL_API_H

#include "protocol/message.h"

#define MODEL_CALLS_BYTES_MAX RESULT_BYTES_MAX /* of all calls of a turn */

/* What a turn came to, while it is put together. */
struct model_said {
    const char *end; /* stop, tools, length, refused; NULL: in a way that is not known */
    char text[MODEL_TEXT_BYTES_MAX];
    size_t text_size;
    struct writer calls; /* one behind the other */
    size_t call_count;
    struct msg_model_usage usage;
    const char *fault; /* what is wrong with it; NULL: nothing */
};

struct model_api {
    const char *name, *path;
    const char *key_header, *key_prefix; /* the prefix goes before the key */
    const char *extra_header, *extra;    /* NULL: none */

    /* Write the request's body. Of the turn, lists and values are well-formed, elements are not
     * looked at: what is none is left out. */
    void (*write)(const struct msg_model_turn *turn, struct writer *out);

    /* Read the body of a response, which may be anything. */
    void (*read)(struct bytes body, struct model_said *ret);
};

extern const struct model_api model_anthropic, model_openai;

/* For both: */

/* A text, or nothing if it is none: what stands in a map under a key. */
struct bytes model_text_in(struct bytes map, const char *key);

/* Write a value as a text that is its JSON; of what JSON cannot say, that it cannot be shown. */
void model_write_as_text(struct writer *out, struct bytes value);

/* The schema of a tool's arguments; if it has none, that of an empty object. */
void model_write_schema(struct writer *out, const struct msg_model_tool *tool);

/* Elements of a list that are what they should be. */
size_t model_count(enum message_id id, struct bytes list);
bool model_next(enum message_id id, struct values *values, void *ret);

/* Add to what was said. arguments: a map; data NULL: what came was none, but malformed. */
void model_say(struct model_said *self, struct bytes text);
void model_say_call(struct model_said *self, struct bytes id, struct bytes tool,
                    struct bytes arguments, struct bytes malformed);

/* A number of tokens, or absent. */
struct bytes model_tokens_in(struct bytes map, const char *key);

#endif
