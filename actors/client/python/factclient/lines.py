"""The brokers that a client holds: two, so that the second is there when the first is lost. Pure.

A line is one of them: a route, and the session that speaks over it; the owner moves its bytes. Who is
not greeted in a second, while others are known that are not held, makes room for one of them. The same
rules as ``actors/client/fact_lines.c``; see docs/decisions/0121.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgpack

from . import wire
from .events import Refused, Up
from .routes import BROKERS_MAX, LONG_AGO, Route, Routes, is_endpoint
from .session import COUNTS, NEVER, Session
from .status import Status
from .version import VERSION

LINES_MAX = 2
EARLY_US = 50_000  # the broker's own word on a deadline says more than ours
TRY_NEXT_US = 1_000_000  # not greeted for so long: another broker
LEAVES_US_MIN = 1_000_000  # who says that it goes is not used for so long at least
CALLS_MAX = 4096


@dataclass(slots=True)
class Config:
    """What a client is made with; see `Client`."""

    endpoints: list[str]
    instance: str = ""
    tenant: str | None = None
    user: str | None = None
    calls_max: int = CALLS_MAX
    retries: bool = True
    given_only: bool = False
    seed: int | None = None

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
        if not all(config.endpoints) or len(config.endpoints) > BROKERS_MAX:
            raise ValueError(f"endpoints: 1 to {BROKERS_MAX}, with commas between them")
        for endpoint in config.endpoints:
            if not is_endpoint(endpoint):
                raise ValueError(f"{endpoint!r} is no endpoint: give tcp://HOST:PORT")
        if any(len(name.encode()) > wire.NAME_BYTES_MAX for name in names):
            raise ValueError(f"a name has more than {wire.NAME_BYTES_MAX} bytes")
        if not 1 <= config.calls_max <= CALLS_MAX:
            raise ValueError(f"calls_max: 1 to {CALLS_MAX}")
        return config


@dataclass(slots=True)
class Connect:
    """The transport of this line is to leave where it is, if it is anywhere, and connect there."""

    line: int
    endpoint: str


@dataclass(slots=True)
class Leave:
    """The transport of this line is to say this, and to end."""

    line: int
    farewell: list[bytes] = field(default_factory=list)


class Line:
    """One broker that is held."""

    __slots__ = ("number", "route", "session", "alive_at", "closing", "resume_at")

    def __init__(self, number: int, route: Route, session: Session, now_at: int) -> None:
        self.number, self.route, self.session = number, route, session
        self.alive_at = now_at  # when it was last up, or taken up; LONG_AGO: look for another at once
        self.closing = False  # it is to be closed when nobody stands in it
        self.resume_at = LONG_AGO  # when it was told last that another line was lost

    def standing(self, now_at: int) -> int:
        """One that is there and stays is best; one that is to come is better than one that goes."""
        return 2 * (self.route.leaves_until_at <= now_at) + self.session.up

    def precedes(self, other: Line, importance: int, now_at: int) -> bool:
        """Whether a call goes rather to this line than to the other."""
        ours = (self.standing(now_at), not self.session.is_suspect(now_at), self.session.has_credit)
        theirs = (
            other.standing(now_at),
            not other.session.is_suspect(now_at),
            other.session.has_credit,
        )
        return ours > theirs or ours == theirs and self.route.precedes(other.route, importance, now_at)

    def leave_route(self, now_at: int) -> None:
        """Another is to be tried."""
        self.route.held, self.route.tried_at = False, now_at

    def say_resume(self, now_at: int) -> None:
        """What is asked next was at a broker that is lost: no sign of overload. Once a turn; who greets
        anew says so by that."""
        if self.session.up and self.resume_at != now_at:
            self.resume_at = now_at
            header = wire.Header(wire.HEARTBEAT, role=wire.CLIENT)
            self.session.say(self.session.connection, header, msgpack.packb({"resume": True}))

    def say_goodbye(self) -> None:
        """So that the broker need not wait for our silence."""
        header = wire.Header(wire.DISCONNECT, status=Status.CANCELLED)
        self.session.say(self.session.connection, header)


class Lines:
    """See the module.

    Attributes
    ----------
    changes : list of Connect and Leave
        What is to happen to transports; the owner takes them out.
    connections : int
        Greetings so far.
    refused : Status or None
        Why a broker wants none of us, which one said last.
    reason : str
        For people: why refused or lost, or a broker's last complaint.
    """

    def __init__(self, config: Config, chance: Random, now_at: int) -> None:
        self.config = config
        self.counts = dict.fromkeys(COUNTS, 0)
        self.routes = Routes(config.endpoints, chance.getrandbits(64))
        self.changes: list[Connect | Leave] = []
        self.connections, self.reason = 0, ""
        self.refused: Status | None = None
        self._lines: dict[int, Line] = {}
        route = self.routes.next()
        assert route is not None  # Config.of() has checked them
        self._open(0, route, now_at)

    # What it tells

    def all(self) -> list[Line]:
        """Those that are in use."""
        return list(self._lines.values())

    def get(self, number: int) -> Line | None:
        """The line of this number, if it is in use."""
        return self._lines.get(number)

    def other(self, line: Line) -> Line | None:
        """The other one, if it is in use."""
        return self._lines.get(1 - line.number)

    def best(self, importance: int, now_at: int) -> Line | None:
        """The line that a call goes to. None: none of use is left."""
        best = None
        for line in self._lines.values():
            if line.session.refused or line.closing:
                continue
            if best is None or line.precedes(best, importance, now_at):
                best = line
        return best

    @property
    def state(self) -> str:
        """up: one of them is; connecting; refused: all of them are."""
        lines = self._lines.values()
        if any(line.session.up for line in lines):
            return "up"
        return "refused" if all(line.session.refused for line in lines) else "connecting"

    def due_at(self) -> int:
        """When `tick` wants to be called."""
        due_at = min(line.session.due_at() for line in self._lines.values())
        if self.routes.next() is None:
            return due_at
        for line in self._lines.values():
            if not line.session.up and line.alive_at != LONG_AGO:
                due_at = min(due_at, line.alive_at + TRY_NEXT_US)
        return due_at

    # What happens

    def on_up(self, line: Line, event: Up) -> Line | None:
        """Greeted. Returns a line whose waiting calls are better off elsewhere."""
        route, other = line.route, self.other(line)
        generation = event.welcome["generation"]
        if route.generation != generation:
            route.leaves_until_at = LONG_AGO  # it has gone, and another has come
        route.instance, route.generation = event.welcome["instance"], generation
        self.learn(line, event.welcome.get("brokers"), names_itself=True)
        self.reason = ""
        self.connections += 1
        if other is not None and other.session.up and other.session.generation == generation:
            route.same = line.closing = True
            return None
        return other if other is not None and not other.session.up else None

    def on_down(self, line: Line, reason: str) -> Line | None:
        """Lost. Returns a line whose waiting calls are better off elsewhere."""
        self.reason = reason
        line.alive_at = LONG_AGO
        other = self.other(line)
        return line if other is not None and other.session.up else None

    def on_refused(self, line: Line, event: Refused) -> None:
        """It wants none of us, for good."""
        self.refused, self.reason = event.status, event.reason or event.status.text
        line.route.refused = True

    def on_goaway(self, line: Line, brokers: Any, leaves_ms: int, now_at: int) -> None:
        """It is going away: nothing more is asked there, what runs may end."""
        self.learn(line, brokers, names_itself=False)
        line.route.leaves_until_at = now_at + max(leaves_ms * 1000, LEAVES_US_MIN)

    def learn(self, line: Line, brokers: Any, names_itself: bool) -> None:
        """Brokers that one has named, itself first or not at all."""
        for number, address in enumerate(brokers if type(brokers) is list else []):
            endpoint: Any = address.get("frontend") if type(address) is dict else None
            if names_itself and number == 0:
                line.route.name = endpoint if is_endpoint(endpoint) else ""
            elif not self.config.given_only:
                self.routes.add(endpoint)

    def no_endpoint(self, number: int) -> None:
        """The transport of this line cannot connect where it was told to: what was named is none."""
        line = self._lines[number]
        line.route.refused, line.alive_at = True, LONG_AGO
        self.reason = f"{line.route.endpoint} is no endpoint"

    def tick(self, now_at: int) -> None:
        """Do what is due: of sessions, and move lines that do no good where they are."""
        for line in self.all():
            self._tick_line(line, now_at)
        route = self.routes.next()
        if route is not None and self.config.retries:
            for number in range(LINES_MAX):
                if route is not None and number not in self._lines:
                    self._open(number, route, now_at)
                    route = self.routes.next()

    # Its own

    def _open(self, number: int, route: Route, now_at: int) -> None:
        route.held = True
        self._lines[number] = Line(number, route, self._session(now_at), now_at)
        self.changes.append(Connect(number, route.endpoint))

    def _session(self, now_at: int) -> Session:
        return Session(
            role=wire.CLIENT, id=os.urandom(16), instance=self.config.instance, version=VERSION,
            pid=os.getpid(), now_at=now_at, asks_max=self.config.calls_max, early_us=EARLY_US,
            counts=self.counts,
        )  # fmt: skip

    def _tick_line(self, line: Line, now_at: int) -> None:
        session, other = line.session, self.other(line)
        session.tick(now_at)
        if session.up:
            line.alive_at = now_at
        leaves = line.route.leaves_until_at > now_at and session.asks == 0
        late = not session.up and now_at - line.alive_at >= TRY_NEXT_US
        if other is not None and (line.closing or session.refused) and session.asks == 0:
            self._close(line, now_at)
        elif session.refused or late or other is not None and leaves:
            route = self.routes.next()
            if route is not None:
                self._move(line, route, now_at)

    def _close(self, line: Line, now_at: int) -> None:
        line.say_goodbye()
        leave = Leave(line.number)
        while (message := line.session.outgoing(now_at)) is not None and line.session.up:
            leave.farewell.append(message)
            line.session.sent()
        line.leave_route(now_at)
        del self._lines[line.number]
        self.changes.append(leave)

    def _move(self, line: Line, route: Route, now_at: int) -> None:
        """To another broker. What waits goes along."""
        line.leave_route(now_at)
        line.route, line.alive_at = route, now_at
        route.held = True
        if line.session.refused:
            line.session = self._session(now_at)
        else:
            line.session.lost("another broker is tried", now_at)
        self.changes.append(Connect(line.number, route.endpoint))


def due_ms(due_at: int, now_at: int) -> int:
    """For poll(): how long to wait, rounded up, milliseconds; -1: for ever."""
    return -1 if due_at == NEVER else max(0, -((now_at - due_at) // 1000))
