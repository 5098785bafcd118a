/* broker_admin - what operators tell the broker: a table of methods. Where nobody is asked for a
 * key everybody is an operator. See docs/protocol.md, "Cases, decided". */
#include "broker/broker_private.h"

static void admin_drain(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_admin_drain drain;
    if (message_decode(MSG_ADMIN_DRAIN, pair->body, &drain) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "drain wants {instance, deadline_ms}");
        return;
    }
    struct worker *worker = broker_find_instance(self, drain.instance);
    if (worker == NULL) {
        broker_refuse_question(self, from, pair, STATUS_NO_WORKER,
                               "no worker of this name is here");
        return;
    }
    uint64_t deadline_ms = drain.deadline_ms < UINT32_MAX ? drain.deadline_ms : UINT32_MAX;
    broker_drain_worker(self, worker, (uint32_t)deadline_ms);
    broker_reply_question(self, from, pair, (struct bytes){0});
}

/* Only the worker itself can take back that it drains: it is asked to say READY again. */
static void admin_undrain(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_admin_drain drain;
    struct msg_query_instance query = {.method = bytes_of(UNDRAIN)};
    if (message_decode(MSG_ADMIN_DRAIN, pair->body, &drain) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, "undrain wants {instance}");
        return;
    }
    const struct worker *worker = broker_find_instance(self, drain.instance);
    if (worker == NULL)
        broker_refuse_question(self, from, pair, STATUS_NO_WORKER,
                               "no worker of this name is here");
    else if (worker->state != WORKER_DRAINING)
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, "this worker does not drain");
    else
        broker_relay(self, from, pair, worker, &query);
}

static const struct {
    const char *method;
    broker_handler *handler;
    bool dear; /* see broker_affords() */
} methods[] = {
    {"drain", admin_drain, false},
    {"limits", broker_admin_limits, true},
    {"limit_set", broker_admin_limit_set, false},
    {"breakers", broker_admin_breakers, true},
    {"breaker_set", broker_admin_breaker_set, false},
    {"reload", broker_admin_reload, true},
    {"undrain", admin_undrain, false},
    {"dead", broker_admin_dead, true},
    {"kick", broker_admin_kick, false},
};

void broker_on_admin(struct broker *self, const struct source *from, const struct pair *pair)
{
    size_t i = 0, count = sizeof methods / sizeof methods[0];
    if (!broker_is_granted(self, from, pair, grants_refuse_order(from->peer->allowed)))
        return;
    while (i < count && !bytes_are(pair->header.method, methods[i].method))
        i++;
    if (i == count)
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "an operator's commands are in docs/protocol.md");
    else if (!methods[i].dear || broker_affords(self, from, pair))
        methods[i].handler(self, from, pair);
}
