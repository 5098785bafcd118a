/* children - processes of our own: started so that they cannot outlive us, ended, and buried. */
#ifndef ACTORS_CLI_CHILDREN_H
#define ACTORS_CLI_CHILDREN_H

#include <stdbool.h>
#include <stdio.h>

/* Start a program in a process group of its own, with stderr and stdout in a file. When this
 * process dies, however it dies, the kernel kills the child. From the main thread only: it is the
 * end of a thread that the kernel watches.
 *
 * arguments  its argv, NULL at the end
 * log_path   appended to; or with anew begun again
 * returns    its process id; 0 with errno: the log cannot be opened, or there are too many */
int child_start(const char *program, char *const *arguments, const char *log_path, bool anew);

/* The next child that has ended; 0: none.
 *
 * ret_status  as of waitpid() */
int child_bury(int *ret_status);

/* "exit code 3", "signal 9 (Killed)"; into text. */
void child_end_text(int status, char *text, unsigned size);

/* The last lines of a log, for the eyes; nothing if there is none. */
void child_show_log(const char *log_path, FILE *out);

#endif
