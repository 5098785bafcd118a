/* demo_plan - which processes a demo consists of, how each is started, and when again. Pure.
 *
 * The brokers first, then the other roles of --actors; an instance is named after its role. Brokers
 * know each other, and everybody knows all of them. A process that ends is started again, later
 * each time until it has run for a while. */
#ifndef ACTORS_CLI_DEMO_PLAN_H
#define ACTORS_CLI_DEMO_PLAN_H

#include "protocol/envelope.h"

#define DEMO_PER_ROLE_MAX 32u
#define DEMO_PROCESSES_MAX (BROKERS_MAX + 4u * DEMO_PER_ROLE_MAX)
#define DEMO_LIST_BYTES 3072u /* endpoints of all brokers, with commas */
#define DEMO_ARGUMENTS_MAX 16u
#define DEMO_INSTANCE_BYTES 32u
#define DEMO_REASON_BYTES 256u
#define DEMO_PATH_BYTES 4096u

#define RESTART_MS_MIN 100
#define RESTART_MS_MAX 5000
#define RESTART_STEADY_MS 10000 /* having run so long, what it did before is forgotten */
#define RESTARTS_LOOP 5u        /* so many ends in a row are a crash loop */

/* When to start a process again. */
struct restart {
    int64_t started_at;
    unsigned failures; /* ends in a row, each after a short life */
};

/* It has ended; returns the time to start it again. */
int64_t restart_after(struct restart *self, int64_t now_at);

struct demo_process {
    enum role role;
    unsigned number; /* from 1, in its role */
    char instance[DEMO_INSTANCE_BYTES];
    struct restart restart;
    int64_t start_at; /* while it does not run */
    int pid;          /* 0: it does not run */
    bool told;        /* that it is in a crash loop */
};

struct demo_plan {
    unsigned count;
    struct demo_process processes[DEMO_PROCESSES_MAX]; /* the brokers first */
};

/* Read --actors: ROLE=N,... ; a role that is not named runs as often as by default.
 *
 * reason   DEMO_REASON_BYTES, on failure
 * returns  false: no such role, or a number out of 1 to DEMO_PER_ROLE_MAX; of brokers, BROKERS_MAX
 */
bool demo_plan_init(struct demo_plan *self, const char *actors, char *reason);

unsigned demo_plan_count(const struct demo_plan *self, enum role role);

/* The three endpoints of a broker. */
struct demo_endpoints {
    char frontend[ENDPOINT_BYTES_MAX], backend[ENDPOINT_BYTES_MAX], events[ENDPOINT_BYTES_MAX];
};

/* Where the brokers are to listen: backend and events on the two ports behind the frontend's, the
 * next broker on the three behind that; or, if the port is 0, all on free ones.
 *
 * ret      of so many brokers
 * returns  false: frontend is no tcp://HOST:PORT, or has no such ports behind it */
bool demo_endpoints_from(const char *frontend, unsigned count, struct demo_endpoints *ret);

/* Where it does listen, from a line of its log; false: the line says nothing of it. */
bool demo_endpoints_read(struct bytes line, struct demo_endpoints *ret);

/* How a process is started. */
struct demo_command {
    char program[DEMO_PATH_BYTES];
    char texts[DEMO_ARGUMENTS_MAX][DEMO_PATH_BYTES + 64];
    char *arguments[DEMO_ARGUMENTS_MAX + 1]; /* into texts; NULL at the end */
    unsigned count;
};

struct demo_surroundings {
    const char *programs; /* the folder of the programs */
    const char *database, *database_name;
    const char *config; /* NULL: none */
    struct demo_endpoints brokers[BROKERS_MAX];
    unsigned broker_count;
};

/* Endpoints of all brokers, with commas; out: DEMO_LIST_BYTES.
 *
 * sides    which of each: DEMO_FRONTEND, DEMO_BACKEND, DEMO_EVENTS, or all of them
 * returns  false: they are longer than that */
#define DEMO_FRONTEND 1u
#define DEMO_BACKEND 2u
#define DEMO_EVENTS 4u
#define DEMO_ALL (DEMO_FRONTEND | DEMO_BACKEND | DEMO_EVENTS)
bool demo_list(const struct demo_surroundings *self, unsigned sides, char *out);

/* The list of all of them has room. */
void demo_command_of(const struct demo_process *process,
                     const struct demo_surroundings *surroundings, struct demo_command *ret);

/* Whether a broker's directory shows every process of the plan at work, and all partitions in the
 * view.
 *
 * directory  struct msg_directory, decoded; body borrowed
 * missing    DEMO_REASON_BYTES: what is not there yet, on false */
struct msg_directory;
bool demo_is_complete(const struct demo_plan *self, const struct msg_directory *directory,
                      char *missing);

#endif
