"""What a session tells its owner, in the order it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import wire
from .status import Status


@dataclass(slots=True)
class Up:
    """Greeted."""

    welcome: dict[str, Any]


@dataclass(slots=True)
class Down:
    """The connection, or who was there, is gone; it greets again by itself."""

    reason: str


@dataclass(slots=True)
class Refused:
    """The other side will not have us, for good."""

    status: Status
    reason: str


@dataclass(slots=True)
class Answered:
    """The end of a question: the REPLY, or one made here (local)."""

    tag: int
    header: wire.Header
    body: bytes | None
    local: bool


@dataclass(slots=True)
class Part:
    """A part of an answer, before it."""

    tag: int
    number: int
    body: bytes | None


@dataclass(slots=True)
class Came:
    """Any other pair: REQUEST, CANCEL, DRAIN, QUERY, GOAWAY, ERROR ..."""

    header: wire.Header
    body: bytes | None
    connection: int


Event = Up | Down | Refused | Answered | Part | Came
