/* faulty - a plug-in with the one fault that FACT_TEST_PLUGIN names; without it, it is sound. With
 * a number there it has so many tools; behind "large" their definitions are. */
#include <fact_tool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOLS_MAX_HERE 100
#define LARGE_BYTES 12000
#define OBJECT "{\"type\": \"object\"}"

static bool run(const struct fact_call *call)
{
    call->host->put_map(call, 0);
    return true;
}

static struct fact_tool tools[TOOLS_MAX_HERE] = {{
    .name = "Fault_None",
    .version = "1.0.0",
    .description = "Does nothing.",
    .parameters = OBJECT,
    .result = OBJECT,
    .timeout_ms = 1000,
    .concurrency = 1,
    .run = run,
}};
static struct fact_plugin plugin = {.abi = FACT_TOOL_ABI, .tool_count = 1, .tools = tools};
static char names[TOOLS_MAX_HERE][32], large[LARGE_BYTES];

/* Faults of a text: which of a row's texts is what. */
static const struct {
    const char *fault;
    const char **place;
    const char *text;
} texts[] = {
    {"name absent", &tools[0].name, NULL},
    {"name empty", &tools[0].name, ""},
    {"name with dot", &tools[0].name, "Fault.None"},
    {"name without category", &tools[0].name, "fault"},
    {"name long", &tools[0].name,
     "Fault_0123456789012345678901234567890123456789012345678901234567890123456789"},
    {"name of two lines", &tools[0].name, "Fault_\nNone"},
    {"name built in", &tools[0].name, "Math_Calculator"},
    {"version absent", &tools[0].version, NULL},
    {"version short", &tools[0].version, "1.0"},
    {"version of letters", &tools[0].version, "one.two.three"},
    {"version with blank", &tools[0].version, "1.0.0 "},
    {"version padded", &tools[0].version, "1.00.0"},
    {"version long", &tools[0].version, "1.0.0-012345678901234567890123456789"},
    {"description absent", &tools[0].description, NULL},
    {"description broken", &tools[0].description, "\xff\xfe"},
    {"scope unknown", &tools[0].scope, "galaxy"},
    {"rights broken", &tools[0].rights, "\xff"},
    {"parameters absent", &tools[0].parameters, NULL},
    {"parameters no json", &tools[0].parameters, "{\n\"type\": object}"},
    {"parameters no object", &tools[0].parameters, "{\"type\": \"string\"}"},
    {"parameters no schema", &tools[0].parameters,
     "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"strng\"}}}"},
    {"parameters unknown keyword", &tools[0].parameters, "{\"type\": \"object\", \"oneOf\": []}"},
    {"result absent", &tools[0].result, NULL},
    {"result no schema", &tools[0].result, "{\"type\": \"object\", \"required\": 1}"},
};

static bool has_text_fault(const char *fault)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(fault, texts[i].fault) != 0)
            continue;
        *texts[i].place = texts[i].text;
        return true;
    }
    return false;
}

static bool has_other_fault(const char *fault)
{
    if (strcmp(fault, "abi") == 0)
        plugin.abi = FACT_TOOL_ABI + 1;
    else if (strcmp(fault, "no tools") == 0)
        plugin.tool_count = 0;
    else if (strcmp(fault, "rows absent") == 0)
        plugin.tools = NULL;
    else if (strcmp(fault, "timeout none") == 0)
        tools[0].timeout_ms = 0;
    else if (strcmp(fault, "timeout long") == 0)
        tools[0].timeout_ms = 300001;
    else if (strcmp(fault, "concurrency none") == 0)
        tools[0].concurrency = 0;
    else if (strcmp(fault, "concurrency high") == 0)
        tools[0].concurrency = 65;
    else if (strcmp(fault, "ttl none") == 0)
        tools[0].cacheable = tools[0].read_only = tools[0].idempotent = true;
    else if (strcmp(fault, "cacheable writer") == 0)
        tools[0].ttl_ms = tools[0].cacheable = tools[0].idempotent = true;
    else if (strcmp(fault, "run absent") == 0)
        tools[0].run = NULL;
    else
        return false;
    return true;
}

/* So many tools that are alike but for their names. */
static void multiply(uint32_t count)
{
    plugin.tool_count = count;
    for (uint32_t i = 1; i < count && i < TOOLS_MAX_HERE; i++) {
        tools[i] = tools[0];
        (void)snprintf(names[i], sizeof names[i], "Fault_None%u", (unsigned)i);
        tools[i].name = names[i];
    }
}

/* A schema that is nothing but long. */
static void enlarge(void)
{
    static const char head[] = "{\"type\": \"object\", \"title\": \"";
    memset(large, 'x', sizeof large - 1);
    memcpy(large, head, sizeof head - 1);
    memcpy(large + sizeof large - 3, "\"}", 3);
    tools[0].parameters = tools[0].result = large;
}

const struct fact_plugin *fact_plugin(void)
{
    const char *fault = getenv("FACT_TEST_PLUGIN");
    if (fault == NULL || has_text_fault(fault) || has_other_fault(fault))
        return &plugin;
    if (strcmp(fault, "nothing") == 0)
        return NULL;
    if (strcmp(fault, "twice") == 0) {
        multiply(2);
        tools[1].name = tools[0].name;
    } else if (strncmp(fault, "large ", 6) == 0) {
        enlarge();
        multiply((uint32_t)strtoul(fault + 6, NULL, 10));
    } else {
        multiply((uint32_t)strtoul(fault, NULL, 10));
    }
    return &plugin;
}
