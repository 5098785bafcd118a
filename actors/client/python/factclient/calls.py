"""A call: what is asked, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import wire
from .errors import FAMILIES, FactError, InternalError
from .status import Executed, Status


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
        failure = wire.map_of(self.body) if self.status > Status.CANCELLED else {}
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
