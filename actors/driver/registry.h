/* registry - the tools that executors offer, as far as a driver knows them.
 *
 * The broker's directory names tools with their schema hashes; what is not known by its hash yet is
 * asked for at the instance that has it, once. What nobody serves any more stays: an answer of it
 * may still be in the cache. Pure: who asks whom is the driver's. */
#ifndef ACTORS_DRIVER_REGISTRY_H
#define ACTORS_DRIVER_REGISTRY_H

#include "protocol/key.h"
#include "protocol/message.h"

#define REGISTRY_TOOLS_MAX METHODS_KNOWN_MAX
#define REGISTRY_SUGGESTIONS_BYTES_MAX 200u

struct tool {
    char name[METHOD_BYTES_MAX + 1];
    char version[NAME_BYTES_MAX + 1];
    uint64_t schema;          /* hash */
    uint64_t number;          /* of the definition, among all that were taken; never 0 */
    struct bytes parameters;  /* checked; data NULL: it has none. Owned */
    struct bytes description; /* data NULL: it has none. Owned */
    uint64_t timeout_ms, ttl_ms;
    enum key_scope_kind scope;
    enum role role; /* who runs it: TOOL_EXECUTOR, or ARCADE_GATEWAY if no executor has it */
    bool cacheable, idempotent, read_only;
    bool served;        /* by the last directory */
    int64_t typical_us; /* smoothed time of its calls, as far as this driver has seen; 0: not yet */
};

struct registry;

/* An instance; ends in 0. */
struct name_text {
    char text[NAME_BYTES_MAX + 1];
};

struct registry *registry_new(void);
void registry_destroy(struct registry **self);

/* Take up an answer to QUERY directory.
 *
 * ret_unknown  WORKERS_MAX: instances that have a tool which is not known; each once
 * returns      how many of them */
size_t registry_take_directory(struct registry *self, const struct msg_directory *directory,
                               struct name_text *ret_unknown);

/* Take up definitions; what is no tool, or has no sound schema, is passed over.
 *
 * returns  how many were taken */
size_t registry_take_definitions(struct registry *self, const struct msg_tool_definitions *list);

size_t registry_count(const struct registry *self);

/* True if the last directory had any worker with tools. */
bool registry_has_executors(const struct registry *self);

/* The tool that serves this name: of this version; absent: of the highest that is served, or if
 * none is, of the highest. NULL: not known. Valid until the registry takes something up.
 *
 * name  as key_tool_name() made it */
const struct tool *registry_find(const struct registry *self, struct bytes name,
                                 struct bytes version);

/* Of each name that is served the tool that serves it, in order of their names.
 *
 * ret      REGISTRY_TOOLS_MAX; valid until the registry takes something up
 * returns  how many */
size_t registry_served(const struct registry *self, const struct tool **ret);

/* A smoothed time, after one more; 0: there was none. Never 0. */
int64_t registry_smooth(int64_t typical_us, int64_t us);

/* A call of this tool has taken so long. */
void registry_note_time(struct registry *self, const struct tool *tool, int64_t us);

/* Names that look like this one, with commas; empty if none does.
 *
 * out  REGISTRY_SUGGESTIONS_BYTES_MAX bytes; ends in 0 */
void registry_suggest(const struct registry *self, struct bytes name, char *out);

/* Compare versions as semver does: less than 0, 0, more than 0. Numbers before texts in a
 * pre-release; a release after its pre-releases; build metadata does not count. */
int registry_compare_versions(const char *left, const char *right);

#endif
