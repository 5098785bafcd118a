"""A peer of the wire for tests, by docs/protocol.md alone: it shares no code with the servers."""
import os
import time

import msgpack
import zmq

HELLO, WELCOME, READY, REQUEST, REPLY = 1, 2, 3, 4, 5
STARTED, PARTIAL, CREDIT, CANCEL, HEARTBEAT, DRAIN = 7, 8, 10, 11, 13, 15
DISCONNECT, GOAWAY, ERROR, QUERY, ADMIN, INVALIDATE, EVENT = 16, 17, 18, 19, 20, 21, 22
DRIVER, PARTITION, TOOL, GATEWAY, CLIENT = 2, 3, 4, 5, 6
IDEMPOTENT, STREAM, NO_CACHE, REFRESH, ONLY_IF_CACHED = 1, 2, 2048, 4096, 8192
COALESCE, DETACHED, KEEP = 128, 1024, 32768

OK, CANCELLED, BAD_REQUEST, VERSION, UNAUTHENTICATED, FORBIDDEN, NO_ROLE, NO_WORKER = range(8)
BUSY_FULL, BUSY_SHED, INFEASIBLE, RATE_LIMITED, CIRCUIT_OPEN, DRAINING, RETRY_BUDGET = range(8, 15)
DEADLINE_QUEUED, DEADLINE_RUNNING, WORKER_LOST, POISON, DUPLICATE, TOO_LARGE = range(15, 21)
APP_ERROR, INTERNAL = 21, 22


def asking(command, body=None, id=0, deadline_ms=0, role=0, method=None, flags=0, klass=1,
           attempt=0, tenant=None, extension=None, key=None):
    """A pair of the request layout; key: the idempotency key."""
    header = [1, command, flags, id, deadline_ms, klass, attempt, role, method, None, tenant,
              key, None] + ([extension] if extension else [])
    return msgpack.packb(header) + packed(body)


def answering(command, id, status=0, body=None, credit=0, executed=2, extension=None):
    """A pair of the reply layout."""
    header = [1, command, 0, id, status, executed, 3, 0, 0, 0, credit, None]
    header += [extension] if extension else []
    return msgpack.packb(header) + packed(body)


def packed(body):
    return msgpack.packb(None if body is None else msgpack.packb(body))


def pairs(message):
    """Header and body of each pair of a message."""
    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=0)
    unpacker.feed(message)
    values = list(unpacker)
    for header, body in zip(values[::2], values[1::2]):
        yield header, None if body is None else msgpack.unpackb(body, strict_map_key=False)


class Reply:
    """One REPLY, and when it came."""

    def __init__(self, header, body, at):
        self.id, self.status, self.executed = header[3], header[4], header[5]
        self.retry_after_ms, self.instance, self.body, self.at = header[7], header[11], body, at

    @property
    def code(self):
        return self.body.get("code") if self.status > CANCELLED and self.body else None

    def __str__(self):
        return "status %d executed %d retry %d %s" % (
            self.status, self.executed, self.retry_after_ms, self.body)


class Peer:
    """One DEALER, greeted."""

    context = zmq.Context()

    def __init__(self, endpoint, role=CLIENT, ready=None, greet=True, receive_max=None):
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if receive_max is not None:
            self.socket.rcvhwm = receive_max
            self.socket.setsockopt(zmq.RCVBUF, 4096)
        self.socket.connect(endpoint)
        self.session, self.role, self.ready = os.urandom(16), role, ready
        self.replies, self.others, self.sent_at, self.twice = {}, [], {}, []
        self.next_id, self.beats, self.credit, self.welcome = 1, 0, 0, None
        self.beat_at = time.monotonic()
        if greet:
            self.greet()

    def greet(self, seconds=10, resume=False):
        hello = {"session": self.session, "instance": "test-%d" % os.getpid(), "resume": resume}
        message = asking(HELLO, hello, role=self.role)
        if self.ready is not None:
            message += asking(READY, self.ready, role=self.role)
        self.welcome = None
        self.socket.send(message)
        self.wait(lambda: self.welcome, seconds)
        return self.welcome

    def send(self, *encoded):
        self.socket.send(b"".join(encoded))

    def take(self, seconds=0.0):
        """Take in one message, if one comes; keeps the connection alive by the way."""
        if time.monotonic() - self.beat_at > 0.9:
            self.beats, self.beat_at = self.beats + 1, time.monotonic()
            self.socket.send(asking(HEARTBEAT, id=self.beats))
        if not self.socket.poll(int(seconds * 1000)):
            return False
        at = time.monotonic()
        for header, body in pairs(self.socket.recv()):
            if header[1] == WELCOME:
                self.welcome, self.credit = body, header[10]
            elif header[1] == REPLY:
                self.credit = header[10]
                if header[3] in self.replies:
                    self.twice.append(header[3])
                self.replies[header[3]] = Reply(header, body, at)
            elif header[1] == CREDIT:
                self.credit = header[10]
            elif header[1] != HEARTBEAT:
                self.others.append((header, body))
        return True

    def wait(self, done, seconds=10):
        """Take messages in until done() is true, or it is too late; returns what done() says."""
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self.take(0.05)
        return done()

    def encode(self, method, body, deadline_ms=2000, role=DRIVER, command=REQUEST, **fields):
        """A request, encoded; returns its id and bytes."""
        id, self.next_id = self.next_id, self.next_id + 1
        self.sent_at[id] = time.monotonic()
        return id, asking(command, body, id, deadline_ms, role, method, **fields)

    def ask(self, method, body, seconds=10, **fields):
        """Ask, and wait for the reply; None: none came."""
        id, encoded = self.encode(method, body, **fields)
        self.send(encoded)
        self.wait(lambda: id in self.replies, seconds)
        return self.replies.get(id)

    def call(self, tool, arguments, seconds=10, **fields):
        return self.ask(tool, {"arguments": arguments}, seconds, **fields)

    def query(self, method, body=None, seconds=5):
        return self.ask(method, body, seconds, role=0, command=QUERY)

    def metric(self, instance, name, seconds=5):
        """A family of a process as it has it now: values by their labels, a tuple of texts."""
        reply = self.query("instance", {"instance": instance, "method": "metrics"}, seconds)
        return {tuple(series["labels"]): series["value"] for family in reply.body["families"]
                if family["name"] == name for series in family["series"]}

    def close(self, sent=False):
        """sent: what is under way goes out first."""
        self.socket.close(linger=10000 if sent else None)
