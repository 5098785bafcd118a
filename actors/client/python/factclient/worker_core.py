"""What a worker holds, on one connection. Pure: bytes and time in, bytes and tasks to run out.

It takes no more than its concurrency runs and waits; says STARTED before a task begins; answers each
request exactly once, also one that is late or cancelled, since the answer grants the next.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable

import msgpack

from . import schemas, wire
from .canonical import schema_hash
from .events import Came, Down, Refused, Up
from .session import NEVER, Session
from .status import Executed, Status
from .version import VERSION

METHODS_MAX = 256
CONCURRENCY_MAX = 1024
RESULT_BYTES_MAX = 196608
DEPENDENCIES_BYTES_MAX = 8192
TOUCHES_PER_LEASE = 3


@dataclass(slots=True)
class Tool:
    """A tool, as it is registered; see `Worker.tool`."""

    name: str
    function: Callable[..., Any]
    version: str
    parameters: dict[str, Any] | None
    result: dict[str, Any] | None
    description: str = ""
    timeout_ms: int = 30000
    scope: str = "tenant"
    cacheable: bool = False
    ttl_ms: int = 300000
    read_only: bool = False
    idempotent: bool = False
    schema: int = field(init=False)

    def __post_init__(self) -> None:
        if (
            not re.fullmatch(r"[A-Z][A-Za-z0-9]*_[A-Za-z0-9_-]+", self.name)
            or len(self.name) > wire.METHOD_BYTES_MAX
        ):
            raise ValueError(
                f"{self.name!r} is no Category_Action of at most {wire.METHOD_BYTES_MAX} bytes"
            )
        if (
            self.scope not in ("public", "tenant", "user")
            or not self.version
            or len(self.version) > 64
        ):
            raise ValueError("scope is public, tenant or user; version a text of at most 64 bytes")
        schemas.check(self.parameters, "parameters")
        schemas.check(self.result, "result")
        self.description = cut(self.description, 4096)
        self.schema = schema_hash(self.name, self.version, self.parameters, self.result)

    def definition(self) -> dict[str, Any]:
        """As an answer to QUERY tools has it."""
        names = """name version description parameters result schema timeout_ms scope cacheable ttl_ms
            read_only idempotent"""
        return {name: getattr(self, name) for name in names.split()}


@dataclass(eq=False)
class Task:
    """One run of a tool.

    Attributes
    ----------
    tool : Tool
    arguments : dict
        As the driver checked and completed them.
    attempt : int
        Workers that have had it before.
    tenant, user : str or None
        On whose behalf.
    cancelled : threading.Event
        Nobody waits for it any more: withdrawn, or too late. A long run looks at it now and then.
    deadline_at : int
        Monotonic microseconds.
    """

    tool: Tool
    arguments: dict[str, Any]
    attempt: int
    tenant: str | None
    user: str | None
    deadline_at: int
    id: int
    connection: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    withdrawn: bool = False
    running: bool = False
    began_at: int = 0
    moved: bool = False

    def progress(self) -> None:
        """Say that it gets on: a run that takes longer than its tool's timeout says so now and then,
        or the broker takes it for stuck and gives its request to another worker, or up."""
        self.moved = True


def cut(text: str, bytes_max: int) -> str:
    """The beginning of a text that has so many bytes at most."""
    return text.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")


def failure(code: str, message: str, field: str = "", hint: str = "", error_id: str = "") -> bytes:
    """The body of a reply that is none of OK's."""
    body = {"code": cut(code, 64), "message": cut(message, 512), "field": cut(field, 256)}
    body.update({"hint": cut(hint, 256), "error_id": cut(error_id, 32)})
    return bytes(
        msgpack.packb(
            {name: text for name, text in body.items() if text or name in ("code", "message")}
        )
    )


def tool_result(
    tool: Tool, data: Any, took_ms: float, as_of: int, deps: list[str], truncated: bool
) -> bytes:
    """The body of an OK reply.

    Raises
    ------
    TypeError, ValueError
        There is no MessagePack for it, or it is too large.
    """
    try:
        packed = msgpack.packb(data)
    except OverflowError as error:
        raise ValueError("an integer is beyond 64 bits") from error
    if len(packed) > RESULT_BYTES_MAX or len(msgpack.packb(deps)) > DEPENDENCIES_BYTES_MAX:
        raise ValueError(
            f"the result has more than {RESULT_BYTES_MAX} bytes, or too many dependencies"
        )
    result = {
        "tool": tool.name,
        "version": tool.version,
        "success": True,
        "execution_time_ms": took_ms,
    }
    result.update(
        {"as_of": as_of, "deps": deps, "truncated": truncated, "execution_method": "local"}
    )
    return bytes(msgpack.packb(dict(result, data=data)))


