/* planner_template - questions in words, answered by templates: offline, deterministic, never a
 * guess.
 *
 * Called again with each round of results, it says which tools to call next, and at last what the
 * answer is: first the schema; then, if the tables of the demo are there, the catalogue of names
 * and periods; then the one statement that answers; then the sentence. What it knows of the data
 * comes from tools alone, so what it says is as true as they are.
 * Pure: the same question and results give the same calls and answer. */
#ifndef ACTORS_DRIVER_PLANNER_TEMPLATE_H
#define ACTORS_DRIVER_PLANNER_TEMPLATE_H

#include "actors/driver/planner.h"

#define TEMPLATE_CALLS_MAX 3u   /* of one round */
#define TEMPLATE_RESULTS_MAX 5u /* of all rounds */
#define PLANNER_SCRATCH_BYTES 65536u
#define PLANNER_QUESTION_BYTES_MAX 1024u /* what a template understands is shorter by far */
#define PLANNER_SCHEMA_TOOL "SQL_GetSchema"
#define PLANNER_QUERY_TOOL "SQL_QueryReadonly"

/* What to do next.
 *
 * question  normalised
 * results   data of the tools called so far, in the order of the calls
 * scratch   PLANNER_SCRATCH_BYTES bytes; what ret points to lies there, in results or in question
 */
void planner_template_next(struct bytes question, const struct bytes *results, size_t result_count,
                           char *scratch, struct planner_step *ret);

/* Hand each text that decides answers to a digest: what changes an answer changes its key. */
void planner_template_texts(void (*add)(void *digest, struct bytes text), void *digest);

#endif
