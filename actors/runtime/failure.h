/* failure - why a tool gave no answer: what the REPLY's status and failure body will say.
 *
 * Filled on a job thread, read on the loop's: plain memory, no pointers. Texts that do not fit are
 * cut between two characters, never inside one; what is not UTF-8 in them becomes '?'. */
#ifndef ACTORS_RUNTIME_FAILURE_H
#define ACTORS_RUNTIME_FAILURE_H

#include "protocol/message.h"

struct failure {
    enum status status; /* STATUS_OK: none */
    uint32_t retry_after_ms;
    char code[65]; /* sizes: those of message failure, and an end */
    char message[513];
    char field[257]; /* path of the argument at failure; empty: none */
    char hint[257];  /* what to change; empty: nothing is known */
};

/* Begin a failure; returns false, so that a failing function ends in it. */
bool failure_set(struct failure *self, enum status status, const char *code, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

void failure_field(struct failure *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void failure_hint(struct failure *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
