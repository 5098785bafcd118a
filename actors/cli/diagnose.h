/* diagnose - why nobody greets at an endpoint: its form, its name, TCP, ZeroMQ, in this order.
 *
 * Each step is tried by itself, on a connection of its own, and the first that fails ends it. */
#ifndef ACTORS_CLI_DIAGNOSE_H
#define ACTORS_CLI_DIAGNOSE_H

#include <stdbool.h>
#include <stdio.h>

#define DIAGNOSIS_TEXT_BYTES 300u

enum diagnosis_step { STEP_FORM, STEP_NAME, STEP_CONNECT, STEP_GREETING, STEP_COUNT };

struct diagnosis {
    enum diagnosis_step failed; /* STEP_COUNT: none; what is wrong comes after the greeting */
    bool refused;               /* STEP_CONNECT: nobody listens there, which is certain */
    char texts[STEP_COUNT][DIAGNOSIS_TEXT_BYTES]; /* what was found; empty: not tried */
};

/* Try it.
 *
 * timeout_ms  of each step that waits; a name's resolver has its own */
void diagnose(const char *endpoint, int timeout_ms, struct diagnosis *ret);

/* Print the steps, and what to do about it.
 *
 * handshake  why that of our own connection has failed; empty: it has not */
void diagnosis_print(const struct diagnosis *diagnosis, const char *endpoint, const char *handshake,
                     FILE *out);

#endif
