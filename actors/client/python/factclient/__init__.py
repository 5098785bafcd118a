"""Ask FACT from Python, or be one of its tools. See docs/clients.md.

`Client` is for threads, `factclient.aio.Client` for asyncio, `factclient.worker` for tools.
"""

from .calls import Outcome
from .client import Call, Client
from .core import Broker, Peer
from .errors import (
    BadRequest,
    Busy,
    Cancelled,
    DeadlineExceeded,
    FactError,
    InternalError,
    Lost,
    NotAllowed,
    NotFound,
    ToolFailed,
    Unavailable,
)
from .requests import Answer, How
from .status import Executed, Status
from .version import VERSION as __version__

__all__ = [
    "Answer", "BadRequest", "Broker", "Busy", "Call", "Cancelled", "Client", "DeadlineExceeded", "Executed", "FactError",
    "How", "InternalError", "Lost", "NotAllowed", "NotFound", "Outcome", "Peer", "Status", "ToolFailed",
    "Unavailable", "__version__",
]  # fmt: skip
