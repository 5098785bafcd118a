/* plugins - see plugins.h. A call of one of their tools is in plugin_run.c. */
#include "actors/tool_executor/plugins.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/log.h"

#define FILE_SHOWN_BYTES_MAX 200u /* of a path in a reason; its end */

/* One that is being loaded. */
struct loading {
    const char *path; /* as it was given */
    char *reason;
    size_t reason_size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct loading *self,
                                                         const char *format, ...)
{
    va_list arguments;
    size_t size = strlen(self->path);
    bool is_cut = size > FILE_SHOWN_BYTES_MAX;
    int used = snprintf(self->reason, self->reason_size, "%s%s: ", is_cut ? "..." : "",
                        self->path + (is_cut ? size - FILE_SHOWN_BYTES_MAX : 0));
    assert(used > 0 && (size_t)used < self->reason_size);
    va_start(arguments, format);
    (void)vsnprintf(self->reason + used, self->reason_size - (size_t)used, format, arguments);
    va_end(arguments);
    for (char *at = self->reason; *at != '\0'; at++) /* a strange text is no second line */
        if ((unsigned char)*at < ' ')
            *at = '?';
    return false;
}

/* A path, never a name to be looked for somewhere. NULL: refused. */
static void *open_library(const struct loading *self)
{
    char real[PATH_MAX];
    void *library = NULL;
    if (realpath(self->path, real) == NULL)
        (void)refuse(self, "%s", strerror(errno));
    else if ((library = dlopen(real, RTLD_NOW | RTLD_LOCAL)) == NULL)
        (void)refuse(self, "is no shared library that can be loaded: %s", dlerror());
    return library;
}

static const struct fact_plugin *find_plugin(const struct loading *self, void *library)
{
    const struct fact_plugin *(*find)(void);
    void *symbol = dlsym(library, "fact_plugin");
    if (symbol == NULL) {
        (void)refuse(self, "has no function fact_plugin()");
        return NULL;
    }
    memcpy(&find, &symbol, sizeof find); /* source: POSIX, dlsym: a function is an address, too */
    const struct fact_plugin *plugin = find();
    if (plugin == NULL)
        (void)refuse(self, "fact_plugin() returns NULL: it says that it cannot work here");
    return plugin;
}

static bool check_plugin(const struct loading *self, const struct fact_plugin *plugin)
{
    if (plugin->abi != FACT_TOOL_ABI)
        return refuse(self, "is made for version %u of fact_tool.h, this is %u: compile it anew",
                      (unsigned)plugin->abi, FACT_TOOL_ABI);
    if (plugin->tools == NULL || plugin->tool_count == 0)
        return refuse(self, "has no tools");
    return true;
}

static bool add_tool(const struct loading *self, const struct fact_tool *row, unsigned number,
                     struct tools *tools)
{
    char reason[TOOL_REASON_BYTES];
    struct tool tool = {
        .name = row->name,
        .version = row->version,
        .description = row->description,
        .scope = row->scope == NULL ? "tenant" : row->scope,
        .scopes = row->rights,
        .timeout_ms = row->timeout_ms,
        .ttl_ms = row->cacheable ? row->ttl_ms : 0,
        .concurrency = row->concurrency,
        .is_cached = row->cacheable,
        .is_read_only = row->read_only,
        .is_idempotent = row->idempotent,
        .run = plugin_run,
        .parameters_text = row->parameters,
        .result_text = row->result,
        .origin = {row, number},
    };
    if (!tools_add(tools, &tool, reason))
        return refuse(self, "%s", reason);
    if (row->run == NULL)
        return refuse(self, "%s: run: there is no function", row->name);
    return true;
}

static bool load(struct plugins *self, const struct loading *loading, struct tools *tools)
{
    if (self->count == PLUGINS_MAX)
        return refuse(loading, "there are %u plug-ins already, and no more can be", PLUGINS_MAX);
    void *library = open_library(loading);
    const struct fact_plugin *plugin = library == NULL ? NULL : find_plugin(loading, library);
    if (plugin == NULL || !check_plugin(loading, plugin))
        return false;
    for (uint32_t i = 0; i < plugin->tool_count; i++)
        if (!add_tool(loading, &plugin->tools[i], self->count, tools))
            return false;
    self->list[self->count++] = plugin;
    log_event(EVENT_PLUGIN_LOADED, log_text("file", loading->path),
              log_u64("tools", plugin->tool_count));
    return true;
}

bool plugins_load(struct plugins *self, const char *paths, struct tools *tools, char *reason,
                  size_t reason_size)
{
    char path[PATH_MAX];
    struct loading loading = {path, reason, reason_size};
    while (*paths != '\0') {
        size_t size = strcspn(paths, ",");
        snprintf(path, sizeof path, "%.*s", (int)size, paths);
        if (size == 0) {
            snprintf(reason, reason_size, "tool_executor.plugins: a path between commas is empty");
            return false;
        }
        if (!load(self, &loading, tools))
            return false;
        paths += size + (paths[size] == ',');
    }
    return true;
}

void **plugins_start_thread(const struct plugins *self, unsigned index)
{
    void **states = calloc(PLUGINS_MAX, sizeof *states);
    assert(states != NULL);
    for (unsigned i = 0; i < self->count; i++)
        if (self->list[i]->thread_start != NULL)
            states[i] = self->list[i]->thread_start(index);
    return states;
}

void plugins_stop_thread(const struct plugins *self, void **states)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->list[i]->thread_stop != NULL)
            self->list[i]->thread_stop(states[i]);
    free(states);
}
