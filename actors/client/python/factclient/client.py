"""Ask FACT from threads. A thread of the client's own moves bytes and keeps the connection."""

from __future__ import annotations

import logging
import os
import socket
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Iterator, TypeVar, cast

import zmq

from . import requests
from .calls import Ended, Outcome, Told
from .core import Broker, Core, Peer
from .keys import read_keys
from .lines import CALLS_MAX, Config, due_ms
from .requests import Answer, How, Question
from .status import Executed, Status
from .transport import now_at
from .turn import Wires

if TYPE_CHECKING:
    from typing_extensions import Unpack

ENDPOINT = "tcp://127.0.0.1:5550"
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Call(Future[T], Generic[T]):
    """A call under way: a future of ``concurrent.futures``, with `cancel` that tells the broker.

    ``result()`` waits for its end, which its deadline brings at the latest, and returns the answer or
    raises a `FactError`.
    """

    def __init__(self, client: Client, question: Question) -> None:
        super().__init__()
        self._client, self._question = client, question
        self._number = 0
        self.set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> T:
        """Wait for its end.

        Parameters
        ----------
        timeout : float, optional
            Seconds; its deadline ends it in any case.

        Returns
        -------
        Answer or Any

        Raises
        ------
        FactError
            It was not served.
        RuntimeError
            Here it would wait for ever: inside `Client.together`, or where an end is told.
        """
        self._client._check_may_wait(self)
        return super().result(timeout)

    def cancel(self) -> bool:
        """Withdraw it: it raises `Cancelled`.

        Returns
        -------
        bool
            False: it has ended.
        """
        return self._client._cancel(self._number)

    def _tell(self, part: Told) -> None:
        try:
            if self._question.on_partial is not None and not self.done():
                self._question.on_partial(part.value, part.number)
        except BaseException:  # sys.exit(), too: the client's thread serves other calls
            _log.exception("on_partial failed")

    def _end(self, outcome: Outcome) -> None:
        try:
            value = self._question.read(outcome)
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(value)


