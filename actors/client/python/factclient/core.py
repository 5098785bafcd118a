"""Calls of one client. Pure: bytes and time in, bytes and events out.

Every call that was submitted ends exactly once, within its deadline: with a reply, or with a status
made here. What may be tried again is, as `retry` says. Of several brokers, given or named by one of
them, one is used at a time; if it is lost, silent or draining, the next.
"""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgpack

from . import wire
from .errors import FAMILIES, FactError, InternalError
from .retry import Budget, wait_us
from .session import NEVER, Answered, Came, Down, Event, Part, Refused, Session, Up, map_of
from .status import STATUSES, Executed, Retry, Status
from .version import VERSION

EARLY_US = 50_000  # the broker's own word on a deadline says more than ours
TRY_NEXT_US = 1_000_000  # not greeted for so long: another endpoint
LEAVE_US = 1_000_000  # what runs at a broker that is going away has so long
ENDPOINTS_MAX = 16
CALLS_MAX = 4096


@dataclass(slots=True)
class Request:
    """What is asked: a header without id and deadline, a body in MessagePack."""

    header: wire.Header
    body: bytes
    timeout_us: int
    retries: bool

    @property
    def idempotent(self) -> bool:
        """Doing it twice does no harm; the broker's own answers never do."""
        return self.header.command != wire.REQUEST or bool(self.header.flags & wire.IDEMPOTENT)


@dataclass(slots=True)
class Outcome:
    """How a call ended.

    Attributes
    ----------
    status, executed
        Whether it was served; whether the work was done.
    flags, retry_after_ms, queue_us, service_us, instance
        As the reply says; milliseconds and microseconds.
    total_us : int
        From the call to its end, microseconds.
    attempts : int
        How often it was sent, or would have been.
    local : bool
        No reply came: the status was made here.
    body : bytes or None
        MessagePack, as it came.
    """

    status: Status
    executed: Executed
    body: bytes | None = None
    local: bool = False
    flags: int = 0
    retry_after_ms: int = 0
    queue_us: int = 0
    service_us: int = 0
    total_us: int = 0
    instance: str = ""
    attempts: int = 1
    idempotent: bool = False
    reason: str = ""  # for people, where no reply came

    def value(self) -> Any:
        """The decoded body of a call that was served.

        Raises
        ------
        FactError
            It was not served; or (INTERNAL, BAD_ANSWER) its answer cannot be read.
        """
        if self.status is not Status.OK:
            raise self.error()
        try:
            return wire.decode_body(self.body)
        except ValueError as error:
            raise InternalError(
                Status.INTERNAL, code="BAD_ANSWER", message=str(error), executed=Executed.YES,
                idempotent=self.idempotent, attempts=self.attempts,
            ) from None  # fmt: skip

    def error(self) -> FactError:
        """What it raises, by the family of its status."""
        failure = map_of(self.body) if self.status > Status.CANCELLED else {}
        texts = {
            name: value
            for name in ("code", "message", "field", "hint", "error_id")
            if type(value := failure.get(name)) is str
        }
        texts.setdefault("message", self.reason)
        details = failure.get("details")
        return FAMILIES[self.status](
            self.status, executed=self.executed, retry_after_ms=self.retry_after_ms,
            idempotent=self.idempotent, local=self.local, attempts=self.attempts,
            details=details if isinstance(details, dict) else None, **texts,
        )  # fmt: skip


@dataclass(slots=True)
class Ended:
    """A call has ended."""

    call: int
    outcome: Outcome


@dataclass(slots=True)
class Told:
    """A part of an answer has come, before it."""

    call: int
    number: int
    value: Any


@dataclass(slots=True)
class Connect:
    """The transport is to leave where it is, and connect there."""

    endpoint: str


@dataclass(slots=True)
class Call:
    """A call without an end, through all its attempts."""

    request: Request
    submitted_at: int
    deadline_at: int
    attempts: int = 1


