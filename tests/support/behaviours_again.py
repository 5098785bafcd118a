"""How clients try again, before a scripted broker; see tests/system/52_behaviours."""

from adapters import call
from scene import echo, refusing
from scripted_broker import reply
from wire import BAD_REQUEST, BUSY_FULL, NO_ROLE, WORKER_LOST


def never_is_never(scene):
    for status, name in (
        (NO_ROLE, "NO_ROLE"),
        (BAD_REQUEST, "BAD_REQUEST"),
        (BUSY_FULL, "BUSY_FULL"),
    ):
        broker = scene.scripted(refusing(status))
        (ended,) = scene.serve(broker, scene.client.call(idempotent=True))
        scene.same((ended.status, ended.executed, ended.code), (name, "no", "SCRIPTED"), ended)
        scene.same((ended.may_retry, ended.attempts), (False, 1), ended)
        broker.serve(lambda: len(broker.requests) > 1, 0.2)
        scene.same(len(broker.requests), 1, "REQUESTs after " + name)


def busy_is_retried(scene):
    broker = scene.scripted(refusing(BUSY_FULL, 1, retry_after_ms=250))
    (ended,) = scene.serve(broker, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same((ended.status, ended.value, ended.attempts), ("OK", {"n": 1}, 2), ended)
    first, second = broker.requests
    scene.same((first.header[6], second.header[6]), (0, 1), "attempts")
    scene.holds(second.at - first.at >= 0.25, "after %.3f s" % (second.at - first.at))
    scene.holds(
        second.header[4] <= first.header[4] - 200,
        "deadlines %s" % [first.header[4], second.header[4]],
    )


def three_attempts(scene):
    broker = scene.scripted(refusing(BUSY_FULL, retry_after_ms=10))
    (ended,) = scene.serve(broker, scene.client.call(timeout_ms=20000))
    scene.same(
        (ended.status, ended.retry_after_ms, ended.may_retry), ("BUSY_FULL", 10, True), ended
    )
    scene.same([pair.header[6] for pair in broker.requests], [0, 1, 2], "attempts")


def retries_in_time(scene):
    broker = scene.scripted(refusing(BUSY_FULL, retry_after_ms=5000))
    id = scene.client.call(timeout_ms=1000)
    (ended,) = scene.serve(broker, id)
    scene.same((ended.status, ended.retry_after_ms), ("BUSY_FULL", 5000), ended)
    scene.same(len(broker.requests), 1, "REQUESTs")


def maybe_executed(scene):
    def lost_once(broker, pair):
        if pair.header[6] == 0:
            broker.send(pair.peer, reply(pair.id, WORKER_LOST))
        else:
            echo(broker, pair)

    broker = scene.scripted(lost_once)
    ids = scene.client.submit(
        call({"n": 1}, timeout_ms=20000, idempotent=True), call({"n": 2}, timeout_ms=20000)
    )
    harmless, other = scene.serve(broker, *ids)
    scene.same((harmless.status, harmless.value), ("OK", {"n": 1}), harmless)
    scene.same(
        (other.status, other.executed, other.may_retry), ("WORKER_LOST", "maybe", False), other
    )
    scene.same(len(broker.requests), 3, "REQUESTs")


def retries_off(scene):
    broker = scene.scripted(refusing(BUSY_FULL, retry_after_ms=10), retries=False)
    (ended,) = scene.serve(broker, scene.client.call(idempotent=True))
    scene.same((ended.status, ended.may_retry), ("BUSY_FULL", True), ended)
    broker.serve(lambda: len(broker.requests) > 1, 0.3)
    scene.same(len(broker.requests), 1, "REQUESTs")


def held_back(scene):
    broker = scene.scripted(refusing(BUSY_FULL, times=10**6))
    ended = []
    for _ in range(8):
        calls = [call({"n": n}, timeout_ms=20000) for n in range(50)]
        ended += scene.serve(broker, *scene.client.submit(*calls))
    held = [one for one in ended if one.status == "BUSY_SHED"]
    scene.same(len(held) + len(broker.requests), 400, "held back or sent")
    scene.holds(100 <= len(broker.requests) < 250, "%d sent" % len(broker.requests))
    scene.same({(one.executed, one.local) for one in held}, {("no", True)}, "held back")
    before = len(broker.requests)
    (matters,) = scene.serve(broker, scene.client.call(importance=0))
    scene.same((matters.status, len(broker.requests) - before), ("BUSY_FULL", 1), matters)
