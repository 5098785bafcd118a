/* model_tools - which of the tools there are a language model is offered, in fixed order, and what
 * of them decides its answers.
 *
 * Unless it is told by name, a model is offered what only reads: a question changes nothing. The
 * list is made anew when the registry has learned something. */
#ifndef ACTORS_DRIVER_MODEL_TOOLS_H
#define ACTORS_DRIVER_MODEL_TOOLS_H

#include "actors/driver/registry.h"

struct model_tools;

/* wanted  names with commas, * at an end stands for the rest; empty: each that only reads */
struct model_tools *model_tools_new(const char *wanted);
void model_tools_destroy(struct model_tools **self_p);

/* Choose from what is served; if nobody serves anything, all stays as it is, and so do the keys of
 * what is cached. What is beyond MODEL_TOOLS_MAX or MODEL_TOOLS_BYTES_MAX is left out. */
void model_tools_choose(struct model_tools *self, const struct registry *registry);

size_t model_tools_count(const struct model_tools *self);
size_t model_tools_left_out(const struct model_tools *self);
size_t model_tools_bytes(const struct model_tools *self);

/* A list of message model_tool; valid until the next choice. */
struct bytes model_tools_list(const struct model_tools *self);

/* The name of an offered tool, ended by 0; NULL: there is none of this name. */
const char *model_tools_find(const struct model_tools *self, struct bytes name);

/* Name, version and schema hash of each tool, to a digest. */
void model_tools_digest(const struct model_tools *self, struct key_digest *digest);

#endif
