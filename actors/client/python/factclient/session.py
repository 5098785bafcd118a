"""One connection, seen from the side that connected. Pure: bytes and time in, bytes and events out.

It greets and says READY, beats, keeps to the credit it was given and gives its own, numbers what is
asked and ends each question exactly once, notices silence, and packs what is ready together. A point
in time (``_at``, ``now_at``) is monotonic microseconds. The same rules as ``protocol/session.h``.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any, Callable

import msgpack

from . import wire
from .asks import Ask
from .events import Answered, Came, Down, Event, Part, Refused, Up
from .status import STATUSES, Executed, Status

GREETING_US = 3_000_000  # greet again after so much silence; WELCOME says what holds then
REGREET_US = 100_000  # but not more often than this, whoever sends us away
NEVER = 2**63 - 1
_U32 = 2**32
RESUME_US = 3_000_000  # so soon after a loss it must be known that a question with KEEP goes on
COUNTS = ("asked", "answered", "late_answers", "timed_out", "lost", "cancelled", "malformed")
ACKS = 32  # answers that were held for us are acknowledged after so many, or with a beat
STATUS_FIRST = 1 << 49  # from here count the questions of our own what became of one

class Session:
    """See the module.

    Parameters
    ----------
    role : int
        Ours, of the wire.
    id : bytes
        16 random bytes, the same for the life of the process.
    instance, version : str
        Our name, for people, and version; at most 64 bytes each.
    pid : int
        Our process.
    ready : tuple of (bytes, int), optional
        A worker's: the body of READY, and its concurrency.
    asks_max : int
        Questions without an answer; more: BUSY_FULL.
    waiting_bytes_max : int
        Bytes of questions that wait for credit or a greeting; more: BUSY_FULL.
    early_us : int
        The other side is told a deadline so much nearer, a tenth of it at most: so its own word
        arrives before ours is due.
    counts : dict, optional
        Where it counts, if several count together.
    now_at : int

    Attributes
    ----------
    heartbeat : callable
        Returns the body of the next HEARTBEAT; None: none.
    """

    def __init__(
        self,
        *,
        role: int,
        id: bytes,
        instance: str,
        version: str,
        pid: int,
        now_at: int,
        ready: tuple[bytes, int] | None = None,
        asks_max: int = 4096,
        waiting_bytes_max: int = 16 * 1024 * 1024,
        early_us: int = 0,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.role, self.id, self.instance, self.version, self.pid = role, id, instance, version, pid
        self.ready, self.asks_max, self.waiting_bytes_max = ready, asks_max, waiting_bytes_max
        self.early_us = early_us
        self.up = self.refused = False
        self.heartbeat: Callable[[], bytes | None] = lambda: None
        self.connection = 0  # counts greetings: names a connection
        self.generation = 0  # of who was greeted last
        self.counts = dict.fromkeys(COUNTS, 0) if counts is None else counts
        self._events: deque[Event] = deque()
        self._outgoing = wire.Outgoing()
        self._by_id: dict[int, Ask] = {}
        self._by_tag: dict[int, Ask] = {}
        self._line: deque[Ask] = deque()  # what waits, and some that have ended
        self._due: list[tuple[int, int]] = []  # heap of (deadline_at, id), and some that have ended
        self._waiting_bytes = 0
        self._next_id, self._beats, self._unacknowledged = 1, 0, 0
        self._granted = self._sent = 0  # to us: REQUESTs we may have sent in all, modulo 2^32
        self._grants = 0  # by us, the same
        self._greet, self._greet_at = True, 0
        self._heard_at, self._beat_at = now_at, NEVER
        self._heartbeat_us = self._dead_us = GREETING_US

    # What it tells

    def events(self) -> list[Event]:
        """What has happened since this was called last, in order."""
        events = list(self._events)
        self._events.clear()
        return events

    @property
    def asks(self) -> int:
        """Questions without an answer."""
        return len(self._by_id)

    @property
    def has_credit(self) -> bool:
        """A REQUEST would leave at once."""
        return self._may_send(True) and self._waiting_bytes == 0

    def is_suspect(self, now_at: int) -> bool:
        """It is up, and has not been heard for half of the time after which it counts as gone."""
        return self.up and now_at - self._heard_at >= self._dead_us // 2

    def due_at(self) -> int:
        """When `tick` wants to be called."""
        while self._due and self._due[0][1] not in self._by_id:
            heapq.heappop(self._due)
        due_at = self._due[0][0] if self._due else NEVER
        if self.refused:
            return due_at
        if self.up:
            due_at = min(due_at, self._beat_at)
        return min(due_at, self._greet_at if self._greet else self._heard_at + self._dead_us)

    def outgoing(self, now_at: int) -> bytes | None:
        """The next message to send; the same until `sent`. None: there is none."""
        if self._greet and now_at >= self._greet_at and not self.refused:
            self._write_greeting(now_at)
        return self._outgoing.next()

    def sent(self) -> None:
        """It has left."""
        self._outgoing.sent()

    # Asking

    def ask(
        self, header: wire.Header, body: bytes | None, deadline_at: int, tag: int, now_at: int
    ) -> Status:
        """Ask; `Answered` will come if this returns OK.

        Parameters
        ----------
        header : Header
            REQUEST, QUERY, ADMIN. The session's until it has ended; sets id and deadline_ms.
        body : bytes or None
            MessagePack.
        deadline_at, now_at : int
        tag : int
            The owner's own, unique among its open questions.

        Returns
        -------
        Status
            OK; BUSY_FULL; TOO_LARGE; DEADLINE_QUEUED: less than a millisecond is left; CANCELLED: it
            was refused.
        """
        if self.refused:
            return Status.CANCELLED
        if len(body or b"") > wire.PAIR_BODY_BYTES_MAX:
            return Status.TOO_LARGE
        if deadline_at - now_at < 1000:
            return Status.DEADLINE_QUEUED
        if len(self._by_id) >= self.asks_max:
            return Status.BUSY_FULL
        header.id = self._next_id
        ask = Ask(tag, header, body, deadline_at)
        if self._waiting_bytes + ask.size > self.waiting_bytes_max and not self._may_send(ask.counts):
            return Status.BUSY_FULL
        self._next_id += 1
        self._by_id[header.id] = self._by_tag[tag] = ask
        heapq.heappush(self._due, (deadline_at, header.id))
        self.counts["asked"] += 1
        self._line.append(ask)
        self._waiting_bytes += ask.size
        self._send_what_waits(now_at)
        return Status.OK

    def cancel(self, tag: int) -> bool:
        """A question is not wanted any more: no answer will come. False: there is none of this tag."""
        ask = self._by_tag.get(tag)
        if ask is None:
            return False
        self._say_cancel(ask)
        self.counts["cancelled"] += 1
        self._remove(ask)
        return True

    def _is_stalled(self, now_at: int) -> bool:
        """We have said nothing for so long that the other side has given us up, as after a stop of the
        process: what would leave now would be from a stranger."""
        return self.up and now_at - self._beat_at >= self._dead_us - self._heartbeat_us

    def take_back(self, tag: int) -> bool:
        """A question that has not left is not to leave. False: it has, or there is none."""
        ask = self._by_tag.get(tag)
        if ask is None or ask.sent:
            return False
        self._remove(ask)
        return True

    # Answering

    def reply(
        self, connection: int, header: wire.Header, body: bytes | None, grants: bool = True
    ) -> Status:
        """Answer a REQUEST or QUERY; one of an earlier connection is dropped.

        Parameters
        ----------
        connection : int
            As it came.
        header : Header
            A REPLY, with id.
        body : bytes or None
        grants : bool
            One more REQUEST; not for a QUERY.

        Returns
        -------
        Status
            OK; TOO_LARGE: the body must be shorter, nothing was sent.
        """
        if len(body or b"") > wire.PAIR_BODY_BYTES_MAX:
            return Status.TOO_LARGE
        if connection == self.connection and self.up:
            self._grants = (self._grants + grants) % _U32
            header.credit = self._grants
            self._outgoing.put(wire.encode_pair(header, body))
        return Status.OK

    def say(self, connection: int, header: wire.Header, body: bytes | None = None) -> None:
        """Say a pair that is no question and no reply: STARTED, DRAIN, DISCONNECT ..."""
        if connection == self.connection and self.up:
            self._outgoing.put(wire.encode_pair(header, body))

    # What happens

    def take(self, message: bytes, now_at: int) -> None:
        """Take one message in."""
        self._heard_at = now_at
        for pair in wire.pairs_of(message):
            if self.refused:
                break
            if pair is None or pair.status is not Status.OK:
                self.counts["malformed"] += 1
            else:
                self._take_pair(pair, now_at)
        if self._unacknowledged >= ACKS:
            self._acknowledge()
        self._send_what_waits(now_at)

    def lost(self, reason: str, now_at: int) -> None:
        """The connection is gone: begin anew."""
        if self.refused:
            return
        was_up = self.up
        self._regreet(now_at)
        self._end_what_left(kept_too=False)
        self._await_resuming(now_at)
        if was_up:
            self._events.append(Down(reason))

    def tick(self, now_at: int) -> None:
        """Do what is due: end what is too late, give up on silence, beat."""
        while self._due and self._due[0][0] <= now_at:
            ask = self._by_id.get(heapq.heappop(self._due)[1])
            if ask is not None and ask.due_at <= now_at:
                self._end_late(ask, now_at)
        if self.refused:
            return
        if now_at - self._heard_at >= self._dead_us and not self._greet:
            self.lost("silent", now_at)
        if self._is_stalled(now_at):
            self.lost("this process stood still", now_at)
        if self.up and now_at >= self._beat_at:
            self._beats += 1
            self._put(wire.HEARTBEAT, self._beats, self.heartbeat())
            if self._unacknowledged:
                self._acknowledge()
            self._beat_at = now_at + self._heartbeat_us

    # Its own

    def _put(self, command: int, id: int = 0, body: bytes | None = None) -> None:
        self._outgoing.put(wire.encode_pair(wire.Header(command, id=id, role=self.role), body))

    def _write_greeting(self, now_at: int) -> None:
        """HELLO, and a worker's READY in the same message. Nothing else is there: see _regreet()."""
        self._greet = False
        self.connection += 1
        self._heard_at = now_at  # from now on silence counts
        hello = {
            "session": self.id,
            "instance": self.instance,
            "pid": self.pid,
            "version": self.version,
        }
        self._put(wire.HELLO, body=msgpack.packb(dict(hello, resume=self.connection > 1)))
        if self.ready is not None:
            body, self._grants = self.ready
            self._put(wire.READY, body=body)

    def _regreet(self, now_at: int) -> None:
        self.up = False
        self._greet, self._greet_at = True, now_at + REGREET_US
        self._heard_at, self._dead_us = now_at, GREETING_US
        self._outgoing.clear()

    def _remove(self, ask: Ask) -> None:
        ask.ended = True
        del self._by_id[ask.id], self._by_tag[ask.tag]
        if not ask.sent:
            self._waiting_bytes -= ask.size

    def _end(self, ask: Ask, status: Status, executed: Executed) -> None:
        self._remove(ask)
        header = wire.Header(wire.REPLY, id=ask.id, status=status, executed=executed)
        self._events.append(Answered(ask.tag, header, None, True))

    def _end_late(self, ask: Ask, now_at: int) -> None:
        """Of what has not left it is known that nothing was executed."""
        self._say_cancel(ask)
        if ask.resuming and now_at < ask.deadline_at:
            self._end_lost(ask)
            return
        self.counts["timed_out"] += 1
        if ask.sent:
            self._end(ask, Status.DEADLINE_RUNNING, Executed.MAYBE)
        else:
            self._end(ask, Status.DEADLINE_QUEUED, Executed.NO)

    def _end_lost(self, ask: Ask) -> None:
        self.counts["lost"] += 1
        self._end(ask, Status.WORKER_LOST, Executed.MAYBE)

    def _end_what_left(self, kept_too: bool) -> None:
        """It may have been executed, and nobody will say. What had not left, leaves later."""
        for ask in list(self._by_id.values()):
            if ask.sent and (kept_too or not ask.kept):
                self._end_lost(ask)

    # What outlives a connection

    def _await_resuming(self, now_at: int) -> None:
        """What is held for us may still be answered, if the other side soon says so."""
        for ask in self._by_id.values():
            if ask.sent and not ask.resuming:
                ask.resuming, ask.due_at = True, min(ask.deadline_at, now_at + RESUME_US)
                heapq.heappush(self._due, (ask.due_at, ask.id))

    def _ask_what_became(self) -> None:
        """Of those that had left; answers that are held for us come before the answer to this."""
        for ask in self._by_id.values():
            if ask.sent:
                header = wire.Header(
                    wire.QUERY, id=STATUS_FIRST + ask.id, deadline_ms=RESUME_US // 1000,
                    role=wire.BROKER, method="status",
                )  # fmt: skip
                self._outgoing.put(wire.encode_pair(header, msgpack.packb({"id": ask.id})))

    def _on_what_became(self, header: wire.Header, body: bytes | None) -> None:
        ask = self._by_id.get(header.id - STATUS_FIRST)
        if ask is None or not ask.resuming:
            return
        state = wire.map_of(body).get("state") if header.status == Status.OK else None
        if type(state) is not str or state == "unknown":
            self._end_lost(ask)
            return
        ask.resuming, ask.due_at = False, ask.deadline_at
        heapq.heappush(self._due, (ask.due_at, ask.id))

    def _acknowledge(self) -> None:
        """Every answer below the oldest question that is open has come."""
        floor = next(iter(self._by_id), self._next_id) - 1
        if self.up and floor > 0:
            self._put(wire.ACKFLOOR, floor)
            self._unacknowledged = 0

    def _say_cancel(self, ask: Ask) -> None:
        if ask.sent and ask.counts and self.up:
            self._put(wire.CANCEL, ask.id)

    def _may_send(self, counts: bool) -> bool:
        left = (self._granted - self._sent) % _U32
        return self.up and (not counts or 0 < left < _U32 // 2)

    def _send_what_waits(self, now_at: int) -> None:
        line = self._line
        if self._is_stalled(now_at):
            return
        while line and (line[0].ended or self._may_send(line[0].counts)):
            ask = line.popleft()
            if not ask.ended:
                self._send(ask, now_at)

    def _send(self, ask: Ask, now_at: int) -> None:
        left_us = ask.deadline_at - now_at
        left_us -= min(self.early_us, left_us // 10)
        ask.header.deadline_ms = max(left_us // 1000, 1)  # TIMEOUT_S_MAX fits
        ask.sent = True
        self._waiting_bytes -= ask.size
        if ask.counts:
            self._sent = (self._sent + 1) % _U32
        self._outgoing.put(wire.encode_pair(ask.header, ask.body))
        ask.body = None

    def _take_credit(self, credit: int) -> None:
        if 0 < (credit - self._granted) % _U32 < _U32 // 2:  # it never falls
            self._granted = credit

    def _take_pair(self, pair: wire.Pair, now_at: int) -> None:
        header = pair.header
        if header.command == wire.REPLY:
            self._on_reply(header, pair.body)
        elif header.command == wire.PARTIAL:
            self._on_partial(header, pair.body)
        elif header.command == wire.WELCOME:
            self._on_welcome(header, pair.body)
        elif header.command == wire.DISCONNECT:
            self._on_disconnect(header, pair.body, now_at)
        elif header.command == wire.CREDIT:
            self._take_credit(header.credit)
        elif header.command != wire.HEARTBEAT and self.up:
            self._events.append(Came(header, pair.body, self.connection))

    def _on_reply(self, header: wire.Header, body: bytes | None) -> None:
        ask = self._by_id.get(header.id)
        self._take_credit(header.credit)
        if header.id > STATUS_FIRST:
            self._on_what_became(header, body)
            return
        if ask is None or not ask.sent:
            self.counts["late_answers"] += 1
            return
        self.counts["answered"] += 1
        self._unacknowledged += ask.kept
        self._remove(ask)
        self._events.append(Answered(ask.tag, header, body, False))

    def _on_partial(self, header: wire.Header, body: bytes | None) -> None:
        """Of what nobody waits for any more it is passed over."""
        ask = self._by_id.get(header.id)
        if ask is not None and ask.sent:
            number = _number((header.extension or {}).get("seq"))
            self._events.append(Part(ask.tag, number, body))

    def _on_welcome(self, header: wire.Header, body: bytes | None) -> None:
        welcome = wire.map_of(body)
        heartbeat_ms, dead_ms = (_number(welcome.get(name)) for name in ("heartbeat_ms", "dead_ms"))
        sound = (
            not self.up
            and not self._greet
            and header.status == Status.OK
            and type(welcome.get("instance")) is str
            and type(welcome.get("generation")) is int
            and 0 < heartbeat_ms <= dead_ms < _U32
        )
        if not sound:
            self.counts["malformed"] += 1
            return
        self.up = True
        if welcome["generation"] != self.generation:
            self._end_what_left(kept_too=True)  # it knows nothing of them
        self.generation = welcome["generation"]
        self._heartbeat_us, self._dead_us = heartbeat_ms * 1000, dead_ms * 1000
        self._beat_at = self._heard_at + self._heartbeat_us
        self._granted, self._sent = header.credit, 0
        self._ask_what_became()
        self._events.append(Up(welcome))

    def _on_disconnect(self, header: wire.Header, body: bytes | None, now_at: int) -> None:
        """Sent away, but welcome again: greet. Anything else is for good."""
        if header.status == Status.NO_ROLE:
            self.lost("not known there any more", now_at)
            return
        reason = wire.map_of(body).get("reason")
        self.up, self.refused = False, True
        self._outgoing.clear()
        self._end_what_left(kept_too=True)
        status = STATUSES[header.status or Status.BAD_REQUEST]
        for ask in list(self._by_id.values()):
            self._end(ask, status, Executed.NO)
        self._events.append(Refused(status, reason if type(reason) is str else ""))


def _number(value: Any) -> int:
    """A number of a body from outside; 0: it is none."""
    return value if type(value) is int else 0
