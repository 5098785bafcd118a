"""What clients say on the wire, before a scripted broker; see tests/system/52_behaviours."""
import random
import time

from adapters import call
from scene import PATIENCE, SLACK, echo, silence
from scripted_broker import reply
from system import SLOW, until
from wire import (
    CANCEL,
    CANCELLED,
    HEARTBEAT,
    HELLO,
    IDEMPOTENT,
    KEEP,
    NO_CACHE,
    PARTIAL,
    REQUEST,
    STREAM,
    answering,
)


def greeting(scene):
    broker = scene.scripted(echo)
    scene.serve(broker, scene.client.call())
    first = broker.pairs[0]
    scene.same((first.command, first.header[7]), (HELLO, 6), "the first pair, its role")
    body = first.body
    scene.holds(len(body["session"]) == 16 and body["instance"] and body["pid"] > 0, body)
    scene.same(len(broker.of(HELLO)), 1, "greetings")


def header(scene):
    broker = scene.scripted(echo)
    ids = scene.client.submit(
        call(
            {"n": 1},
            "Some_Tool",
            4000,
            idempotent=True,
            no_cache=True,
            importance=2,
            tenant="acme",
            user="u-17",
        ),
        call({"n": 2}, "Some_Tool", 4000),
    )
    scene.serve(broker, *ids)
    full, plain = (pair.header for pair in broker.requests)
    scene.same(
        (full[0], full[1], full[2]), (1, REQUEST, IDEMPOTENT | NO_CACHE), "version, command, flags"
    )
    scene.holds(0 < full[4] <= 4000, full)
    scene.same(
        (full[5], full[6], full[7], full[8]), (2, 0, 2, "Some_Tool"), "class, attempt, role, method"
    )
    scene.same((full[10], full[13]["user"]), ("acme", "u-17"), "tenant, user")
    rest = (plain[2] & ~KEEP, plain[5], plain[10], len(plain))  # KEEP: as the client can
    scene.same(rest, (0, 1, None, 13), "the plain one")
    scene.holds(0 < full[3] < plain[3], "ids do not rise: %d, %d" % (full[3], plain[3]))


def heartbeat(scene):
    broker = scene.scripted(echo, heartbeat_ms=100, dead_ms=10000)
    broker.serve(lambda: len(broker.of(HEARTBEAT)) >= 4, PATIENCE)
    beats = broker.of(HEARTBEAT)
    scene.same([pair.id for pair in beats[:4]], [1, 2, 3, 4], "counters")
    greeted_at = broker.of(HELLO)[0].at  # however late they are seen, they were not sent before
    early = [pair.id for pair in beats if pair.at - greeted_at < 0.1 * pair.id - 0.01]
    scene.holds(not early, "too early: %s" % early)


def packs(scene):
    broker = scene.scripted(echo, welcomes=False)
    ids = scene.client.submit(*[call({"n": n}) for n in range(300)])
    broker.serve(lambda: broker.peers, PATIENCE)
    until(lambda: scene.client.ask("state"))  # so that it has taken all of them
    broker.welcomes = True
    broker.welcome(broker.peers[-1])
    ended = scene.serve(broker, *ids)
    scene.same({one.status for one in ended}, {"OK"}, "statuses")
    counts = [
        sum(pair.message == message for pair in broker.requests)
        for message in sorted({pair.message for pair in broker.requests})
    ]
    scene.same(counts, [256, 44], "REQUESTs by message")


def packs_by_size(scene):
    broker = scene.scripted(echo, welcomes=False)
    sizes = [20000, 20000, 20000, 20000, 40000, 10, 60000, 30000, 10]
    ids = scene.client.submit(*[call({"x": "x" * size}) for size in sizes])
    broker.serve(lambda: broker.peers, PATIENCE)
    scene.client.ask("state")
    broker.welcome(broker.peers[-1])
    scene.serve(broker, *ids)
    scene.same([len(pair.arguments["x"]) for pair in broker.requests], sizes, "their order")
    for message in {pair.message for pair in broker.requests}:
        inside = [pair for pair in broker.requests if pair.message == message]
        size = len(broker.messages[message])
        scene.holds(len(inside) == 1 or size <= 65536, "%d bytes in company" % size)
        scene.holds(
            len(inside) == 1 or all(len(p.arguments["x"]) < 32768 for p in inside),
            "a large one in company",
        )
    scene.holds(len({pair.message for pair in broker.requests}) <= 6, "hardly packed")


def unpacks(scene):
    broker = scene.scripted(silence)
    ids = scene.client.submit(*[call({"n": n}) for n in range(50)])
    broker.serve(lambda: len(broker.requests) == 50, PATIENCE)
    replies = [reply(pair.id, value=pair.arguments["n"]) for pair in broker.requests]
    random.Random(1).shuffle(replies)
    broker.send(broker.peers[-1], *replies)
    scene.same([one.value for one in scene.serve(broker, *ids)], list(range(50)), "values")