class Client:
    """A connection to FACT, for any number of threads.

    It connects and greets by itself, again and again; a call made meanwhile waits for that within
    its deadline. Every call ends exactly once, by its deadline at the latest. Refusals that are worth
    it are tried again (see docs/clients.md). As a context it is closed at the end. A child of
    ``fork()`` makes a client of its own.

    Parameters
    ----------
    endpoints : str, optional
        Of brokers, with commas, at most 16; they name others. Two are held, in an order of the client's
        own; if one is lost, silent, full or going away, calls go to the other.
    instance : str, optional
        A name for people; at most 64 bytes.
    tenant, user : str, optional
        Of all calls: on whose behalf; at most 64 bytes.
    calls_max : int, optional
        Calls without an end, 1 to 4096; one more ends at once with BUSY_FULL.
    retries : bool, optional
        False: nothing is sent twice or held back, and one broker is held at a time.
    given_only : bool, optional
        Brokers that others name are not used.
    key_file, server_key_file : str, optional
        The key pair to connect with (``NAME.secret`` of ``fact keys generate``), which nobody but its
        owner may read, and the file with the broker's public key; both, or neither. `peer.reason` says
        so if the key is not let in; it is tried again every second.

    Raises
    ------
    ValueError
        An argument is out of its bounds, an endpoint is none, a key file is of no use.
    OSError
        A key file cannot be read.
    """

    def __init__(
        self,
        endpoints: str = ENDPOINT,
        *,
        instance: str = "",
        tenant: str | None = None,
        user: str | None = None,
        calls_max: int = CALLS_MAX,
        retries: bool = True,
        given_only: bool = False,
        key_file: str | None = None,
        server_key_file: str | None = None,
    ) -> None:
        keys = read_keys(key_file, server_key_file)
        config = Config.of(
            endpoints,
            instance=instance,
            tenant=tenant,
            user=user,
            calls_max=calls_max,
            retries=retries,
            given_only=given_only,
        )
        self._core = Core(config, now_at())
        self._lock = threading.RLock()  # of the core, and of what stands below
        self._calls: dict[int, Call[Any]] = {}
        self._closing = self._awake = False
        self._holder: int | None = None  # the thread inside together()
        self._changed = threading.Condition(self._lock)  # the peer's state
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._wires = Wires(self._core, keys)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="factclient", daemon=True)
        self._thread.start()

    # Asking

    def call(
        self, tool: str, arguments: dict[str, Any] | None = None, **how: Unpack[How]
    ) -> Answer:
        """Run a tool, or get its answer from the cache; wait for it.

        Parameters
        ----------
        tool : str
            Its name.
        arguments : dict, optional
        **how
            See `How`: ``timeout`` in seconds, ``idempotent``, ``no_cache`` ...

        Returns
        -------
        Answer

        Raises
        ------
        FactError
            It was not served; by its family: `Busy`, `DeadlineExceeded`, `ToolFailed` ...
        TypeError, ValueError
            The arguments have no MessagePack, or one of `how` is out of its bounds.
        """
        return self.submit(tool, arguments, **how).result()

    def submit(
        self, tool: str, arguments: dict[str, Any] | None = None, **how: Unpack[How]
    ) -> Call[Answer]:
        """Begin what `call` does, and do not wait.

        Returns
        -------
        Call of Answer
        """
        return self._begin(requests.tool_call(tool, arguments, how))

    def query(self, question: str, **how: Unpack[How]) -> Answer:
        """Ask a question in words; wait for the answer.

        Parameters
        ----------
        question : str
            At most 10,000 characters.
        **how
            See `How`.

        Returns
        -------
        Answer
            With ``text``, a sentence; ``outcome`` may be no_data, with a ``reason``.

        Raises
        ------
        FactError
        """
        return self.submit_query(question, **how).result()

    def submit_query(self, question: str, **how: Unpack[How]) -> Call[Answer]:
        """Begin what `query` does, and do not wait."""
        return self._begin(requests.question(question, how))

    def ask_broker(
        self, method: str, body: dict[str, Any] | None = None, **how: Unpack[How]
    ) -> Any:
        """Ask the broker itself: directory, statistics, status, events, instance.

        Parameters
        ----------
        method : str
        body : dict, optional
            As docs/reference.md has it.
        **how
            See `How`; only ``timeout`` counts.

        Returns
        -------
        dict

        Raises
        ------
        FactError
        """
        return self._begin(requests.to_broker(method, body, how)).result()

    def ping(self, **how: Unpack[How]) -> float:
        """The way to the broker and back.

        Returns
        -------
        float
            Seconds.

        Raises
        ------
        FactError
        """
        return cast(float, self._begin(requests.ping(how)).result())

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is submitted inside leaves together, in as few messages as the wire's bounds allow.

        Other threads wait meanwhile: do nothing inside but submit.
        """
        with self._lock:
            before, self._holder = self._holder, threading.get_ident()
            try:
                yield
            finally:
                self._holder = before

    # The connection

    @property
    def peer(self) -> Peer:
        """Who is at the other end: a copy."""
        with self._lock:
            return self._core.peer

    @property
    def brokers(self) -> list[Broker]:
        """All brokers that are known, those given first."""
        with self._lock:
            return self._core.brokers

    @property
    def counts(self) -> dict[str, int]:
        """Since its start: asked, answered, late_answers, timed_out, lost, cancelled, malformed; retried:
        attempts after a refusal; resent: after the loss of a broker; held_back: calls not begun."""
        with self._lock:
            return self._core.counts

    def wait_up(self, timeout: float = requests.TIMEOUT_S) -> bool:
        """Wait until it is greeted.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        bool
            False: not in time, or it is refused.
        """
        with self._lock:
            self._changed.wait_for(
                lambda: self._core.peer.state != "connecting" or self._closing, timeout
            )
            return self._core.peer.state == "up"

    def close(self) -> None:
        """Say goodbye; calls without an end raise `Cancelled`. May be called twice.

        Raises
        ------
        RuntimeError
            Inside `together`.
        """
        if os.getpid() != self._pid:
            return  # it is the parent's
        if self._holder == threading.get_ident():
            raise RuntimeError("nothing can leave here: close it elsewhere")
        with self._lock:
            self._closing = True
            self._wake()  # whoever has ended hears no bell
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Its own

    def _check_may_wait(self, call: Call[Any]) -> None:
        """Nobody moves bytes while this thread waits with the lock, or is the one that moves them."""
        me = threading.get_ident()
        if not call.done() and me in (self._holder, self._thread.ident):
            raise RuntimeError("it would wait for ever: begin calls here, and wait elsewhere")

    def _begin(self, question: Question) -> Call[Any]:
        call: Call[Any] = Call(self, question)
        if os.getpid() != self._pid:  # and of its thread and lock there is only the memory
            raise RuntimeError("the client is the parent process's: make one of your own")
        with self._lock:
            if self._closing:
                raise RuntimeError("the client is closed")
            call._number = self._core.submit(question.request, now_at())
            self._calls[call._number] = call
            self._wake()
        return call

    def _cancel(self, number: int) -> bool:
        with self._lock:
            cancelled = self._core.cancel(number, now_at())
            self._wake()
        return cancelled

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._bell.send(b"!")

    def _turn(self) -> list[tuple[Call[Any], Ended | Told]]:
        """With the lock: one turn, and what each call is to be told."""
        state = self._core.peer.state, self._core.peer.connections
        if self._closing:
            self._core.close(now_at())
        happened = self._wires.turn()
        if state != (self._core.peer.state, self._core.peer.connections) or self._closing:
            self._changed.notify_all()
        calls = [
            self._calls[event.call] if isinstance(event, Told) else self._calls.pop(event.call)
            for event in happened
        ]
        return list(zip(calls, happened))

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._ear, zmq.POLLIN)
        for transport in self._wires.all():
            writing = transport in self._wires.writing
            poller.register(transport.socket, zmq.POLLIN | (zmq.POLLOUT if writing else 0))
            poller.register(transport.monitor, zmq.POLLIN)
        with self._lock:
            due_at = min(self._core.due_at(), self._wires.due_at())
        poller.poll(due_ms(due_at, now_at()))

    def _listen(self) -> None:
        """With the lock: the bell has been heard."""
        if self._awake:
            self._ear.recv(64)
            self._awake = False

    def _loop(self) -> None:
        closing = False
        while not closing:
            self._wait()
            with self._lock:
                self._listen()
                closing = self._closing
                happened = self._turn()
            for call, event in happened:  # without the lock: whoever is told may submit
                if isinstance(event, Told):
                    call._tell(event)
                else:
                    self._end(call, event.outcome)

    @staticmethod
    def _end(call: Call[Any], outcome: Outcome) -> None:
        try:
            call._end(outcome)
        except BaseException:  # a future lets through what is no Exception, as of sys.exit()
            _log.exception("what was called at the end of a call failed")

    def _run(self) -> None:
        try:
            self._loop()
        finally:  # nobody waits for a thread that is gone, whatever ended it
            with self._lock:
                self._closing = self._awake = True
                left, self._calls = list(self._calls.values()), {}
                self._changed.notify_all()
            for call in left:
                self._end(
                    call,
                    Outcome(
                        Status.CANCELLED, Executed.MAYBE, local=True, reason="the client has ended"
                    ),
                )
            self._wires.close()
            self._bell.close()
            self._ear.close()
