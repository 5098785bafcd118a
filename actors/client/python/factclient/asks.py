"""A question that a session has asked, until it is answered."""

from __future__ import annotations

from . import wire


class Ask:
    """A question without an answer."""

    __slots__ = (
        "tag", "id", "header", "body", "deadline_at", "due_at", "sent", "size", "ended", "resuming",
    )  # fmt: skip

    def __init__(self, tag: int, header: wire.Header, body: bytes | None, deadline_at: int) -> None:
        self.tag, self.header, self.body, self.deadline_at = tag, header, body, deadline_at
        self.id, self.due_at = header.id, deadline_at
        self.sent = self.ended = self.resuming = False  # resuming: does it go on?
        self.size = len(body or b"") + wire.HEADER_BYTES_MAX

    @property
    def counts(self) -> bool:
        """Against the credit of the other side."""
        return self.header.command == wire.REQUEST

    @property
    def kept(self) -> bool:
        """Its answer is held for us: it outlives a connection."""
        return self.counts and bool(self.header.flags & wire.KEEP)
