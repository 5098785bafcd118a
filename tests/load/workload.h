/* workload - what is asked, of whom, and what the answer has to be.
 *
 * Each of the rows below is a way through the system. Where the answer is known it is compared: an
 * answer that is not the one is a failure, however fast. */
#ifndef TESTS_LOAD_WORKLOAD_H
#define TESTS_LOAD_WORKLOAD_H

#include "actors/client/fact.h"
#include "tests/load/draw.h"

#define WORKLOAD_KEYS_MAX 100000u
#define WORKLOAD_SIZE_MAX 32768u
#define TENANTS_MAX 100u

enum workload_kind {
    WORKLOAD_ECHO,   /* client - broker - fact-echo */
    WORKLOAD_MIXED,  /* the same, of many tenants and in all classes */
    WORKLOAD_HIT,    /* client - broker - driver - cache partition; keys are warmed */
    WORKLOAD_MISS,   /* the same, never asked before: and tool executor, and it is kept */
    WORKLOAD_SELECT, /* client - broker - driver - broker - tool executor, past the cache */
    WORKLOAD_ARCADE, /* client - broker - driver - broker - gateway - fact-arcade-server */
    WORKLOAD_PLAIN,  /* any method and body, and any answer */
    WORKLOAD_COUNT
};

struct workload_row {
    const char *name, *doc;
};
extern const struct workload_row workload_rows[WORKLOAD_COUNT];

struct workload_config {
    enum workload_kind kind;
    uint32_t timeout_ms;
    uint64_t keys, seed;
    uint64_t fresh; /* when it begins, microseconds: what no other run has asked */
    double theta;   /* see key_law */
    uint32_t size;  /* bytes of an echo's body, at least 16 */
    enum role role; /* of PLAIN, as the next three */
    const char *method;
    struct bytes body;
    uint16_t flags;
};

struct workload {
    struct workload_config config;
    struct key_law law;
    uint64_t random, number; /* number: of the next ECHO or MISS */
    char *room;              /* the body of one request */
    char (*tenants)[16];     /* names: TENANTS_MAX; owned */
    struct bytes *bodies;    /* by key: made once; owned */
    struct bytes *rows;      /* by key: what the answer has to hold; owned; data NULL: not known */
};

void workload_init(struct workload *self, const struct workload_config *config);
void workload_fini(struct workload *self);

/* The key of the next request, by the law. */
uint64_t workload_draw(struct workload *self);

/* The request for a key.
 *
 * ret  its views are valid until the next call */
void workload_request(struct workload *self, uint64_t key, struct fact_request *ret);

/* Keys that must be asked once, before anything is measured. */
uint64_t workload_warm_keys(const struct workload *self);

/* Note what the answer for a key is. False: it is none. */
bool workload_learn(struct workload *self, uint64_t key, const struct fact_reply *reply);

/* Whether a reply of status OK is what it has to be. */
bool workload_is_right(struct workload *self, uint64_t key, const struct fact_reply *reply);

#endif
