"""What a behaviour of tests/system/52_behaviours is tried with."""

import random

from adapters import Adapter
from scripted_broker import ScriptedBroker, reply
from system import SLOW, until
from wire import DISCONNECT, HEARTBEAT, QUERY, REQUEST, WELCOME, answering, asking

PATIENCE = 20 * SLOW  # for what must come; a busy machine is no fault
SLACK = 2.0 * SLOW  # how late a deadline may be noticed on a busy machine


class Scene:
    """What a behaviour is tried with: one client's adapter, a real system, and scripted brokers."""

    def __init__(self, command, demo):
        self.command, self.demo = command, demo
        self.client, self.brokers, self.faults = None, [], []

    def __enter__(self):
        self.client = Adapter(self.command)
        return self

    def __exit__(self, *_):
        self.client.close()
        for broker in self.brokers:
            broker.close()

    def holds(self, what, shown=""):
        """A part of the claim."""
        if not what:
            self.faults.append(str(shown))

    def same(self, got, wanted, what=""):
        self.holds(got == wanted, "%s: %r, not %r" % (what, got, wanted))

    def real(self, **options):
        self.client.open(self.demo.frontend, **options)
        return self.client

    def scripted(self, answer=None, opens=True, retries=None, **options):
        """A scripted broker, and the client opened on it."""
        broker = ScriptedBroker(answer, **options)
        self.brokers.append(broker)
        if opens:
            self.client.open(broker.endpoint, **({} if retries is None else {"retries": retries}))
        return broker

    def serve(self, broker, *ids, seconds=PATIENCE):
        """Until these calls have ended."""
        broker.serve(lambda: self.client.ended(*ids), seconds)
        return [self.client.one(id) for id in ids]

    def end(self, *ids, seconds=PATIENCE):
        """The outcomes of calls on a real system."""
        until(lambda: self.client.ended(*ids), seconds / SLOW)
        return [self.client.one(id) for id in ids]


def echo(broker, pair):
    """Answer with the arguments."""
    value = pair.body.get("arguments") if pair.command == REQUEST else None
    if pair.command == QUERY:
        broker.send(pair.peer, reply(pair.id, body={"echo": True}))
    else:
        broker.send(
            pair.peer, reply(pair.id, value=value, credit=broker.credit + len(broker.requests))
        )


def silence(broker, pair):
    """Answer nothing."""


def refusing(status, times=100, **fields):
    """Refuse so often, then answer."""

    def answer(broker, pair):
        if len(broker.requests) <= times:
            broker.send(pair.peer, reply(pair.id, status, **fields))
        else:
            echo(broker, pair)

    return answer


def junk(seed):
    """Messages that no broker should send."""
    chance = random.Random(seed)
    good = asking(HEARTBEAT, id=1)
    yield from (
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x01",
        b"\x90\xc0",
        b"\x07\xc0",
        b"\x81\x01\x01\xc0",
    )
    yield from (b"\x91" * 5000, b"\x9c\xdb\xff\xff\xff\xff", good[:7], good + b"\xc1", good * 300)
    for command in (0, 3, 4, 6, 7, 8, 9, 11, 12, 14, 15, 17, 18, 19, 20, 21, 22, 99, 255):
        yield answering(command, 1, 0, {"seq": 1}) + asking(command, {"x": 1}, 1, 5, 1, "m")
    yield answering(
        WELCOME, 0, 0, {"instance": 5, "generation": "x", "heartbeat_ms": -1, "dead_ms": 0}
    )
    yield answering(WELCOME, 0, 0, None)
    for size in (1, 10, 100, 1000):
        yield chance.randbytes(size)
    sample = answering(99, 1, 0, {"a": 1}) + good
    for _ in range(200):
        at, bit = chance.randrange(len(sample)), 1 << chance.randrange(8)
        mutant = sample[:at] + bytes([sample[at] ^ bit]) + sample[at + 1 :]
        if mutant[2:3] != bytes([DISCONNECT]):  # that one is understood
            yield mutant


def attempt(command, demo, behaviour):
    """One behaviour with one client; what does not hold."""
    with Scene(command, demo) as scene:
        try:
            behaviour(scene)
        except Exception as error:  # a scene that breaks has not shown the behaviour
            scene.faults.append("%s: %s" % (type(error).__name__, error))
        scene.holds(not scene.client.unasked, scene.client.unasked[:3])
        scene.same(scene.client.close(), 0, "exit code")
        if scene.faults:
            scene.faults.append(scene.client.stderr)
    return [fault for fault in scene.faults if fault]
