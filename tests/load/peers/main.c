/* fact-peer - what others cost for the same: a line of JSON as fact-bench prints it.
 *
 * fact-peer MODE [WINDOW [SIZE [MEASURE_MS [WARMUP_MS [LABEL]]]]]. See modes.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/load/peers/modes.h"
#include "tests/load/peers/sockets.h"
#include "tests/load/report.h"

static const struct mode modes[] = {
    {"mdp", "echo", mdp_start, NULL, false},
    {"pack", "echo", packed_start, packed_stop, false},
    {"packchain6", "hit", packed_start, packed_stop, true},
    {"nats", "echo", nats_peer_start, NULL, false},
    {"nats_buffered", "echo", nats_peer_start, NULL, true},
};
#define MODES (sizeof modes / sizeof modes[0])

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < MODES; i++)
        if (strcmp(name, modes[i].name) == 0)
            return &modes[i];
    return NULL;
}

/* Argument number i, from 1; or else what it is without. Usage, if it is beyond. */
static unsigned long argument(int argc, char **argv, int i, unsigned long otherwise,
                              unsigned long max)
{
    char *end = "";
    unsigned long value = argc > i ? strtoul(argv[i], &end, 10) : otherwise;
    if (*end == '\0' && value > 0 && value <= max)
        return value;
    fprintf(stderr, "fact-peer: %s: no number from 1 to %lu\n", argv[i], max);
    exit(3);
}

static void print(const struct mode *mode, const struct generator *generator, const char *label)
{
    json_t *load =
        json_pack("{s:s, s:i, s:i, s:f, s:i}", "loop", "closed", "window", (int)generator->window,
                  "connections", 1, "measure_s", (double)generator->measure_us / (double)US_PER_S,
                  "size", (int)generator->size);
    struct report report = {.system = mode->name,
                            .workload = mode->workload,
                            .label = label,
                            .load = load,
                            .outcomes = &generator->outcomes,
                            .completed = generator->completed,
                            .cost = generator->cost,
                            .invalid = generator->invalid};
    json_t *document = report_new(&report);
    report_print_json(document, stdout);
    json_decref(document);
    json_decref(load);
}

int main(int argc, char **argv)
{
    static struct cost cost;
    static struct generator generator;
    struct client client;
    const struct mode *mode = argc > 1 ? find_mode(argv[1]) : NULL;
    if (mode == NULL) {
        fputs("usage: fact-peer mdp|pack|packchain6|nats|nats_buffered [WINDOW [SIZE [MEASURE_MS "
              "[WARMUP_MS [LABEL]]]]]\n",
              stderr);
        return 3;
    }
    generator.window = (uint32_t)argument(argc, argv, 2, 1, 4096);
    generator.size = argument(argc, argv, 3, 64, PAYLOAD_BYTES_MAX);
    generator.measure_us = (int64_t)argument(argc, argv, 4, 1000, 600000) * US_PER_MS;
    generator.warmup_us = (int64_t)argument(argc, argv, 5, 300, 600000) * US_PER_MS;
    if (generator.size < 16)
        generator.size = 16; /* it begins with a time */
    cost_init(&cost);
    (void)cost_add(&cost, PART_CLIENT, (int)getpid());
    generator.cost = &cost;
    generator.client = &client;
    prctl(PR_SET_TIMERSLACK, 1L);
    mode->start(&generator, mode->flag, &client);
    if (!generator_run(&generator))
        give_up("replies are missing, or wrong");
    if (mode->stop != NULL)
        mode->stop();
    print(mode, &generator, argc > 6 ? argv[6] : "");
    children_end();
    return generator.invalid != 0 ? 2 : 0;
}
