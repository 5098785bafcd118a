"""The other end of a session in a test: it speaks the wire by itself, in virtual time."""

import msgpack

from factclient import wire

S = 1_000_000  # microseconds
MS = 1000


def welcome(credit=4096, generation=1, heartbeat_ms=1000, dead_ms=3000, **more):
    body = {
        "instance": "broker-1",
        "generation": generation,
        "heartbeat_ms": heartbeat_ms,
        "dead_ms": dead_ms,
        "lease_ms": 30000,
        "body_max": 8388608,
        "message_max": 65536,
        **more,
    }
    return wire.encode_pair(wire.Header(wire.WELCOME, credit=credit), msgpack.packb(body))


def reply(id, status=0, body=None, credit=4096, executed=None, **fields):
    if executed is None:
        executed = 2 if status in (0, 21) else 1 if status in (1, 16, 17, 18, 19, 22) else 0
    if body is None and status == 0:
        body = {"outcome": "ok", "value": id}
    header = wire.Header(
        wire.REPLY, id=id, status=status, executed=executed, credit=credit, **fields
    )
    return wire.encode_pair(header, None if body is None else msgpack.packb(body))


def say(command, body=None, **fields):
    return wire.encode_pair(
        wire.Header(command, **fields), None if body is None else msgpack.packb(body)
    )


class End:
    """Moves bytes between a core and a test. A client's core has two lines: what is said of one here is
    said of the first, unless another is named."""

    def __init__(self, core, now_at=0):
        self.core, self.now_at, self.messages, self.pairs = core, now_at, [], []
        self.others = []  # pairs that left on the second line

    @property
    def session(self):
        return self.core.lines.get(0).session

    def _drain(self, pairs, messages, **line):
        while (message := self.core.outgoing(self.now_at, **line)) is not None:
            messages.append(message)
            pairs += wire.pairs_of(message)
            self.core.sent(**line)

    def flush(self, line=0):
        """Take what leaves; returns its pairs on this line."""
        first, second = [], []
        self._drain(first, self.messages)
        if hasattr(self.core, "lines"):
            self._drain(second, [], line=1)
        self.pairs += first
        self.others += second
        return second if line else first

    def give(self, *encoded, line=0):
        """One message comes; returns what leaves then."""
        self.core.take(b"".join(encoded), self.now_at, *([line] if line else []))
        return self.flush(line)

    def pass_time(self, us):
        """Until then, with every tick that is wanted meanwhile; returns what leaves."""
        until_at, pairs = self.now_at + us, []
        while True:
            pairs += self.flush()
            due_at = max(self.core.due_at(), self.now_at)
            if due_at >= until_at:
                break
            self.now_at = max(due_at, self.now_at + 1)
            self.core.tick(self.now_at)
        self.now_at = until_at
        self.core.tick(self.now_at)
        return pairs + self.flush()

    def greet(self, line=0, **options):
        """HELLO leaves, WELCOME comes; returns what leaves then."""
        self.pass_time(200 * MS)
        return self.give(welcome(**options), line=line)

    @property
    def requests(self):
        return [pair.header for pair in self.pairs if pair.header.command == wire.REQUEST]

    def of(self, command):
        return [pair for pair in self.pairs if pair.header.command == command]
