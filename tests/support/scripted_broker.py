"""A broker that does what a test says: a ROUTER that records every pair and answers by a function.

It shares no code with the servers nor with the clients. It greets and beats by itself unless it is
told not to; nothing happens but in serve().
"""

import random
import time

import msgpack
import zmq

from wire import (
    CREDIT,
    DISCONNECT,
    GOAWAY,
    HEARTBEAT,
    HELLO,
    OK,
    QUERY,
    REPLY,
    REQUEST,
    WELCOME,
    answering,
    asking,
    pairs,
)

ANSWER = {"outcome": "ok", "value": None, "cache": {"status": "miss"}}


def reply(id, status=OK, value=None, credit=4096, executed=None, retry_after_ms=0, body=None):
    """A REPLY, encoded. Of an OK one the body is an answer with this value, of others a failure."""
    if executed is None:
        executed = 2 if status in (OK, 21) else 1 if status in (1, 16, 17, 18, 19, 22) else 0
    if body is None and status == OK:
        body = dict(ANSWER, value=value)
    elif body is None and status > 1:
        body = {"code": "SCRIPTED", "message": "as the script says"}
    header = [1, REPLY, 0, id, status, executed, 3, retry_after_ms, 7, 11, credit, "scripted"]
    packed = None if body is None else msgpack.packb(body)
    return msgpack.packb(header) + msgpack.packb(packed)


class Pair:
    """What came, and when."""

    def __init__(self, at, message, peer, header, body):
        self.at, self.message, self.peer, self.header, self.body = at, message, peer, header, body
        self.command, self.id = header[1], header[3]

    @property
    def arguments(self):
        return self.body["arguments"]


class ScriptedBroker:
    """answer(broker, pair) is called for each REQUEST and QUERY; None: they are only recorded."""

    context = zmq.Context()

    def __init__(
        self,
        answer=None,
        endpoint="tcp://127.0.0.1:0",
        credit=4096,
        heartbeat_ms=1000,
        dead_ms=20000,
        welcomes=True,
        beats=True,
        on_hello=None,
    ):
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self._bind(endpoint)
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.answer, self.credit, self.welcomes, self.beats = answer, credit, welcomes, beats
        self.heartbeat_ms, self.dead_ms, self.on_hello = heartbeat_ms, dead_ms, on_hello
        self.generation = random.getrandbits(32)
        self.brokers = []  # that WELCOME names
        self.messages, self.pairs, self.peers = [], [], []
        self.beat_at = time.monotonic()

    def _bind(self, endpoint, seconds=10):
        """The port of one that was closed is free a moment later."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.socket.bind(endpoint)
            except zmq.ZMQError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def send(self, peer, *encoded):
        """One message."""
        self.socket.send_multipart([peer, b"".join(encoded)])

    def welcome(self, peer):
        body = {
            "instance": "scripted",
            "generation": self.generation,
            "heartbeat_ms": self.heartbeat_ms,
            "dead_ms": self.dead_ms,
            "lease_ms": 30000,
            "body_max": 8388608,
            "message_max": 65536,
            "protocol": 1,
            "brokers": [broker.address for broker in self.brokers],
        }
        self.send(peer, answering(WELCOME, 0, OK, body, credit=self.credit))

    @property
    def address(self):
        """As WELCOME and GOAWAY name it; nobody works here, and nothing happens."""
        return dict(
            instance="scripted", frontend=self.endpoint, backend=self.endpoint, events=self.endpoint
        )

    def goaway(self, peer, *brokers):
        body = {"brokers": [broker.address for broker in brokers]}
        self.send(peer, answering(GOAWAY, 0, OK, body))

    def grant(self, peer, credit):
        self.send(peer, answering(CREDIT, 0, credit=credit))

    def disconnect(self, peer, status, reason="scripted"):
        self.send(peer, answering(DISCONNECT, 0, status, {"reason": reason}))

    def of(self, command):
        """The pairs of this command that have come."""
        return [pair for pair in self.pairs if pair.command == command]

    @property
    def requests(self):
        return self.of(REQUEST)

    def _take(self, peer, message):
        at = time.monotonic()
        self.messages.append(message)
        for header, body in pairs(message):
            pair = Pair(at, len(self.messages) - 1, peer, header, body)
            self.pairs.append(pair)
            if pair.command == HELLO:
                self.peers = [other for other in self.peers if other != peer] + [peer]
                if self.on_hello:
                    self.on_hello(self, pair)
                if self.welcomes:
                    self.welcome(peer)
            elif pair.command in (REQUEST, QUERY) and self.answer:
                self.answer(self, pair)

    def _beat(self):
        if self.beats and time.monotonic() - self.beat_at > self.heartbeat_ms / 2000:
            self.beat_at = time.monotonic()
            for peer in self.peers:
                self.send(peer, asking(HEARTBEAT, id=1))

    def step(self, seconds=0.02):
        """Take in what comes meanwhile."""
        if self.socket.poll(int(seconds * 1000)):
            while self.socket.poll(0):
                frames = self.socket.recv_multipart()
                self._take(frames[0], frames[-1])
        self._beat()

    def serve(self, until, seconds=10):
        """Serve until a condition holds or it is too late; returns what it said last."""
        deadline = time.monotonic() + seconds
        while not until() and time.monotonic() < deadline:
            self.step()
        return until()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