class WorkerCore:
    """See the module.

    Parameters
    ----------
    tools : list of Tool
    concurrency : int
        Tasks that run at once, 1 to 1024.
    instance : str
    session_id : bytes
        16, the same for the life of the process.
    now_at : int
        Monotonic microseconds, as everywhere.
    """

    def __init__(
        self, tools: list[Tool], concurrency: int, instance: str, session_id: bytes, now_at: int
    ) -> None:
        self.tools = {tool.name: tool for tool in tools}
        methods = [
            {"name": tool.name, "version": tool.version, "schema": tool.schema} for tool in tools
        ]
        ready = msgpack.packb({"methods": methods, "concurrency": concurrency, "weight": 100})
        self.session = Session(
            role=wire.TOOL_EXECUTOR, id=session_id, instance=instance, version=VERSION, pid=os.getpid(),
            now_at=now_at, ready=(ready, concurrency),
        )  # fmt: skip
        self.session.heartbeat = self._heartbeat
        self.concurrency = concurrency
        self.draining = False
        self.refused: Refused | None = None
        self._held: dict[tuple[int, int], Task] = {}  # by connection and id
        self._waiting: deque[Task] = deque()
        self._running = 0
        self._begun: list[Task] = []
        self._now_at = now_at
        self._lease_us, self._touch_at = 0, NEVER  # 0: the broker has named none

    # What it tells

    def begun(self) -> list[Task]:
        """Tasks whose STARTED is among what `outgoing` gives: to be run once it has left."""
        begun, self._begun = self._begun, []
        known = [task for task in begun if (task.connection, task.id) in self._held]
        self._running -= len(begun) - len(known)  # their connection was lost meanwhile
        return known

    @property
    def held(self) -> int:
        """Requests taken and not answered."""
        return len(self._held)

    @property
    def drained(self) -> bool:
        """It has been told to go, and nobody waits for it."""
        return self.draining and (not self._held or not self.session.up)

    def due_at(self) -> int:
        """When `tick` wants to be called."""
        deadlines = [
            task.deadline_at for task in self._held.values() if not task.cancelled.is_set()
        ]
        greets = self.session.up or not self.draining
        touch_at = self._touch_at if self._held else NEVER
        return min([self.session.due_at() if greets else NEVER, touch_at, *deadlines])

    def outgoing(self, now_at: int) -> bytes | None:
        """The next message to send; the same until `sent`. None: there is none."""
        if self.draining and not self.session.up:
            return None  # it greets no more
        return self.session.outgoing(now_at)

    def sent(self) -> None:
        """It has left."""
        self.session.sent()

    # What happens

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
        self.session.tick(now_at)
        self._look(now_at)
        if now_at >= self._touch_at:
            self._touch_all(now_at)
        for task in [task for task in self._held.values() if task.deadline_at <= now_at]:
            task.cancelled.set()
            if not task.running:
                self._answer(task, Status.DEADLINE_QUEUED, Executed.NO)
        self._begin()

    def finish(self, task: Task, status: Status, body: bytes | None, took_us: int) -> None:
        """A task has run.

        Parameters
        ----------
        task : Task
        status : Status
            OK or APP_ERROR.
        body : bytes
            A tool result, or a failure.
        took_us : int
            Microseconds.
        """
        self._running -= 1
        if task.withdrawn:
            status, body = Status.CANCELLED, None
        elif task.cancelled.is_set():
            status, body = Status.DEADLINE_RUNNING, None
        executed = Executed.YES if status in (Status.OK, Status.APP_ERROR) else Executed.MAYBE
        self._answer(task, status, executed, body, took_us)
        self._begin()

    def undrain(self) -> None:
        """Say that it stays after all."""
        if self.draining and self.session.ready is not None:
            self.draining = False
            header = wire.Header(wire.READY, role=wire.TOOL_EXECUTOR)
            self.session.say(self.session.connection, header, self.session.ready[0])

    def drain(self, now_at: int, seconds: float = 0.0) -> None:
        """Say that it takes no more."""
        if not self.draining:
            self.draining = True
            header = wire.Header(
                wire.DRAIN, deadline_ms=int(seconds * 1000), role=wire.TOOL_EXECUTOR
            )
            self.session.say(self.session.connection, header)

    def goodbye(self) -> None:
        """Say that it is gone."""
        body = msgpack.packb({"reason": "stopped" if self._held else "drained"})
        header = wire.Header(wire.DISCONNECT, status=Status.CANCELLED)
        self.session.say(self.session.connection, header, body)

    # Its own

    def _heartbeat(self) -> bytes:
        body = {"in_flight": len(self._held), "queued": len(self._held) - self._running}
        return bytes(msgpack.packb(body))

    def _touch_all(self, now_at: int) -> None:
        """Tell of what gets on: what waits for a thread, what has not had its tool's timeout yet, and
        what says so. For the rest the lease runs out."""
        period_us = self._lease_us // TOUCHES_PER_LEASE
        self._touch_at = now_at + period_us
        for task in self._held.values():
            left_us = task.began_at + task.tool.timeout_ms * 1000 - now_at
            if task.cancelled.is_set() or (task.running and left_us <= 0 and not task.moved):
                continue
            bounded = task.running and not task.moved
            asked_us = min(self._lease_us, left_us + period_us) if bounded else self._lease_us
            task.moved = False
            header = wire.Header(wire.TOUCH, id=task.id, deadline_ms=asked_us // 1000)
            self.session.say(task.connection, header)

    def _look(self, now_at: int) -> None:
        self._now_at = now_at
        for event in self.session.events():
            if isinstance(event, Came):
                self._on_pair(event, now_at)
            elif isinstance(event, Up):
                lease_ms = event.welcome.get("lease_ms")
                self._lease_us, self._touch_at = 0, NEVER
                if isinstance(lease_ms, int) and 0 < lease_ms < 2**32:
                    self._lease_us = lease_ms * 1000
                    self._touch_at = now_at + self._lease_us // TOUCHES_PER_LEASE
            elif isinstance(event, (Down, Refused)):
                self.refused = event if isinstance(event, Refused) else None
                self._forget()
        self._begin()

    def _forget(self) -> None:
        """Nobody waits for what came over a connection that is gone."""
        for task in self._held.values():
            task.withdrawn = True
            task.cancelled.set()
        self._held.clear()
        self._waiting.clear()

    def _on_pair(self, event: Came, now_at: int) -> None:
        header = event.header
        if header.command == wire.REQUEST:
            self._on_request(event, now_at)
        elif header.command == wire.CANCEL:
            task = self._held.get((event.connection, header.id))
            if task is not None:
                task.withdrawn = True
                task.cancelled.set()
                if not task.running:
                    self._answer(task, Status.CANCELLED, Executed.NO)
        elif header.command == wire.QUERY:
            self._on_query(event)
        elif header.command == wire.DRAIN:
            self.drain(now_at)

    def _refuse(
        self, event: Came, status: Status, code: str, message: str, grants: bool = True
    ) -> None:
        header = wire.Header(wire.REPLY, id=event.header.id, status=status, executed=Executed.NO)
        if status is Status.BUSY_FULL:
            header.retry_after_ms = 100
        self.session.reply(event.connection, header, failure(code, message), grants)

    def _on_request(self, event: Came, now_at: int) -> None:
        header = event.header
        tool = self.tools.get(header.method or "")
        try:
            arguments = {} if event.body is None else wire.decode_body(event.body)
        except ValueError:
            arguments = None
        if tool is None:
            self._refuse(event, Status.NO_ROLE, "TOOL_NOT_FOUND", "no tool of this name is here")
        elif not isinstance(arguments, dict):
            self._refuse(event, Status.BAD_REQUEST, "BAD_ARGUMENTS", "arguments are not a map")
        elif (event.connection, header.id) in self._held:
            self._refuse(
                event, Status.DUPLICATE_RUNNING, "DUPLICATE_RUNNING", "it is here already", False
            )
        elif len(self._held) >= self.concurrency:
            self._refuse(event, Status.BUSY_FULL, "OVERLOADED", "it holds as much as it may")
        else:
            user = (header.extension or {}).get("user")
            task = Task(
                tool, arguments, header.attempt, header.tenant, user if type(user) is str else None,
                now_at + header.deadline_ms * 1000, header.id, event.connection,
            )  # fmt: skip
            self._held[task.connection, task.id] = task
            self._waiting.append(task)

    def _on_query(self, event: Came) -> None:
        if event.header.method == "undrain":  # asked by the broker for an operator
            self.undrain()
            answer = wire.Header(wire.REPLY, id=event.header.id, executed=Executed.YES)
            self.session.reply(event.connection, answer, None, False)
            return
        if event.header.method != "tools":
            self._refuse(
                event, Status.BAD_REQUEST, "BAD_REQUEST", "only tools can be asked for here", False
            )
            return
        name = wire.map_of(event.body).get("name")
        tools = [tool.definition() for tool in self.tools.values() if not name or tool.name == name]
        header = wire.Header(wire.REPLY, id=event.header.id, executed=Executed.YES)
        body = msgpack.packb({"tools": tools})
        if self.session.reply(event.connection, header, body, False) is not Status.OK:
            self._refuse(
                event, Status.TOO_LARGE, "LIMIT", "all definitions are too much: ask for one", False
            )

    def _begin(self) -> None:
        while self._waiting and self._running < self.concurrency:
            task = self._waiting.popleft()
            if (task.connection, task.id) in self._held:
                self._running += 1
                task.running = True
                task.began_at = self._now_at
                self.session.say(
                    task.connection, wire.Header(wire.STARTED, id=task.id, executed=Executed.MAYBE)
                )
                self._begun.append(task)

    def _answer(
        self,
        task: Task,
        status: Status,
        executed: Executed,
        body: bytes | None = None,
        took_us: int = 0,
    ) -> None:
        if self._held.pop((task.connection, task.id), None) is None:
            return  # its connection is gone
        if body is None and status > Status.CANCELLED:
            body = failure("DEADLINE", status.text)
        header = wire.Header(
            wire.REPLY,
            id=task.id,
            status=status,
            executed=executed,
            service_us=min(took_us, 2**32 - 1),
        )
        self.session.reply(task.connection, header, body)