@dataclass(slots=True)
class Peer:
    """Who is at the other end.

    Attributes
    ----------
    endpoint : str
        In use now.
    state : str
        connecting, up, or refused: the broker will not have us.
    instance : str
        Of the broker greeted last.
    generation : int
        Of its process: another one is a restart.
    connections : int
        Greetings so far.
    reason : str
        For people: why refused or lost, or its last complaint.
    """

    endpoint: str
    state: str = "connecting"
    instance: str = ""
    generation: int = 0
    connections: int = 0
    reason: str = ""


@dataclass(slots=True)
class Config:
    """What a client is made with; see `Client`."""

    endpoints: list[str]
    instance: str = ""
    tenant: str | None = None
    user: str | None = None
    calls_max: int = CALLS_MAX
    retries: bool = True
    seed: int | None = None
    session_id: bytes = field(default_factory=lambda: os.urandom(16))

    @classmethod
    def of(cls, endpoints: str, **given: Any) -> Config:
        """Check what a caller gave; endpoints with commas.

        Raises
        ------
        ValueError
        """
        config = cls([text.strip() for text in endpoints.split(",")], **given)
        config.instance = config.instance or f"python-{os.getpid()}"
        names = (config.instance, config.tenant or "", config.user or "")
        if not all(config.endpoints) or len(config.endpoints) > ENDPOINTS_MAX:
            raise ValueError(f"endpoints: 1 to {ENDPOINTS_MAX}, with commas between them")
        if any(len(name.encode()) > wire.NAME_BYTES_MAX for name in names):
            raise ValueError(f"a name has more than {wire.NAME_BYTES_MAX} bytes")
        if not 1 <= config.calls_max <= CALLS_MAX:
            raise ValueError(f"calls_max: 1 to {CALLS_MAX}")
        return config


