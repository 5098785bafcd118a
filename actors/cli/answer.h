/* answer - how a call ended, as a document, and that document for people. */
#ifndef ACTORS_CLI_ANSWER_H
#define ACTORS_CLI_ANSWER_H

#include "actors/cli/command.h"
#include "actors/cli/document.h"

/* Write the document of one end.
 *
 * what, text  the key that says what was asked ("question", "method"), and its text
 * trace       of the request, TRACE_BYTES; NULL: none
 * returns     what the command ends with */
enum exit_code answer_document(struct writer *writer, const char *what, struct bytes text,
                               const char *trace, const struct fact_reply *reply);

/* Print a document: the value, and unless quiet what it stands on and where the time went. */
void answer_print(struct bytes document, bool quiet, FILE *out);

/* Print it on one line. */
void answer_print_line(struct bytes document, FILE *out);

/* Print why there is no answer: "fact: CODE: message", what to do about it, and unless quiet where
 * the time went. Nothing if there is one. */
void answer_print_failure(struct bytes document, bool quiet, FILE *err);

#endif
