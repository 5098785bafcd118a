/* many COUNT [ENDPOINT] - keep many calls under way at once in a loop of your own. */
#include <fact.h>
#include <poll.h>
#include <protocol/message.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned ended, good;

static void on_done(void *context, const struct fact_reply *reply)
{
    (void)context; /* yours, one a call */
    ended++;
    good += reply->status == STATUS_OK;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000, submitted = 0;
    /* So many under way keep a driver busy; more would only wait at the broker, and be shed. */
    struct fact_options options = {.endpoints = argc > 2 ? argv[2] : NULL, .calls_max = 64};
    struct fact *fact = fact_open(&options);
    if (fact == NULL)
        return 3;
    while (ended < count) {
        /* {arguments: {expression: "6 * 7"}} in MessagePack; how to write your own: value.h */
        struct fact_request request = FACT_REQUEST;
        request.method = bytes_of("Math_Calculator");
        request.body = bytes_of("\x81\xa9"
                                "arguments\x81\xaa"
                                "expression\xa5"
                                "6 * 7");
        while (submitted < count && fact_submit(fact, &request, on_done, NULL, NULL) == STATUS_OK)
            submitted++; /* until calls_max are under way: BUSY_FULL */
        struct pollfd items[] = {{.fd = fact_descriptor(fact), .events = POLLIN}};
        if (poll(items, 1, -1) > 0) /* beside it, whatever else you wait for */
            fact_process(fact);
    }
    printf("%u of %u\n", good, count);
    fact_destroy(&fact);
    return good == count ? 0 : 1;
}
