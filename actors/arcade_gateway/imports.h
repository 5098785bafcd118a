/* imports - tools that others run, under our names: what READY and QUERY tools say of them.
 *
 * A remote name is mapped once: the source's name first, bytes that our names do not have become
 * _, and what is too long or taken is cut and ends in 8 hex digits of its hash. A source's list
 * replaces what was known of that source. Pure. */
#ifndef ACTORS_ARCADE_GATEWAY_IMPORTS_H
#define ACTORS_ARCADE_GATEWAY_IMPORTS_H

#include "protocol/message.h"

#define REMOTE_TOOLS_MAX (METHODS_MAX - 2) /* of all sources; READY names two methods more */
#define NAMED_TOOLS_MAX 32u                /* of them that no list held: asked for by name */
#define REMOTE_NAME_BYTES_MAX 256u         /* as the source calls it, with its end */
#define REMOTE_SOURCE_BYTES_MAX 32u        /* of a source's name, with its end */
#define REMOTE_SCHEMA_BYTES_MAX 16384u     /* of each schema, canonical */
#define IMPORTS_BYTES_MAX 196608u          /* of all definitions: one reply carries them */
#define IMPORTS_NAMES_BYTES_MAX 24576u     /* of all names and versions: so does one READY */
#define REMOTE_DESCRIPTION_BYTES_MAX 2048u /* with its end; longer ones are cut */

struct remote_tool {
    char name[METHOD_BYTES_MAX + 1];      /* ours */
    char source[REMOTE_SOURCE_BYTES_MAX]; /* which remote side has it: Arcade, an MCP server's name
                                           */
    char remote_name[REMOTE_NAME_BYTES_MAX];
    char version[NAME_BYTES_MAX + 1];
    char description[REMOTE_DESCRIPTION_BYTES_MAX];
    struct bytes parameters, result; /* canonical; data NULL: none. Owned by imports */
    uint64_t schema;                 /* hash */
    uint32_t timeout_ms, ttl_ms;
    const char *scope; /* public, tenant or user */
    bool cacheable, read_only, idempotent;
    bool needs_authorization; /* of the user at a third party, before it runs */
    struct bytes extra;       /* the dialect's own, MessagePack, checked; data NULL: none. Owned */
};

struct imports;

struct imports *imports_new(void);
void imports_destroy(struct imports **self);

/* Begin to replace what is known of a source; then add its tools; then end, which drops those that
 * were not added again. */
void imports_begin(struct imports *self, const char *source);

/* Take up one tool. name, source and schema of it are filled in here; texts and bytes are copied.
 *
 * tool     remote_name and what follows it; parameters and result need not be canonical
 * reason   why it was not taken; HTTP_REASON_BYTES
 * returns  false: no sound name, version or schema, or no room */
bool imports_add(struct imports *self, const char *source, const struct remote_tool *tool,
                 char *reason);

/* returns  true: what is offered has changed */
bool imports_end(struct imports *self, const char *source);

/* Take up one tool that was asked for by name, as imports_add() does, or what has changed of it. If
 * no list held it, it stays until imports_drop(), or until one does.
 *
 * returns  NULL: it was not taken, and reason says why */
const struct remote_tool *imports_put(struct imports *self, const char *source,
                                      const struct remote_tool *tool, char *reason);

/* Its source says that it has no such tool, or not any more. */
void imports_drop(struct imports *self, const char *source, const char *remote_name);

/* The tool of this name; NULL: none. It may go with the next list, unless it is held. */
const struct remote_tool *imports_find(const struct imports *self, struct bytes name);
size_t imports_count(const struct imports *self);
size_t imports_bytes(const struct imports *self); /* of IMPORTS_BYTES_MAX */
size_t imports_named(const struct imports *self); /* of NAMED_TOOLS_MAX */
const struct remote_tool *imports_at(const struct imports *self, size_t index); /* by name */

/* One up whenever what is offered has changed. */
uint64_t imports_generation(const struct imports *self);

/* Message tool_definition, within the bounds above. */
MUST_USE enum status imports_write_definition(const struct remote_tool *tool,
                                              struct writer *writer);

/* How many of a source. */
size_t imports_count_of(const struct imports *self, const char *source);

/* Keep a tool that was found, though it may not be offered any more, until it is released. */
void imports_hold(const struct remote_tool *tool);
void imports_release(const struct remote_tool **tool);

#endif
