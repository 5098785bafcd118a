/* tool_functions - the run function of each row of tools.def, and the one tool that is asked. */
#ifndef ACTORS_TOOL_EXECUTOR_TOOL_FUNCTIONS_H
#define ACTORS_TOOL_EXECUTOR_TOOL_FUNCTIONS_H

#include "actors/tool_executor/tool.h"

tool_run tool_sql_query, tool_sql_schema, tool_sql_samples;
tool_run tool_calculator;
tool_run tool_parse_json, tool_extract_urls;
tool_run tool_unreliable;

/* System_GetMetrics: from the broker's statistics to the result.
 *
 * arguments  of the call
 * out        gets the result
 * returns    false: failure says why */
bool metrics_result(struct bytes arguments, const struct msg_statistics *statistics,
                    struct writer *out, struct failure *failure);

#endif
