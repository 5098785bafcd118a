"""Calls of one client. Pure: bytes and time in, bytes and events out.

Every call that was submitted ends exactly once, within its deadline: with a reply, or with a status
made here. Three things end an attempt without ending the call. A refusal that is worth it is tried
again after a pause, within the budget. A broker that goes away has executed nothing: another is asked
at once. With a broker that is lost, what it had may have been executed: what may be done twice is sent
to another at once, the rest waits for it to come back (KEEP), or ends with WORKER_LOST. The latter two
cost no budget: they are no sign of overload. source: docs/decisions/0121
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random
from typing import Any

import msgpack

from . import wire
from .calls import Ended, Outcome, Request, Told
from .events import Answered, Came, Down, Event, Part, Refused, Up
from .lines import Config, Connect, Leave, Line, Lines
from .retry import TRIES_MAX, Budget, wait_us
from .session import Session
from .status import STATUSES, Executed, Retry, Status
from .throttle import Throttle

CALLS_BYTES_MAX = 64 * 1024 * 1024  # of what calls without an end ask
STAYS_US = 100_000  # where all brokers go away: look again for one that stays
HELD_BACK = "held back: most of what was asked within two minutes was refused for overload"


@dataclass(slots=True)
class Call:
    """A call without an end, through all its attempts."""

    request: Request
    submitted_at: int
    deadline_at: int
    attempts: int = 1
    line: Line | None = None  # at which it is asked; None: it waits for another attempt
    begun: bool = False  # an attempt of it that has ended may have been executed

    def how_far(self, executed: Executed) -> Executed:
        """Of what may have been executed once nobody is told that it was not."""
        return Executed.MAYBE if self.begun and executed is Executed.NO else executed


@dataclass(slots=True)
class Peer:
    """Who is at the other end.

    Attributes
    ----------
    endpoint : str
        Where the next call goes.
    state : str
        connecting, up: greeted, by one broker at least; or refused: none will have us.
    instance : str
        Of the broker there; empty: not greeted yet.
    generation : int
        Of its process: another one is a restart.
    connections : int
        Greetings so far, by all brokers.
    reason : str
        For people: why refused or lost, or a broker's last complaint.
    """

    endpoint: str
    state: str = "connecting"
    instance: str = ""
    generation: int = 0
    connections: int = 0
    reason: str = ""


@dataclass(slots=True)
class Broker:
    """One broker that is known, given or named by another.

    Attributes
    ----------
    endpoint, instance : str
        instance: empty: not greeted yet.
    held, up, refused : bool
        There is, or is to be, a connection; it has greeted us, and is there; it will not have us.
    """

    endpoint: str
    instance: str
    held: bool
    up: bool
    refused: bool


class Core:
    """See the module. Points in time are monotonic microseconds."""

    def __init__(self, config: Config, now_at: int) -> None:
        self.config, self._now_at = config, now_at
        self.retried = self.resent = self.held_back = 0
        self._chance = Random(config.seed)
        self.lines = Lines(config, self._chance, now_at)
        self._calls: dict[int, Call] = {}
        self._next, self._bytes = 1, 0
        self._again: list[
            tuple[int, int]
        ] = []  # heap of (time, call) that wait for another attempt
        self._budget, self._throttle = Budget(now_at), Throttle()
        self._events: list[Ended | Told] = []

    # What it tells

    def events(self) -> list[Ended | Told]:
        """What has happened since this was called last, in order."""
        events, self._events = self._events, []
        return events

    def changes(self) -> list[Connect | Leave]:
        """What is to happen to transports, in order."""
        changes, self.lines.changes = self.lines.changes, []
        return changes

    @property
    def calls(self) -> int:
        """Calls without an end."""
        return len(self._calls)

    @property
    def counts(self) -> dict[str, int]:
        """Since its start."""
        own = {"retried": self.retried, "resent": self.resent, "held_back": self.held_back}
        return dict(self.lines.counts, **own)

    @property
    def peer(self) -> Peer:
        """Who is at the other end: a copy."""
        lines = self.lines
        line = lines.best(1, self._now_at) or lines.all()[0]
        return Peer(
            line.route.endpoint, lines.state, line.route.instance, line.session.generation,
            lines.connections, lines.reason,
        )  # fmt: skip

    @property
    def brokers(self) -> list[Broker]:
        """All brokers that are known."""
        up = {line.route.endpoint for line in self.lines.all() if line.session.up}
        return [
            Broker(route.endpoint, route.instance, route.held, route.endpoint in up, route.refused)
            for route in self.lines.routes.all
        ]

    def due_at(self) -> int:
        """When `tick` wants to be called."""
        due_at = self.lines.due_at()
        return min(due_at, self._again[0][0]) if self._again else due_at

    def outgoing(self, now_at: int, line: int = 0) -> bytes | None:
        """The next message to send there; the same until `sent`. None: there is none."""
        found = self.lines.get(line)
        return None if found is None else found.session.outgoing(now_at)

    def sent(self, line: int = 0) -> None:
        """It has left."""
        self._session(line).sent()

    # What is done

    def submit(self, request: Request, now_at: int) -> int:
        """Begin a call. `Ended` will come, whatever happens.

        Returns
        -------
        int
            Its number.
        """
        self._now_at = now_at
        number, self._next = self._next, self._next + 1
        call = Call(request, now_at, now_at + request.timeout_us)
        header = request.header
        header.tenant = header.tenant or self.config.tenant
        if self.config.user and header.extension is None:
            header.extension = {"user": self.config.user}
        full = len(self._calls) >= self.config.calls_max
        self._calls[number] = call
        self._bytes += len(request.body)
        if full or self._bytes > CALLS_BYTES_MAX:
            self._end(number, Status.BUSY_FULL, Executed.NO, "too many calls are without an end")
        elif self._holds_back(header):
            self.held_back += 1
            self._end(number, Status.BUSY_SHED, Executed.NO, HELD_BACK)
        else:
            self._ask_or_end(number)
        return number

    def cancel(self, number: int, now_at: int) -> bool:
        """Withdraw a call: it ends with CANCELLED. False: it has ended, or never was."""
        self._now_at = now_at
        call = self._calls.get(number)
        if call is None:
            return False
        if call.line is not None:
            call.line.session.cancel(number)
        self._end(number, Status.CANCELLED, Executed.MAYBE)
        return True

    def take(self, message: bytes, now_at: int, line: int = 0) -> None:
        """Take one message in."""
        self._session(line).take(message, now_at)
        self._look(now_at)

    def lost(self, now_at: int, line: int = 0) -> None:
        """The transport says that the connection is gone."""
        self._session(line).lost("the connection was closed", now_at)
        self._look(now_at)

    def tick(self, now_at: int) -> None:
        """Do what is due."""
        self._now_at = now_at
        while self._again and self._again[0][0] <= now_at:
            number = heapq.heappop(self._again)[1]
            if number in self._calls:
                self._ask_or_end(number)
        self.lines.tick(now_at)
        self._look(now_at)

    def close(self, now_at: int) -> None:
        """Say goodbye, and end every call; only `outgoing` is of use after that. What is DETACHED goes
        on at the broker."""
        self._now_at = now_at
        for number, call in list(self._calls.items()):
            if call.line is not None and not call.request.header.flags & wire.DETACHED:
                call.line.session.cancel(number)
            self._end(number, Status.CANCELLED, Executed.MAYBE, "the client was closed")
        for line in self.lines.all():
            line.say_goodbye()

    # Its own

    def _session(self, line: int) -> Session:
        found = self.lines.get(line)
        assert found is not None  # the owner has a transport for it
        return found.session

    def _holds_back(self, header: wire.Header) -> bool:
        if header.command != wire.REQUEST:
            return False
        self._budget.earn()
        if not self.config.retries or header.importance == 0:
            return False
        return self._throttle.holds(self._now_at, self._chance.random())

    def _ask(self, number: int) -> Status:
        """For the first time or again; OK, or why it cannot be."""
        call = self._calls[number]
        header = call.request.header
        line = self.lines.best(header.importance, self._now_at)
        if line is None:
            return self.lines.refused or Status.NO_WORKER
        header.attempt, call.line = call.attempts - 1, line
        return line.session.ask(header, call.request.body, call.deadline_at, number, self._now_at)

    def _ask_or_end(self, number: int) -> None:
        status = self._ask(number)
        if status is not Status.OK:
            reason = self.lines.reason if status is self.lines.refused else ""
            self._end(number, status, Executed.NO, reason)

    def _ask_again(self, number: int) -> bool:
        """Elsewhere, or here once it is back, with the next attempt, up to the last. False: it cannot be."""
        call = self._calls[number]
        before = call.attempts
        call.attempts = min(before + 1, TRIES_MAX)
        if self._ask(number) is Status.OK:
            return True
        call.attempts = before
        return False

    def _take_out(self, number: int) -> Call:
        call = self._calls.pop(number)
        self._bytes -= len(call.request.body)
        return call

    def _end(self, number: int, status: Status, executed: Executed, reason: str = "") -> None:
        """An end that is made here."""
        call = self._take_out(number)
        self._events.append(Ended(number, Outcome(
            status, call.how_far(executed), local=True, total_us=self._now_at - call.submitted_at,
            attempts=call.attempts, idempotent=call.request.idempotent, reason=reason,
        )))  # fmt: skip

    def _look(self, now_at: int) -> None:
        self._now_at = now_at
        for line in self.lines.all():
            for event in line.session.events():
                self._on(line, event)

    def _on(self, line: Line, event: Event) -> None:
        if isinstance(event, Answered):
            self._on_answered(line, event)
        elif isinstance(event, Part):
            self._on_part(event)
        elif isinstance(event, Up):
            self._move_waiting(self.lines.on_up(line, event))
        elif isinstance(event, Down):
            self._move_waiting(self.lines.on_down(line, event.reason))
        elif isinstance(event, Refused):
            self.lines.on_refused(line, event)
            self._end_what_waits_in_vain()
        elif isinstance(event, Came):
            self._on_pair(line, event)

    def _move_waiting(self, line: Line | None) -> None:
        """What waits there goes to another that is up. What has left stays: it is resumed, or ends."""
        if line is None or line.session.asks == 0:
            return
        for number, call in list(self._calls.items()):
            if call.line is line and line.session.take_back(number):
                self._ask_or_end(number)

    def _end_what_waits_in_vain(self) -> None:
        """Nobody is left for those that wait for another attempt."""
        if self.lines.best(1, self._now_at) is None and self.lines.routes.next() is None:
            for number in list(self._calls):
                status = self.lines.refused or Status.NO_WORKER
                self._end(number, status, Executed.NO, self.lines.reason)

    def _on_pair(self, line: Line, event: Came) -> None:
        """It belongs to no call; but a broker may say that it goes, or why it does not answer."""
        header, body = event.header, wire.map_of(event.body)
        if header.command == wire.GOAWAY:
            self.lines.on_goaway(line, body.get("brokers"), header.retry_after_ms, self._now_at)
        elif header.command == wire.ERROR and type(body.get("message")) is str:
            self.lines.reason = body["message"]

    def _on_part(self, event: Part) -> None:
        """One that was not asked for, or that cannot be read, is passed over: the answer is whole without."""
        call = self._calls.get(event.tag)
        if call is None or not call.request.header.flags & wire.STREAM:
            return
        try:
            value = wire.decode_body(event.body)
        except ValueError:
            self.lines.counts["malformed"] += 1
            return
        self._events.append(Told(event.tag, event.number, value))

    def _on_answered(self, line: Line, event: Answered) -> None:
        call = self._calls.get(event.tag)
        if call is None:  # it has ended for another reason in the same turn
            return
        header = event.header
        status, executed = STATUSES[header.status], Executed(header.executed)
        if not event.local:
            line.route.learn(header, self._now_at)
            if call.request.header.command == wire.REQUEST:
                self._throttle.learn(header, self._now_at)
        keeps_on = self.config.retries and call.request.retries and status is not Status.OK
        if keeps_on and (
            self._outlives(line, event, call) if event.local else self._tries_again(event, call)
        ):
            call.begun |= executed is not Executed.NO
            self.retried += not event.local
            return
        self._take_out(event.tag)
        self._events.append(Ended(event.tag, Outcome(
            status, call.how_far(executed), event.body, event.local, header.flags, header.retry_after_ms,
            header.queue_us, header.service_us, self._now_at - call.submitted_at,
            header.instance or "", call.attempts, call.request.idempotent,
            self.lines.reason if event.local else "",
        )))  # fmt: skip

    def _outlives(self, line: Line, event: Answered, call: Call) -> bool:
        """No reply came: its line was lost, or wants none of us."""
        header = event.header
        if line.session.refused and header.executed == Executed.NO:
            return self.lines.routes.usable > 1 and self._ask(event.tag) is Status.OK
        if (
            header.status != Status.WORKER_LOST
            or not call.request.idempotent
            or call.attempts >= TRIES_MAX
        ):
            return False
        following = self.lines.best(call.request.header.importance, self._now_at)
        if following is not None:
            following.say_resume(self._now_at)
        if not self._ask_again(event.tag):
            return False
        self.resent += 1
        return True

    def _goes_elsewhere(self, number: int, call: Call) -> bool:
        """A broker that goes away has executed nothing. Another one is asked at once; while there is none
        that stays, one is waited for, which is no attempt."""
        if self.lines.routes.usable < 2:
            return False
        line = self.lines.best(call.request.header.importance, self._now_at)
        if line is not None and line.route.leaves_until_at <= self._now_at:
            return self._ask_again(number)
        if self._now_at + STAYS_US + 1000 > call.deadline_at:
            return False
        call.line = None
        heapq.heappush(self._again, (self._now_at + STAYS_US, number))
        return True

    def _tries_again(self, event: Answered, call: Call) -> bool:
        header, now_at = event.header, self._now_at
        status = STATUSES[header.status]
        if status.retry is Retry.ELSEWHERE:
            return self._goes_elsewhere(event.tag, call)
        wait = wait_us(
            status, Executed(header.executed), header.retry_after_ms, call.request.idempotent,
            call.attempts, self._chance,
        )  # fmt: skip
        if wait is None or now_at + wait + 1000 > call.deadline_at or not self._budget.spend(now_at):
            return False
        call.attempts, call.line = call.attempts + 1, None
        heapq.heappush(self._again, (now_at + wait, event.tag))
        return True


def pack(value: Any) -> bytes:
    """Encode arguments or a body.

    Raises
    ------
    TypeError, ValueError
        There is no MessagePack for it.
    """
    try:
        return bytes(msgpack.packb(value))
    except OverflowError as error:
        raise ValueError("an integer is beyond 64 bits") from error