class Core:
    """See the module. Points in time are monotonic microseconds."""

    def __init__(self, config: Config, now_at: int) -> None:
        self.config = config
        self.session = Session(
            role=wire.CLIENT, id=config.session_id, instance=config.instance, version=VERSION,
            pid=os.getpid(), now_at=now_at, asks_max=config.calls_max, early_us=EARLY_US,
        )  # fmt: skip
        self.peer = Peer(config.endpoints[0])
        self.retried = 0
        self._refused: Status | None = None
        self._endpoint = 0
        self._own_names: set[str] = set()  # what the brokers that were greeted call themselves
        self._tried_at = now_at  # when this endpoint was last seen alive, or taken up
        self._leave_at: int | None = None
        self._calls: dict[int, Call] = {}
        self._next = 1
        self._again: list[
            tuple[int, int]
        ] = []  # heap of (time, call) that wait for another attempt
        self._budget = Budget(now_at)
        self._chance = Random(config.seed)
        self._events: list[Ended | Told | Connect] = []

    # What it tells

    def events(self) -> list[Ended | Told | Connect]:
        """What has happened since this was called last, in order."""
        events, self._events = self._events, []
        return events

    @property
    def calls(self) -> int:
        """Calls without an end."""
        return len(self._calls)

    def due_at(self) -> int:
        """When `tick` wants to be called."""
        due_at = self.session.due_at()
        if self._again:
            due_at = min(due_at, self._again[0][0])
        if len(self.config.endpoints) > 1 and not self.session.up and not self.session.refused:
            due_at = min(due_at, self._tried_at + TRY_NEXT_US)
        return due_at if self._leave_at is None else min(due_at, self._leave_at)

    def outgoing(self, now_at: int) -> bytes | None:
        """The next message to send; the same until `sent`. None: there is none."""
        return self.session.outgoing(now_at)

    def sent(self) -> None:
        """It has left."""
        self.session.sent()

    # What is done

    def submit(self, request: Request, now_at: int) -> int:
        """Begin a call. `Ended` will come, whatever happens.

        Returns
        -------
        int
            Its number.
        """
        number, self._next = self._next, self._next + 1
        call = Call(request, now_at, now_at + request.timeout_us)
        header = request.header
        header.tenant = header.tenant or self.config.tenant
        if self.config.user and header.extension is None:
            header.extension = {"user": self.config.user}
        self._budget.earn()
        full = len(self._calls) >= self.config.calls_max
        self._calls[number] = call
        if full:
            self._end(
                number, Status.BUSY_FULL, Executed.NO, now_at, "calls_max calls are without an end"
            )
        else:
            self._ask(number, now_at)
        return number

    def cancel(self, number: int, now_at: int) -> bool:
        """Withdraw a call: it ends with CANCELLED. False: it has ended, or never was."""
        if number not in self._calls:
            return False
        self.session.cancel(number)
        self._end(number, Status.CANCELLED, Executed.MAYBE, now_at)
        return True

    def take(self, message: bytes, now_at: int) -> None:
        """Take one message in."""
        self.session.take(message, now_at)
        self._look(now_at)

    def lost(self, now_at: int) -> None:
        """The transport says that the connection is gone."""
        self.session.lost("the connection was closed", now_at)
        self._look(now_at)

    def tick(self, now_at: int) -> None:
        """Do what is due."""
        while self._again and self._again[0][0] <= now_at:
            number = heapq.heappop(self._again)[1]
            if number in self._calls:
                self._ask(number, now_at)
        self.session.tick(now_at)
        self._look(now_at)
        self._choose_endpoint(now_at)

    def close(self, now_at: int) -> None:
        """Say goodbye, and end every call; only `outgoing` is of use after that."""
        for number in list(self._calls):
            self.session.cancel(number)
            self._end(number, Status.CANCELLED, Executed.MAYBE, now_at, "the client was closed")
        self.session.say(
            self.session.connection, wire.Header(wire.DISCONNECT, status=Status.CANCELLED)
        )

    # Its own

    def _ask(self, number: int, now_at: int) -> None:
        if self._refused is not None:
            self._end(number, self._refused, Executed.NO, now_at, self.peer.reason)
            return
        call = self._calls[number]
        request = call.request
        request.header.attempt = call.attempts - 1
        status = self.session.ask(request.header, request.body, call.deadline_at, number, now_at)
        if status is not Status.OK:
            self._end(number, status, Executed.NO, now_at)

    def _end(
        self, number: int, status: Status, executed: Executed, now_at: int, reason: str = ""
    ) -> None:
        """An end that is made here."""
        call = self._calls.pop(number)
        self._events.append(Ended(number, Outcome(
            status, executed, local=True, total_us=now_at - call.submitted_at, attempts=call.attempts,
            idempotent=call.request.idempotent, reason=reason,
        )))  # fmt: skip

    def _look(self, now_at: int) -> None:
        for event in self.session.events():
            self._on(event, now_at)

    def _on(self, event: Event, now_at: int) -> None:
        if isinstance(event, Answered):
            self._on_answered(event, now_at)
        elif isinstance(event, Part):
            self._on_part(event)
        elif isinstance(event, Up):
            self._learn(event.welcome.get("brokers"), names_itself=True)
            self.peer = Peer(
                self.peer.endpoint, "up", event.welcome["instance"], self.session.generation,
                self.peer.connections + 1,
            )  # fmt: skip
        elif isinstance(event, Down):
            self.peer.state, self.peer.reason = "connecting", event.reason
            self._tried_at = now_at - TRY_NEXT_US  # look for another at once
        elif isinstance(event, Refused):
            self.peer.state, self.peer.reason = "refused", event.reason or event.status.text
            self._refused = event.status
            self._end_all_refused(now_at)
        elif isinstance(event, Came):
            self._on_pair(event, now_at)

    def _end_all_refused(self, now_at: int) -> None:
        assert self._refused is not None
        for number in list(self._calls):  # those that wait for another attempt
            self._end(number, self._refused, Executed.NO, now_at, self.peer.reason)

    def _on_pair(self, event: Came, now_at: int) -> None:
        """It belongs to no call; but a broker may say that it goes, or why it does not answer."""
        if event.header.command == wire.GOAWAY:
            self._learn(map_of(event.body).get("brokers"), names_itself=False)
            self._leave(now_at)
        elif event.header.command == wire.ERROR:
            message = map_of(event.body).get("message")
            self.peer.reason = message if type(message) is str else ""

    def _on_part(self, event: Part) -> None:
        """One that was not asked for, or that cannot be read, is passed over: the answer is whole without."""
        if not self._calls[event.tag].request.header.flags & wire.STREAM:
            return
        try:
            value = wire.decode_body(event.body)
        except ValueError:
            self.session.counts["malformed"] += 1
            return
        self._events.append(Told(event.tag, event.number, value))

    def _on_answered(self, event: Answered, now_at: int) -> None:
        call = self._calls[event.tag]
        header = event.header
        status, executed = STATUSES[header.status], Executed(header.executed)
        if status is not Status.OK and self._tries_again(event, call, status, executed, now_at):
            return
        del self._calls[event.tag]
        self._events.append(Ended(event.tag, Outcome(
            status, executed, event.body, event.local, header.flags, header.retry_after_ms,
            header.queue_us, header.service_us, now_at - call.submitted_at, header.instance or "",
            call.attempts, call.request.idempotent, self.peer.reason if event.local else "",
        )))  # fmt: skip

    def _tries_again(
        self, event: Answered, call: Call, status: Status, executed: Executed, now_at: int
    ) -> bool:
        if not (self.config.retries and call.request.retries) or self.session.refused:
            return False
        wait = wait_us(
            status,
            executed,
            event.header.retry_after_ms,
            call.request.idempotent,
            call.attempts,
            self._chance,
        )
        if wait is None or now_at + wait + 1000 > call.deadline_at:
            return False
        if status.retry is Retry.ELSEWHERE:
            if len(self.config.endpoints) == 1:
                return False
            self._leave(now_at)
        # What the loss or the end of a broker makes us send again is no sign of overload.
        free = event.local or status.retry is Retry.ELSEWHERE
        if not free and not self._budget.spend(now_at):
            return False
        self.retried += 1
        call.attempts += 1
        heapq.heappush(self._again, (now_at + wait, event.tag))
        return True

    def _learn(self, brokers: Any, names_itself: bool) -> None:
        """Brokers that one has named, itself first or not at all."""
        for number, address in enumerate(brokers if type(brokers) is list else []):
            endpoint = address.get("frontend") if type(address) is dict else None
            if type(endpoint) is not str or not endpoint:
                continue
            if names_itself and number == 0:
                self._own_names.add(endpoint)
            elif (
                endpoint not in self.config.endpoints
                and endpoint not in self._own_names
                and len(self.config.endpoints) < ENDPOINTS_MAX
            ):
                self.config.endpoints.append(endpoint)

    def forget(self, endpoint: str) -> str:
        """What a broker has named is no endpoint.

        Returns
        -------
        str
            Where to connect instead: the first that was given.
        """
        self.config.endpoints.remove(endpoint)
        self._endpoint = 0
        self.peer.endpoint = self.config.endpoints[0]
        return self.peer.endpoint

    def _leave(self, now_at: int) -> None:
        """The broker is going away: nothing more leaves for it, what runs there may end."""
        if len(self.config.endpoints) > 1 and self._leave_at is None and self.session.up:
            self._leave_at = now_at + LEAVE_US
            self.session.held = True

    def _choose_endpoint(self, now_at: int) -> None:
        session = self.session
        if session.up:
            self._tried_at = now_at
        else:
            self._leave_at = None
        if len(self.config.endpoints) == 1 or session.refused:
            return
        leaves = self._leave_at is not None and (now_at >= self._leave_at or session.under_way == 0)
        if not leaves and (session.up or now_at < self._tried_at + TRY_NEXT_US):
            return
        self._tried_at, self._leave_at = now_at, None
        self._endpoint = (self._endpoint + 1) % len(self.config.endpoints)
        session.lost("another broker is tried", now_at)
        self._look(now_at)
        self._tried_at = now_at
        self.peer.endpoint, self.peer.state = self.config.endpoints[self._endpoint], "connecting"
        self._events.append(Connect(self.peer.endpoint))


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


def due_ms(due_at: int, now_at: int) -> int:
    """For poll(): how long to wait, rounded up, milliseconds; -1: for ever."""
    return -1 if due_at == NEVER else max(0, -((now_at - due_at) // 1000))
