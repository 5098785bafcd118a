/* demo_planner - the template planner on the demo data: a file made for the test, and questions
 * planned to the end, as a driver would. */
#ifndef TESTS_SUPPORT_DEMO_PLANNER_H
#define TESTS_SUPPORT_DEMO_PLANNER_H

#include <jansson.h>
#include <sqlite3.h>

#include "actors/cli/demo_data.h"
#include "actors/driver/planner_template.h"
#include "actors/driver/templates.h"

#define ANSWERED 20 /* of the examples */
#define QUESTIONS 24

struct demo_planner {
    char path[32];
    sqlite3 *database;
    struct demo_data *data;
    struct planner_step step; /* the last; valid until the next question */
    size_t calls;             /* of the last question */
};
extern struct demo_planner planner;

void demo_planner_setup(void);
void demo_planner_teardown(void);

/* Plan to the end. */
void demo_planner_ask(const char *question);

/* A value as JSON, to be compared; and the rows of the last answer. */
json_t *demo_planner_json(struct bytes value);
json_t *demo_planner_rows(void);

/* The same cells in the same columns; floats to 1e-9. */
void demo_planner_assert_rows(json_t *got, json_t *expected, const char *question);

#endif
