"""Hold back what would be refused anyway. Pure.

Where more than half of what was asked within two minutes was refused for overload, a part of what
comes next is not even sent: p = (requests - 2 accepted) / (requests + 1). What is still sent shows
when things are better, and two minutes forget the rest. source: Beyer et al., Site Reliability
Engineering, chapter 21, "Client-side throttling"; the same rules as ``actors/client/throttle.h``
"""

from __future__ import annotations

from . import wire
from .status import Status

PARTS = 12  # of the two minutes
PART_US = 10_000_000
REQUESTS_MIN = 100  # less says nothing: a client that has just begun holds nothing back


class Throttle:
    """See the module. Points in time are monotonic microseconds."""

    def __init__(self) -> None:
        self._requests, self._accepted = [0] * PARTS, [0] * PARTS  # rings, by part
        self._part = 0  # the newest, by the clock

    def holds(self, now_at: int, chance: float) -> bool:
        """Whether the next request is held back; then it counts as asked and refused.

        Parameters
        ----------
        now_at : int
        chance : float
            0 to below 1.
        """
        self._turn_to(now_at)
        requests, accepted = sum(self._requests), sum(self._accepted)
        if requests < REQUESTS_MIN or chance * (requests + 1) >= requests - 2 * accepted:
            return False
        self._requests[self._part % PARTS] += 1
        return True

    def learn(self, reply: wire.Header, now_at: int) -> None:
        """A request was answered, by a REPLY."""
        self._turn_to(now_at)
        # What can never be in time says nothing of the load.
        overload = reply.status in (Status.BUSY_FULL, Status.BUSY_SHED) or (
            reply.status == Status.INFEASIBLE and reply.retry_after_ms > 0
        )
        self._requests[self._part % PARTS] += 1
        self._accepted[self._part % PARTS] += not overload

    def _turn_to(self, now_at: int) -> None:
        """Forget what is older than two minutes."""
        part = now_at // PART_US
        for at in range(max(self._part + 1, part - PARTS + 1), part + 1):
            self._requests[at % PARTS] = self._accepted[at % PARTS] = 0
        self._part = max(self._part, part)
