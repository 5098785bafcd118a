"""Be a tool of FACT: write a function, say what it takes, run.

The functions run in threads of the worker's own; the thread that calls `Worker.run` talks to the
broker. On SIGTERM and SIGINT it takes no more, finishes what it has, says goodbye, and returns.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

import zmq

from . import wire
from .errors import FAMILIES
from .keys import Keys, read_keys
from .lines import due_ms
from .status import Status
from .transport import Transport, now_at
from .turn import send_out, take_in
from .worker_core import CONCURRENCY_MAX, METHODS_MAX, Task, Tool, WorkerCore, failure, tool_result

BACKEND = "tcp://127.0.0.1:5551"
F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger(__name__)
_here = threading.local()


class ToolError(Exception):
    """What a tool raises to say in its own words why there is no result: APP_ERROR.

    Parameters
    ----------
    code : str
        Stable name, for programs: ``NOTHING_FOUND``; at most 64 bytes.
    message : str
        For people; at most 512 bytes. Put nothing secret in it.
    field : str, optional
        Path of the argument at fault; at most 256 bytes.
    hint : str, optional
        What to change before a retry; at most 256 bytes.
    """

    def __init__(self, code: str, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.field, self.hint = code, message, field, hint


@dataclass(slots=True)
class Result:
    """What a tool returns if it has more to say than its data.

    Parameters
    ----------
    data : Any
        As the result schema says.
    as_of : int, optional
        State of the data, milliseconds of Unix time; when it was called, if it is left out.
    deps : list of str, optional
        What the data depends on: ``t:shop.orders``, ``db:shop``.
    truncated : bool, optional
        A cap cut it.
    """

    data: Any
    as_of: int | None = None
    deps: list[str] = field(default_factory=list)
    truncated: bool = False


def current_task() -> Task:
    """The task that this thread runs: its deadline, whether it is cancelled, on whose behalf.

    Raises
    ------
    RuntimeError
        This thread runs none.
    """
    task = getattr(_here, "task", None)
    if task is None:
        raise RuntimeError("no tool runs in this thread")
    return task  # type: ignore[no-any-return]


class _Link:
    """One broker: a core and its transport."""

    def __init__(self, core: WorkerCore, endpoint: str, keys: Keys | None) -> None:
        self.core, self.transport = core, Transport(keys)
        self.endpoint, self.refusal, self.writing = endpoint, "", True
        try:
            self.transport.connect(endpoint)
        except ValueError:
            self.transport.close()
            raise

    def turn(self) -> list[Task]:
        """Take in, do what is due, send; which tasks are to begin."""
        take_in(self.core, self.transport)
        if self.transport.was_lost():
            self.core.lost(now_at())
        if self.transport.refusal and self.refusal != self.transport.refusal:
            _log.warning("%s: %s", self.endpoint, self.transport.refusal)  # once
        self.refusal = self.transport.refusal
        endpoint = self.transport.connects_again(now_at())
        if endpoint is not None:
            self.transport.connect(endpoint)
        self.core.tick(now_at())
        self.writing = send_out(self.core, self.transport)
        return [] if self.writing else self.core.begun()  # STARTED goes before the work


class Worker:
    """Tools in a process of their own.

    Parameters
    ----------
    endpoints : str, optional
        Of brokers' backends, with commas; it serves all of them.
    instance : str, optional
        A name for people; at most 64 bytes.
    concurrency : int, optional
        Tools that run at once for one broker, each in a thread; 1 to 1024.
    drain : float, optional
        How long what runs may take once it is told to stop, seconds.
    key_file, server_key_file : str, optional
        The key pair to connect with (``NAME.secret`` of ``fact keys generate``), which nobody but its
        owner may read, and the file with the brokers' public key; both, or neither. Whether it is let
        in is told in the log ``factclient.worker``; it is tried again every second.

    Raises
    ------
    ValueError
        An argument is out of its bounds, a key file is of no use.
    OSError
        A key file cannot be read.
    """

    def __init__(
        self,
        endpoints: str = BACKEND,
        *,
        instance: str = "",
        concurrency: int = 8,
        drain: float = 60.0,
        key_file: str | None = None,
        server_key_file: str | None = None,
    ) -> None:
        self._endpoints = [text.strip() for text in endpoints.split(",")]
        self._instance = instance or f"python-tools-{os.getpid()}"
        if not all(self._endpoints) or len(self._instance.encode()) > wire.NAME_BYTES_MAX:
            raise ValueError("endpoints with commas, and an instance of at most 64 bytes")
        if not 1 <= concurrency <= CONCURRENCY_MAX:
            raise ValueError(f"concurrency: 1 to {CONCURRENCY_MAX}")
        self._concurrency, self._drain = concurrency, drain
        self._keys = read_keys(key_file, server_key_file)
        self._tools: dict[str, Tool] = {}
        self._links: list[_Link] = []
        self._tasks: queue.SimpleQueue[tuple[_Link, Task]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[_Link, Task, Status, bytes, int]] = queue.SimpleQueue()
        self._stopping_until: int | None = None
        self._bell: socket.socket | None = None  # while it runs: wakes the thread that talks

    def tool(
        self,
        name: str,
        *,
        version: str,
        parameters: dict[str, Any],
        result: dict[str, Any] | None = None,
        description: str = "",
        timeout_ms: int = 30000,
        scope: str = "tenant",
        cacheable: bool = False,
        ttl_ms: int = 300000,
        read_only: bool = False,
        idempotent: bool = False,
    ) -> Callable[[F], F]:
        """Make a function a tool: it is called with the arguments as keywords, and returns the data.

        Parameters
        ----------
        name : str
            ``Category_Action``; at most 64 bytes.
        version : str
            As in semver. Who changes a schema raises it.
        parameters : dict
            JSON Schema of the arguments (docs/tools.md, section 2, has the subset). The driver checks
            them and fills defaults in.
        result : dict, optional
            JSON Schema of the data.
        description : str, optional
            For people and models; the function's docstring if it is left out.
        timeout_ms : int, optional
            Longest run, milliseconds.
        scope : str, optional
            Widest sharing of cached answers: public, tenant or user.
        cacheable : bool, optional
            Its answers may be kept ...
        ttl_ms : int, optional
            ... so long, milliseconds.
        read_only, idempotent : bool, optional
            It changes nothing; running it twice does no harm: then it is given to another worker if
            this one dies with it.

        Returns
        -------
        callable
            A decorator, which leaves the function as it is. The function returns data, or a `Result`;
            it raises `ToolError` for a failure of its own; what else it raises becomes TOOL_FAILED.

        Raises
        ------
        ValueError
            The name is taken or none, a schema has a keyword that is not offered or no canonical form.
        """
        if name in self._tools or len(self._tools) == METHODS_MAX:
            raise ValueError(f"{name!r} is taken, or one more than {METHODS_MAX} tools")

        def register(function: F) -> F:
            text = description or (function.__doc__ or "").strip()
            self._tools[name] = Tool(
                name, function, version, parameters, result, text, timeout_ms, scope, cacheable, ttl_ms,
                read_only, idempotent,
            )  # fmt: skip
            return function

        return register

    def run(self, *, signals: bool = True) -> None:
        """Serve until it is told to stop.

        Parameters
        ----------
        signals : bool, optional
            SIGTERM and SIGINT stop it; only in the main thread.

        Raises
        ------
        FactError
            Every broker refuses it for good.
        ValueError
            There is no tool; an endpoint is none.
        """
        if not self._tools:
            raise ValueError("a worker without tools")
        before = {}
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                before[number] = signal.signal(number, lambda *_: self.stop())
        session_id = os.urandom(16)
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        try:
            for endpoint in self._endpoints:
                core = WorkerCore(
                    list(self._tools.values()),
                    self._concurrency,
                    self._instance,
                    session_id,
                    now_at(),
                )
                self._links.append(_Link(core, endpoint, self._keys))
            for _ in range(self._concurrency * len(self._links)):
                threading.Thread(target=self._work, name="factclient-tool", daemon=True).start()
            self._serve()
        finally:
            for link in self._links:
                link.transport.close()
            self._links = []
            bell, self._bell = self._bell, None
            bell.close()
            self._ear.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Take no more, finish what is there, end `run`. From any thread, or a signal handler."""
        again = self._stopping_until is not None  # told twice: now
        self._stopping_until = now_at() + (0 if again else int(self._drain * 1e6))
        self._ring()

    # Its own

    def _ring(self) -> None:
        bell = self._bell
        try:
            if bell is not None:
                bell.send(b"!")
        except OSError:
            pass  # it rings already, or nobody listens any more

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._ear, zmq.POLLIN)
        due_at = min(min(link.core.due_at(), link.transport.again_at) for link in self._links)
        if self._stopping_until is not None:
            due_at = min(due_at, self._stopping_until)
        for link in self._links:
            poller.register(
                link.transport.socket, zmq.POLLIN | (zmq.POLLOUT if link.writing else 0)
            )
            poller.register(link.transport.monitor, zmq.POLLIN)
        poller.poll(due_ms(due_at, now_at()))
        try:
            self._ear.recv(4096)
        except BlockingIOError:
            pass

    def _take_results(self) -> None:
        while True:
            try:
                link, task, status, body, took_us = self._done.get_nowait()
            except queue.Empty:
                return
            link.core.finish(task, status, body, took_us)

    def _serve(self) -> None:
        while not self._has_ended():
            self._take_results()
            if self._stopping_until is not None:
                for link in self._links:
                    link.core.drain(now_at(), self._drain)
            for link in self._links:
                for task in link.turn():
                    self._tasks.put((link, task))
            self._check_refused()
            if not self._has_ended():
                self._wait()
        for link in self._links:
            link.core.goodbye()
            send_out(link.core, link.transport)

    def _has_ended(self) -> bool:
        late = self._stopping_until is not None and now_at() >= self._stopping_until
        return late or all(link.core.drained and not link.writing for link in self._links)

    def _check_refused(self) -> None:
        refused = [link.core.refused for link in self._links]
        if all(refused) and refused[0] is not None:
            status = refused[0].status
            raise FAMILIES[status](status, message=refused[0].reason, local=False)

    def _work(self) -> None:
        """A thread that runs tools, for the life of the process."""
        while True:
            link, task = self._tasks.get()
            begun_at = now_at()
            status, body = _run(task) if not task.cancelled.is_set() else (Status.CANCELLED, b"")
            self._done.put((link, task, status, body, now_at() - begun_at))
            self._ring()


