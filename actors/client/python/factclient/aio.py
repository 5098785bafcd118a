"""Ask FACT from asyncio. The client belongs to the event loop it is made in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import zmq

from . import requests
from .client import ENDPOINT
from .calls import Outcome, Told
from .core import Broker, Core, Peer
from .keys import read_keys
from .lines import CALLS_MAX, Config
from .requests import Answer, How, Question
from .session import NEVER
from .transport import Transport, now_at
from .turn import Wires

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Call(asyncio.Future[Any]):
    """A call under way: await it. Cancelling it, or the task that awaits it, tells the broker."""

    def __init__(self, client: Client, question: Question) -> None:
        super().__init__(loop=client._loop)
        self._client, self._question = client, question
        self._number = 0

    def cancel(self, msg: Any | None = None) -> bool:
        """Withdraw it: whoever awaits it gets ``asyncio.CancelledError``."""
        self._client._cancel(self._number)
        return super().cancel(msg)

    def _tell(self, part: Told) -> None:
        try:
            if self._question.on_partial is not None and not self.done():
                self._question.on_partial(part.value, part.number)
        except Exception as error:  # the loop's turn serves other calls, too
            told = {"message": "on_partial failed", "exception": error, "future": self}
            self.get_loop().call_exception_handler(told)

    def _end(self, outcome: Outcome) -> None:
        if self.done():  # cancelled
            return
        try:
            value = self._question.read(outcome)
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(value)


class Client:
    """A connection to FACT; make it inside a running event loop.

    As `factclient.Client`, whose parameters it has. Calls that are begun in the same turn of the loop
    leave together.

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
        self._loop = asyncio.get_running_loop()
        self._core = Core(config, now_at())
        self._calls: dict[int, Call] = {}
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watched: dict[Transport, list[int]] = {}
        self._closed = False
        self._changed = asyncio.Event()  # the peer's state; renewed at each change
        self._wires = Wires(self._core, keys, self._watch, self._unwatch)
        self._wake()

    # Asking

    async def call(
        self, tool: str, arguments: dict[str, Any] | None = None, **how: Unpack[How]
    ) -> Answer:
        """Run a tool, or get its answer from the cache.

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
        return cast(Answer, await self.submit(tool, arguments, **how))

    def submit(
        self, tool: str, arguments: dict[str, Any] | None = None, **how: Unpack[How]
    ) -> Call:
        """Begin what `call` does.

        Returns
        -------
        Call
            To be awaited.
        """
        return self._begin(requests.tool_call(tool, arguments, how))

    async def query(self, question: str, **how: Unpack[How]) -> Answer:
        """Ask a question in words.

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
        return cast(Answer, await self.submit_query(question, **how))

    def submit_query(self, question: str, **how: Unpack[How]) -> Call:
        """Begin what `query` does."""
        return self._begin(requests.question(question, how))

    async def ask_broker(
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
        return await self._begin(requests.to_broker(method, body, how))

    async def ping(self, **how: Unpack[How]) -> float:
        """The way to the broker and back.

        Returns
        -------
        float
            Seconds.

        Raises
        ------
        FactError
        """
        return cast(float, await self._begin(requests.ping(how)))

    # The connection

    @property
    def peer(self) -> Peer:
        """Who is at the other end: a copy."""
        return self._core.peer

    @property
    def brokers(self) -> list[Broker]:
        """All brokers that are known, those given first."""
        return self._core.brokers

    @property
    def counts(self) -> dict[str, int]:
        """Since its start; see `factclient.Client.counts`."""
        return self._core.counts

    async def wait_up(self, timeout: float = requests.TIMEOUT_S) -> bool:
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
        until = self._loop.time() + timeout
        while (
            self._core.peer.state == "connecting" and not self._closed and self._loop.time() < until
        ):
            try:
                await asyncio.wait_for(self._changed.wait(), until - self._loop.time())
            except asyncio.TimeoutError:
                break
        return self._core.peer.state == "up"

    async def close(self) -> None:
        """Say goodbye; calls without an end raise `Cancelled`. May be called twice."""
        if self._closed:
            return
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._core.close(now_at())
        self._closed = True
        self._turn()
        self._wires.disconnect()
        await self._loop.run_in_executor(
            None, self._wires.close
        )  # waits for the goodbye to leave

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Its own

    def _begin(self, question: Question) -> Call:
        if self._closed:
            raise RuntimeError("the client is closed")
        call = Call(self, question)
        call._number = self._core.submit(question.request, now_at())
        self._calls[call._number] = call
        self._wake()
        return call

    def _cancel(self, number: int) -> None:
        if self._core.cancel(number, now_at()):
            self._wake()

    def _wake(self) -> None:
        """A turn is to come, behind what else is ready in the loop: what is begun there leaves with it."""
        if self._soon is None and not self._closed:
            self._soon = self._loop.call_soon(self._turn)

    def _watch(self, transport: Transport) -> None:
        self._watched[transport] = []
        for watched in (transport.socket, transport.monitor):
            assert watched is not None
            descriptor = int(watched.getsockopt(zmq.FD))
            self._watched[transport].append(descriptor)
            self._loop.add_reader(descriptor, self._wake)

    def _unwatch(self, transport: Transport) -> None:
        """Before ZeroMQ closes what is watched."""
        for descriptor in self._watched.pop(transport, []):
            self._loop.remove_reader(descriptor)

    def _turn(self) -> None:
        self._soon = None
        state = self._core.peer.state, self._core.peer.connections
        for event in self._wires.turn():
            if isinstance(event, Told):
                self._calls[event.call]._tell(event)
            else:
                self._calls.pop(event.call)._end(event.outcome)
        if state != (self._core.peer.state, self._core.peer.connections) or self._closed:
            self._changed.set()
            self._changed = asyncio.Event()
        self._arm()

    def _arm(self) -> None:
        """Sleep until something comes; ZeroMQ's descriptors tell of changes only, so look once more."""
        if self._closed:
            return
        wires = self._wires
        if any(transport.is_ready(transport in wires.writing) for transport in wires.all()):
            self._wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_at = min(self._core.due_at(), wires.due_at())
        if due_at != NEVER:
            self._timer = self._loop.call_later(max(0, due_at - now_at()) / 1e6, self._wake)
