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

#include "protocol/limits.h"
#include "protocol/value.h"

#define PLANNER_CALLS_MAX 3u   /* of one round */
#define PLANNER_RESULTS_MAX 5u /* of all rounds */
#define PLANNER_SCRATCH_BYTES 65536u
#define PLANNER_QUESTION_BYTES_MAX 1024u /* what a template understands is shorter by far */
#define PLANNER_SCHEMA_TOOL "SQL_GetSchema"
#define PLANNER_QUERY_TOOL "SQL_QueryReadonly"

enum planner_next { PLANNER_CALL, PLANNER_ANSWER, PLANNER_NO_DATA };

struct planner_call {
    const char *tool;
    struct bytes arguments; /* a map */
};

struct planner_step {
    enum planner_next next;
    struct planner_call calls[PLANNER_CALLS_MAX];
    size_t call_count;
    struct bytes value;   /* ANSWER: the last result */
    struct bytes text;    /* ANSWER: a sentence */
    const char *reason;   /* NO_DATA: as in message answer */
    struct bytes detail;  /* NO_DATA: map of looked_for and exists */
    const char *template; /* its name, once one fits; NULL before, and if none does */
};

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
