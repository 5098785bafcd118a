"""How clients keep a connection, before scripted brokers; see tests/system/52_behaviours."""

from adapters import call
from scene import PATIENCE, echo, junk, refusing, silence
from scripted_broker import reply
from system import SLOW, until
from wire import (
    CANCELLED,
    DISCONNECT,
    DRAINING,
    HELLO,
    KEEP,
    NO_ROLE,
    QUERY,
    UNAUTHENTICATED,
    answering,
)

ACKFLOOR = 14


def greets_anew(scene):
    broker = scene.scripted(echo)
    scene.serve(broker, scene.client.call({"n": 1}))
    broker.disconnect(broker.peers[-1], NO_ROLE)
    broker.serve(lambda: len(broker.of(HELLO)) == 2, PATIENCE)
    (again,) = scene.serve(broker, scene.client.call({"n": 2}, timeout_ms=20000))
    scene.same((again.status, again.value), ("OK", {"n": 2}), again)
    sessions = {pair.body["session"] for pair in broker.of(HELLO)}
    scene.same((len(broker.of(HELLO)), len(sessions)), (2, 1), "greetings, sessions")
    state = scene.client.ask("state")
    scene.same((state["state"], state["connections"]), ("up", 2), "state")


def sent_away(scene):
    broker = scene.scripted(silence)
    waits = scene.client.call(timeout_ms=60000)
    broker.serve(lambda: broker.requests, PATIENCE)
    broker.disconnect(broker.peers[-1], UNAUTHENTICATED, "no token")
    (ended,) = scene.serve(broker, waits)
    scene.holds(ended.status in ("WORKER_LOST", "UNAUTHENTICATED"), ended)
    (later,) = scene.serve(broker, scene.client.call(timeout_ms=60000))
    scene.same((later.status, later.executed, later.local), ("UNAUTHENTICATED", "no", True), later)
    broker.serve(lambda: len(broker.of(HELLO)) > 1, 0.3)
    scene.same(len(broker.of(HELLO)), 1, "greetings")
    scene.same(scene.client.ask("state")["state"], "refused", "state")


def restart(scene):
    old = scene.scripted(silence)
    ids = scene.client.submit(
        call({"n": 1}, timeout_ms=30000, idempotent=True), call({"n": 2}, timeout_ms=30000)
    )
    old.serve(lambda: len(old.requests) == 2, PATIENCE)
    old.close()
    new = scene.scripted(echo, opens=False, endpoint=old.endpoint)
    harmless, other = scene.serve(new, *ids, seconds=30 * SLOW)
    scene.same((harmless.status, harmless.value), ("OK", {"n": 1}), harmless)
    scene.same((other.status, other.executed, other.local), ("WORKER_LOST", "maybe", True), other)
    scene.same([pair.arguments["n"] for pair in new.requests], [1], "sent again")
    scene.same((new.requests[0].header[6], new.pairs[0].command), (1, HELLO), "attempt, first pair")
    (following,) = scene.serve(new, scene.client.call({"n": 3}, timeout_ms=20000))
    scene.same(following.value, {"n": 3}, following)


def silent_broker(scene):
    broker = scene.scripted(silence, heartbeat_ms=100, dead_ms=300, beats=False)
    broker.serve(lambda: broker.peers, PATIENCE)
    id = scene.client.call(timeout_ms=60000)
    broker.serve(lambda: len(broker.of(HELLO)) >= 2 and scene.client.ended(id), PATIENCE)
    ended = scene.client.one(id)
    scene.same((ended.status, ended.executed, ended.local), ("WORKER_LOST", "maybe", True), ended)
    scene.holds(len(broker.of(HELLO)) >= 2, "not greeted again")


