"""A steady mixed load from one peer, and what became of each request."""
import random
import time

from wire import IDEMPOTENT, NO_CACHE, OK, Peer


class Load:
    """Keep so many calls under way until told to end; every request is followed to its reply."""

    def __init__(self, endpoint, window=32, seed=1, deadline_ms=4000):
        self.peer, self.window, self.deadline_ms = Peer(endpoint), window, deadline_ms
        self.random = random.Random(seed)
        self.asked, self.expected = [], {}

    def next_call(self):
        """A cached calculation, a cached statement, or one that is computed anew."""
        n = self.random.randrange(200)
        kind = self.random.randrange(3)
        if kind == 0:
            return "Math_Calculator", {"expression": "%d * 3" % n}, 0, lambda v: v["result"] == n * 3
        statement = {"statement": "select ? + 1 as n", "parameters": [n]}
        flags = NO_CACHE if kind == 1 else 0
        return "SQL_QueryReadonly", statement, flags, lambda v: v["rows"] == [{"n": n + 1}]

    def fill(self):
        batch = []
        while len(self.asked) - len(self.peer.replies) < self.window:
            tool, arguments, flags, right = self.next_call()
            id, encoded = self.peer.encode(tool, {"arguments": arguments}, self.deadline_ms,
                                           flags=flags | IDEMPOTENT)
            self.asked.append(id)
            self.expected[id] = right
            batch.append(encoded)
        if batch:
            self.peer.send(*batch)

    def run(self, seconds, until=None):
        """Load for so long, or until a condition holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until()):
            self.fill()
            self.peer.take(0.01)

    def settle(self, seconds=15):
        self.peer.wait(lambda: len(self.peer.replies) >= len(self.asked), seconds)

    def by_status(self):
        counts = {}
        for reply in self.peer.replies.values():
            counts[reply.status] = counts.get(reply.status, 0) + 1
        return counts

    def wrong(self):
        """Replies that say OK and have another value than they must."""
        return [str(reply) for id, reply in self.peer.replies.items()
                if reply.status == OK and not self.expected[id](reply.body["value"])]

    def unanswered(self):
        return [id for id in self.asked if id not in self.peer.replies]

    def since(self, at):
        """Replies to what was asked after a moment."""
        return [reply for id, reply in self.peer.replies.items() if self.peer.sent_at[id] > at]
