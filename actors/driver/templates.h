/* templates - questions that have an answer: which slots they take, the statement that answers
 * them, and the sentence that says it.
 *
 * A row needs some elements and allows others; it fits a reading that has all it needs and nothing
 * it does not allow. What needs most ranks first; two of equal rank are no answer but a choice to
 * be made by who asks. Nothing of the question becomes part of a statement: it is bound to it.
 * Pure. */
#ifndef ACTORS_DRIVER_TEMPLATES_H
#define ACTORS_DRIVER_TEMPLATES_H

#include "actors/driver/question.h"

#define TEMPLATES_MATCHED_MAX 8u
#define STATEMENT_BYTES_MAX 2048u
#define SENTENCE_BYTES_MAX 4096u
#define SENTENCE_ROWS_MAX 40u

struct template
{
    const char *name;
    uint32_t needs, allows;
    bool flows_only;       /* of metrics: amounts, which have a sum and a growth */
    const char *statement; /* NULL: only a reading, one of several that a question may have */
    const char *sentence;
};

extern const struct template templates[];
extern const size_t template_count;

/* The rows of highest rank that fit.
 *
 * ret      TEMPLATES_MATCHED_MAX of them
 * returns  how many; 0: none */
size_t templates_match(const struct reading *reading, const struct template **ret);

/* Write the arguments of SQL_QueryReadonly: a map of statement and parameters. */
void template_write_arguments(const struct template *self, const struct reading *reading,
                              struct writer *writer);

/* Say in a sentence what the rows of the answer say; of a reading, with no rows, what it means.
 *
 * rows     array of maps, as the tool returned them
 * out      SENTENCE_BYTES_MAX bytes
 * returns  a view of out */
struct bytes template_say(const struct template *self, const struct reading *reading,
                          struct bytes rows, char *out);

/* The questions of the demo: one a template, and four that have no answer. */
struct example {
    const char *question;
    const char *reason; /* of no_data; NULL: it has an answer */
};
extern const struct example examples[];
extern const size_t example_count;

#endif