def failover_at_start(scene):
    dead = scene.scripted(opens=False)
    dead.close()
    alive = scene.scripted(echo, opens=False)
    scene.client.open(dead.endpoint, alive.endpoint)
    (ended,) = scene.serve(alive, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same((ended.status, ended.value), ("OK", {"n": 1}), ended)


def failover_later(scene):
    first, second = scene.scripted(echo, opens=False), scene.scripted(echo, opens=False)
    scene.client.open(first.endpoint, second.endpoint)
    (served,) = scene.serve(first, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same(served.status, "OK", served)
    first.answer = silence
    ids = scene.client.submit(
        call({"n": 2}, timeout_ms=20000, idempotent=True), call({"n": 3}, timeout_ms=20000)
    )
    first.serve(lambda: len(first.requests) == 3, PATIENCE)
    first.close()
    harmless, other = scene.serve(second, *ids)
    scene.same((harmless.status, harmless.value), ("OK", {"n": 2}), harmless)
    scene.same((other.status, other.executed), ("WORKER_LOST", "maybe"), other)
    (following,) = scene.serve(second, scene.client.call({"n": 4}, timeout_ms=20000))
    scene.same(following.value, {"n": 4}, following)


def failover_at_once(scene):
    brokers = scene.scripted(silence, opens=False), scene.scripted(silence, opens=False)
    scene.client.open(brokers[0].endpoint, brokers[1].endpoint)
    _serve_both(scene, *brokers, until_=lambda: all(broker.peers for broker in brokers))
    ids = scene.client.submit(
        call({"n": 1}, timeout_ms=20000, idempotent=True), call({"n": 2}, timeout_ms=20000)
    )
    _serve_both(scene, *brokers, until_=lambda: sum(len(b.requests) for b in brokers) == 2)
    one, other = sorted(brokers, key=lambda broker: -len(broker.requests))
    scene.same((len(one.requests), len(other.requests)), (2, 0), "both calls go to one broker")
    other.answer = echo
    one.close()
    (harmless,) = scene.serve(other, ids[0])
    scene.same((harmless.status, harmless.value, harmless.attempts), ("OK", {"n": 1}, 2), harmless)
    scene.same(len(other.of(HELLO)), 1, "greetings of the broker that was there already")
    (kept,) = scene.serve(other, ids[1])  # nobody comes back who may know of it
    scene.same((kept.status, kept.executed), ("WORKER_LOST", "maybe"), kept)
    scene.same([pair.arguments["n"] for pair in other.requests], [1], "sent again")


def _lose(scene):
    """A call whose reply gets lost with its connection, and is held; the call, and the broker it is at then."""
    old = scene.scripted(silence, heartbeat_ms=200)
    (id,) = scene.client.submit(call({"n": 1}, timeout_ms=60000))
    old.serve(lambda: old.requests, PATIENCE)
    asked = old.requests[0]
    scene.holds(asked.header[2] & KEEP, "without KEEP")
    old.close()

    def hold(broker, pair):
        """What is held comes before the answer to what became of it."""
        held = reply(asked.id, value={"kept": True})
        broker.send(pair.peer, held, reply(pair.id, body={"state": "answered"}))

    new = scene.scripted(hold, opens=False, endpoint=old.endpoint, heartbeat_ms=200)
    new.generation = old.generation
    scene.serve(new, id)
    return id, asked, new


def kept_reply(scene):
    for _ in range(3):  # where the machine was so slow that nobody was back in time, once more
        id, asked, new = _lose(scene)
        if scene.client.one(id).status != "WORKER_LOST" or scene.client.took(id) < 3:
            break
    ended = scene.client.one(id)
    scene.same((ended.status, ended.value, ended.attempts), ("OK", {"kept": True}, 1), ended)
    scene.same((new.of(HELLO)[0].body["resume"], new.requests), (True, []), "resume, sent again")
    scene.same([pair.body["id"] for pair in new.of(QUERY)], [asked.id], "asked what became of")
    new.serve(lambda: new.of(ACKFLOOR), PATIENCE)
    scene.same([pair.id for pair in new.of(ACKFLOOR)], [asked.id], "acknowledged")


def _serve_both(scene, one, other, *ids, until_=None):
    ended = until_ or (lambda: scene.client.ended(*ids))
    until(lambda: one.step() or other.step() or ended(), 20)
    return [scene.client.one(id) for id in ids]


def learns_brokers(scene):
    first, second = scene.scripted(echo, opens=False), scene.scripted(echo, opens=False)
    first.brokers, second.brokers = [first, second], [second, first]
    scene.client.open(first.endpoint)
    (served,) = _serve_both(scene, first, second, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same(served.status, "OK", served)
    first.close()
    (served,) = scene.serve(second, scene.client.call({"n": 2}, timeout_ms=20000, idempotent=True))
    scene.same((served.status, served.value), ("OK", {"n": 2}), served)
    scene.holds(second.requests[-1].arguments == {"n": 2}, "the other broker was not asked")


def goaway(scene):
    first, second = scene.scripted(echo, opens=False), scene.scripted(echo, opens=False)
    scene.client.open(first.endpoint)
    (served,) = _serve_both(scene, first, second, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same(served.status, "OK", served)
    first.goaway(first.peers[-1], second)
    until(lambda: first.step() or second.step() or second.peers, 20)
    asked = len(first.requests)
    ids = scene.client.submit(*[call({"n": n}, timeout_ms=20000) for n in range(5)])
    ended = _serve_both(scene, first, second, *ids)
    scene.same([one.value for one in ended], [{"n": n} for n in range(5)], "served")
    scene.same((len(first.requests) - asked, len(second.requests)), (0, 5), "asked")


def draining(scene):
    first, second = (
        scene.scripted(refusing(DRAINING), opens=False),
        scene.scripted(echo, opens=False),
    )
    scene.client.open(first.endpoint, second.endpoint)
    id = scene.client.call({"n": 1}, timeout_ms=20000)
    until(lambda: first.step() or second.step() or scene.client.ended(id), 20)
    ended = scene.client.one(id)
    if ended.status == "OK":
        scene.same((ended.value, len(second.requests)), ({"n": 1}, 1), ended)
    else:
        scene.same((ended.status, ended.executed, ended.may_retry), ("DRAINING", "no", True), ended)


def all_drain(scene):
    """More refusals than there are attempts, and longer than one of them is believed."""
    brokers = [scene.scripted(refusing(DRAINING, 12), opens=False) for _ in range(2)]
    scene.client.open(*(broker.endpoint for broker in brokers))
    (ended,) = _serve_both(scene, *brokers, scene.client.call({"n": 1}, timeout_ms=20000))
    scene.same((ended.status, ended.value), ("OK", {"n": 1}), ended)


def garbage(scene):
    broker = scene.scripted(
        silence, on_hello=lambda broker, pair: [broker.send(pair.peer, m) for m in junk(1)]
    )
    first = scene.client.call({"n": 1}, timeout_ms=60000)
    broker.serve(lambda: broker.requests, PATIENCE)
    for message in junk(2):
        broker.send(broker.peers[-1], message)
    echo(broker, broker.requests[0])
    broker.answer = echo
    ended, second = scene.serve(broker, first, scene.client.call({"n": 2}, timeout_ms=60000))
    scene.same((ended.value, second.value), ({"n": 1}, {"n": 2}), "values")
    scene.same(len(broker.of(HELLO)), 1, "greetings")


def bad_answer(scene):
    def nonsense(broker, pair):
        header = answering(5, pair.id, 0, None, credit=4096)[:-1]
        bodies = [
            b"\xc1",
            b"\xdd\xff\xff\xff\xff",
            b"\x91" * 3000,
            b"\x80",
            b"\xa2\xc3\x28",
            b"\x07",
        ]
        body = bodies[len(broker.requests) % len(bodies)]
        size = len(body)
        broker.send(pair.peer, header + b"\xc5" + size.to_bytes(2, "big") + body)

    broker = scene.scripted(nonsense)
    ended = scene.serve(
        broker, *scene.client.submit(*[call({"n": n}, timeout_ms=20000) for n in range(6)])
    )
    scene.holds(
        all(one.status in ("OK", "INTERNAL") and not one.value for one in ended),
        "\n".join(map(str, ended)),
    )
    broker.answer = echo
    (following,) = scene.serve(broker, scene.client.call({"n": 7}))
    scene.same(following.value, {"n": 7}, following)


def says_goodbye(scene):
    broker = scene.scripted(echo)
    scene.serve(broker, scene.client.call())
    scene.client.do("close")
    broker.serve(lambda: broker.of(DISCONNECT), PATIENCE)
    scene.same([pair.header[4] for pair in broker.of(DISCONNECT)], [CANCELLED], "DISCONNECTs")
    scene.same(scene.client.close(), 0, "exit code")
