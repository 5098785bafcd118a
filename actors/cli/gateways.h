/* gateways - what the remote sides of all gateways are like, for fact status. */
#ifndef ACTORS_CLI_GATEWAYS_H
#define ACTORS_CLI_GATEWAYS_H

#include "actors/cli/command.h"
#include "actors/client/fact.h"
#include "protocol/message.h"

/* Ask each gateway of these workers, and write an array of its remote sides; one that does not
 * answer has one row, which says so, and is trouble.
 *
 * workers      of message statistics; must outlive the questions
 * on_trouble   told of each that needs somebody, in words; context is its own */
void gateways_write(struct fact *handle, uint32_t timeout_ms, struct bytes workers,
                    struct writer *writer, void (*on_trouble)(void *context, const char *text),
                    void *context);

#endif