def _run(task: Task) -> tuple[Status, bytes]:
    """Run one task; whatever it raises is a failure."""
    begun_at, as_of = now_at(), time.time_ns() // 1000000
    _here.task = task
    try:
        value = task.tool.function(**task.arguments)
        result = value if isinstance(value, Result) else Result(value)
        took_ms = (now_at() - begun_at) / 1000
        as_of = as_of if result.as_of is None else result.as_of
        return Status.OK, tool_result(
            task.tool, result.data, took_ms, as_of, result.deps, result.truncated
        )
    except ToolError as error:
        try:
            return Status.APP_ERROR, failure(error.code, error.message, error.field, error.hint)
        except Exception:  # no texts, or such as UTF-8 cannot say
            return _failed(task, error)
    except BaseException as error:  # sys.exit(), too: the thread runs the next task
        return _failed(task, error)
    finally:
        _here.task = None


def _failed(task: Task, error: BaseException) -> tuple[Status, bytes]:
    """While it is handled. What it says may be secret: the caller gets its name, the log the rest."""
    error_id = secrets.token_hex(8)
    _log.exception("%s failed, error %s", task.tool.name, error_id)
    message = f"the tool raised {type(error).__name__}"
    return Status.APP_ERROR, failure("TOOL_FAILED", message, error_id=error_id)