def credit(scene):
    broker = scene.scripted(None, credit=5)
    ids = scene.client.submit(*[call({"n": n}, timeout_ms=30000 * SLOW) for n in range(20)])
    broker.serve(lambda: len(broker.requests) >= 5, PATIENCE)
    broker.serve(lambda: len(broker.requests) > 5, 0.3)
    scene.same(len(broker.requests), 5, "left by WELCOME's credit")
    peer = broker.peers[-1]
    broker.send(peer, reply(broker.requests[0].id, credit=6))
    broker.serve(lambda: len(broker.requests) >= 6, PATIENCE)
    broker.grant(peer, 8)
    broker.grant(peer, 3)  # it never falls
    broker.serve(lambda: len(broker.requests) > 8, 0.3)
    scene.same(len(broker.requests), 8, "left by the REPLY's and CREDIT's")
    broker.answer = echo
    broker.grant(peer, 20)
    for pair in broker.requests[1:]:
        broker.send(peer, reply(pair.id, credit=20))
    scene.same({one.status for one in scene.serve(broker, *ids)}, {"OK"}, "statuses")
    (asked,) = scene.serve(broker, scene.client.call({}, "directory", kind="broker"))
    scene.same(asked.status, "OK", "a QUERY without credit")


def deadline_unanswered(scene):
    broker = scene.scripted(silence)
    id = scene.client.call(timeout_ms=400)
    (ended,) = scene.serve(broker, id)
    scene.same(
        (ended.status, ended.executed, ended.local), ("DEADLINE_RUNNING", "maybe", True), ended
    )
    scene.holds(
        0.35 <= scene.client.took(id) <= 0.4 + SLACK, "after %.3f s" % scene.client.took(id)
    )
    broker.serve(lambda: broker.of(CANCEL), PATIENCE)
    scene.same([pair.id for pair in broker.of(CANCEL)], [broker.requests[0].id], "CANCELs")


def deadline_unsent(scene):
    broker = scene.scripted(opens=False)
    broker.close()
    scene.client.open(broker.endpoint)
    id = scene.client.call(timeout_ms=400)
    (ended,) = scene.end(id)
    scene.same((ended.status, ended.executed, ended.local), ("DEADLINE_QUEUED", "no", True), ended)
    scene.holds(
        0.35 <= scene.client.took(id) <= 0.4 + SLACK, "after %.3f s" % scene.client.took(id)
    )


def deadline_shrinks(scene):
    broker = scene.scripted(silence, credit=1)
    first, second = scene.client.submit(
        call({"n": 1}, timeout_ms=20000), call({"n": 2}, timeout_ms=20000)
    )
    broker.serve(lambda: broker.requests, PATIENCE)
    broker.serve(lambda: len(broker.requests) > 1, 0.5)
    broker.send(broker.peers[-1], reply(broker.requests[0].id, credit=2))
    broker.serve(lambda: len(broker.requests) == 2, PATIENCE)
    told = [pair.header[4] for pair in broker.requests]
    scene.holds(len(told) == 2 and told[0] - 450 >= told[1] > 0, told)
    broker.send(broker.peers[-1], reply(broker.requests[1].id, credit=3))
    scene.serve(broker, first, second)


def cancel(scene):
    broker = scene.scripted(silence)
    id = scene.client.call({"n": 1}, timeout_ms=60000)
    broker.serve(lambda: broker.requests, PATIENCE)
    begun = time.monotonic()
    scene.client.ask("cancel", id=id)
    (ended,) = scene.serve(broker, id)
    scene.same((ended.status, ended.executed), ("CANCELLED", "maybe"), ended)
    scene.holds(ended.at - begun < SLACK, "not at once")
    broker.serve(lambda: broker.of(CANCEL), PATIENCE)
    scene.same([pair.id for pair in broker.of(CANCEL)], [broker.requests[0].id], "CANCELs")
    broker.send(broker.peers[-1], reply(broker.requests[0].id, CANCELLED))
    broker.answer = echo
    (following,) = scene.serve(broker, scene.client.call({"n": 2}))
    scene.same(following.value, {"n": 2}, following)
    scene.client.one(id)


def answered_twice(scene):
    def twice(broker, pair):
        one = reply(pair.id, value=pair.arguments)
        broker.send(pair.peer, one, one)
        broker.send(pair.peer, one)

    broker = scene.scripted(twice)
    (first,) = scene.serve(broker, scene.client.call({"n": 1}))
    (second,) = scene.serve(broker, scene.client.call({"n": 2}))
    scene.same((first.value, second.value), ({"n": 1}, {"n": 2}), "values")
    scene.client.one(first.id)


def parts(scene):
    def part(id, number, value):
        return answering(PARTIAL, id, body=value, extension={"seq": number})

    def streaming(broker, pair):
        """Also to who did not ask for it, and after the answer."""
        told = [part(pair.id, number, {"n": number}) for number in range(3)]
        broker.send(pair.peer, *told[:2])
        broker.send(pair.peer, told[2], reply(pair.id, value=7), part(pair.id, 3, {"n": 3}))

    broker = scene.scripted(streaming)
    streams, plain = scene.client.submit(call({"n": 1}, stream=True), call({"n": 2}))
    ended = scene.serve(broker, streams, plain)
    scene.serve(broker, scene.client.call({"n": 3}))  # what was late has been seen by then
    scene.same([one.value for one in ended], [7, 7], "answers")
    wanted = [(number, {"n": number}, False) for number in range(3)]
    scene.same(scene.client.parts, {streams: wanted}, "number, part, whether after the answer")
    flags = [pair.header[2] & ~KEEP for pair in broker.requests[:2]]
    scene.same(flags, [STREAM, 0], "flags")
