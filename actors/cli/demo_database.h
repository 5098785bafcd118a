/* demo_database - whether a file can be served by a demo: an SQLite database, or an empty file. */
#ifndef ACTORS_CLI_DEMO_DATABASE_H
#define ACTORS_CLI_DEMO_DATABASE_H

#include <stdio.h>

#include "actors/cli/command.h"

/* A database of the user's own is looked at, so that a wrong name is told before anything starts.
 *
 * err      gets one line that says what is wrong
 * returns  OK; INVALID */
enum exit_code demo_database_check(const char *path, FILE *err);

#endif
