"""Headers and pairs: what stands in a message (docs/protocol.md).

A message is a stream of pairs, header and body. What comes is trusted in nothing: a value is
measured before anything is made of it, so that no claimed length allocates. Knows no socket.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Any, Iterator

import msgpack

from .status import Executed, Status

VERSION = 1
HEADER_BYTES_MAX = 1024
HEADER_FIELDS_MAX = 15
EXTENSION_BYTES_MAX = 768
METHOD_BYTES_MAX = 64
NAME_BYTES_MAX = 64
MESSAGE_BYTES_MAX = 65536
MESSAGE_PAIRS_MAX = 256
ALONE_BYTES_MIN = 32768
PAIR_BODY_BYTES_MAX = 262144
FRAME_BYTES_MAX = 266240

HELLO, WELCOME, READY, REQUEST, REPLY, ACCEPTED, STARTED, PARTIAL, CHUNK, CREDIT = range(1, 11)
CANCEL, TOUCH, HEARTBEAT, ACKFLOOR, DRAIN, DISCONNECT, GOAWAY, ERROR, QUERY = range(11, 20)
ADMIN, INVALIDATE, EVENT = range(20, 23)
REPLY_LAYOUT = frozenset(
    (WELCOME, REPLY, ACCEPTED, STARTED, PARTIAL, CREDIT, DISCONNECT, GOAWAY, ERROR)
)

BROKER, DRIVER, CACHE_PARTITION, TOOL_EXECUTOR, ARCADE_GATEWAY, CLIENT = range(1, 7)

IDEMPOTENT, STREAM, DEGRADED, COALESCE, DETACHED, NO_CACHE, REFRESH = 1, 2, 32, 128, 1024, 2048, 4096
ONLY_IF_CACHED, KEEP = 8192, 32768


@dataclass(slots=True)
class Header:
    """A header of either layout; a command has the fields of its own, the others are not sent."""

    command: int
    flags: int = 0
    id: int = 0
    # asking
    deadline_ms: int = 0
    importance: int = 1
    attempt: int = 0
    role: int = 0
    method: str | None = None
    key: int | None = None
    tenant: str | None = None
    idempotency_key: bytes | None = None
    trace: bytes | None = None
    # answering
    status: int = 0
    executed: int = 0
    admit_level: int = 3
    retry_after_ms: int = 0
    queue_us: int = 0
    service_us: int = 0
    credit: int = 0
    instance: str | None = None
    # both
    extension: dict[str, Any] | None = None


@dataclass(slots=True)
class Pair:
    """A pair that came. Of a bad one only command and id are there, where they can be read."""

    status: Status  # OK; else why it is bad
    header: Header
    body: bytes | None = None


_REQUEST = struct.Struct(">4BHBQBI3B")
_REPLY = struct.Struct(">4BHBQ3BBIBIBIBI")


def _text(value: str | None, bytes_max: int) -> bytes:
    if value is None:
        return b"\xc0"
    data = value.encode("utf-8")
    if len(data) > bytes_max:
        raise ValueError(f"a text of the header has more than {bytes_max} bytes")
    head = bytes((0xA0 | len(data),)) if len(data) <= 31 else bytes((0xD9, len(data)))
    return head + data


def _blob(value: bytes | None, size: int) -> bytes:
    if value is None:
        return b"\xc0"
    if len(value) != size:
        raise ValueError(f"a field of the header has not {size} bytes")
    return bytes((0xC4, size)) + value


def encode_header(header: Header) -> bytes:
    """Encode a header in the widths that servers patch in place.

    Parameters
    ----------
    header : Header

    Returns
    -------
    bytes
        At most `HEADER_BYTES_MAX`.

    Raises
    ------
    ValueError
        A field is out of its bounds.
    """
    extension = b"" if header.extension is None else msgpack.packb(header.extension)
    if len(extension) > EXTENSION_BYTES_MAX:
        raise ValueError("the extension of the header is too large")
    extended = header.extension is not None
    h = header
    try:
        if h.command in REPLY_LAYOUT:
            fixed = _REPLY.pack(
                0x9C + extended, VERSION, h.command, 0xCD, h.flags, 0xCF, h.id, h.status, h.executed,
                h.admit_level, 0xCE, h.retry_after_ms, 0xCE, h.queue_us, 0xCE, h.service_us, 0xCE, h.credit,
            )  # fmt: skip
            return fixed + _text(h.instance, NAME_BYTES_MAX) + extension
        fixed = _REQUEST.pack(
            0x9D + extended, VERSION, h.command, 0xCD, h.flags, 0xCF, h.id, 0xCE, h.deadline_ms,
            h.importance, h.attempt, h.role,
        )  # fmt: skip
        key = b"\xc0" if h.key is None else struct.pack(">BQ", 0xCF, h.key)
    except struct.error as error:
        raise ValueError(f"a number of the header is out of range: {error}") from None
    return b"".join(
        (
            fixed,
            _text(h.method, METHOD_BYTES_MAX),
            key,
            _text(h.tenant, NAME_BYTES_MAX),
            _blob(h.idempotency_key, 16),
            _blob(h.trace, 25),
            extension,
        )  # fmt: skip
    )


def encode_pair(header: Header, body: bytes | None = None) -> bytes:
    """Encode a header and its body, which is MessagePack already; None: there is none."""
    if body is None:
        return encode_header(header) + b"\xc0"
    size = len(body)
    if size < 256:
        head = bytes((0xC4, size))
    elif size < 65536:
        head = struct.pack(">BH", 0xC5, size)
    else:
        head = struct.pack(">BI", 0xC6, size)
    return encode_header(header) + head + body


# What follows a tag: bytes, and bytes of a length in front of them.
_SIZES = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
}
_SIZES.update({0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17})
_LENGTHS = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_LENGTHS.update({0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)})
_COUNTS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def measure(data: bytes, at: int) -> int:
    """Where the value that begins at a place ends.

    Parameters
    ----------
    data : bytes
        From outside.
    at : int
        Where it begins.

    Returns
    -------
    int
        Behind its last byte; -1: it is cut short, claims more than is there, or is no MessagePack.
    """
    end, wanted = len(data), 1
    while wanted:
        if wanted > end - at:  # each value has a byte at least
            return -1
        tag = data[at]
        at += 1
        wanted -= 1
        if tag < 0x80 or tag >= 0xE0:
            continue
        if tag < 0xC0:
            if tag >= 0xA0:
                at += tag & 31
            else:
                wanted += (tag & 15) * (2 if tag < 0x90 else 1)
        elif tag in _SIZES:
            at += _SIZES[tag]
        elif tag in _LENGTHS:
            width, more = _LENGTHS[tag]
            at += width + more + int.from_bytes(data[at : at + width], "big")
        elif tag in _COUNTS:
            width, each = _COUNTS[tag]
            wanted += each * int.from_bytes(data[at : at + width], "big")
            at += width
        else:
            return -1
        if at > end:
            return -1
    return at


def decode_body(body: bytes | None) -> Any:
    """Decode a body from outside.

    Parameters
    ----------
    body : bytes or None
        MessagePack; None or empty: nothing.

    Returns
    -------
    Any
        None where there is nothing.

    Raises
    ------
    ValueError
        It is no MessagePack.
    """
    if not body:
        return None
    # Containers may claim more than is there; what few of them could claim is not worth a look.
    claims = 65535 * (body.count(0xDC) + body.count(0xDE))
    claims += len(body) * (body.count(0xDD) + body.count(0xDF))
    if claims > 1000000 and measure(body, 0) != len(body):
        raise ValueError("the body is no MessagePack")
    try:
        return msgpack.unpackb(body, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a map is a key
        raise ValueError(f"the body is no MessagePack: {error}") from None


def map_of(body: bytes | None) -> dict[Any, Any]:
    """A body from outside that ought to be a map; {}: it is none."""
    try:
        value = decode_body(body)
    except ValueError:
        return {}
    return value if type(value) is dict else {}


def _is_uint(value: Any, maximum: int) -> bool:
    return type(value) is int and 0 <= value <= maximum


def _is_text(value: Any, bytes_max: int) -> bool:
    return value is None or type(value) is str and len(value.encode("utf-8")) <= bytes_max


def _is_blob(value: Any, size: int) -> bool:
    return value is None or type(value) is bytes and len(value) == size


def _depth(value: Any) -> int:
    """Containers inside each other; of a small value only."""
    if isinstance(value, dict):
        return 1 + max((max(_depth(k), _depth(v)) for k, v in value.items()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


_U16, _U32, _U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1


def _asking(f: list[Any]) -> Header | None:
    good = (
        _is_uint(f[4], _U32)
        and _is_uint(f[5], 3)
        and _is_uint(f[6], 127)
        and _is_uint(f[7], 127)
        and _is_text(f[8], METHOD_BYTES_MAX)
        and (f[9] is None or _is_uint(f[9], _U64))
        and _is_text(f[10], NAME_BYTES_MAX)
        and _is_blob(f[11], 16)
        and _is_blob(f[12], 25)
        and not (f[1] == REQUEST and (f[3] == 0 or f[4] == 0))
    )
    return Header(*f[1:13]) if good else None


def _answering(f: list[Any]) -> Header | None:
    good = (
        _is_uint(f[4], len(Status) - 1)
        and _is_uint(f[5], Executed.YES)
        and _is_uint(f[6], 3)
        and all(_is_uint(number, _U32) for number in f[7:11])
        and _is_text(f[11], NAME_BYTES_MAX)
    )
    if not good:
        return None
    return Header(
        f[1], f[2], f[3], status=f[4], executed=f[5], admit_level=f[6], retry_after_ms=f[7],
        queue_us=f[8], service_us=f[9], credit=f[10], instance=f[11],
    )  # fmt: skip


def _header_of(fields: Any, extension_bytes: int) -> Header | None:
    """A header whose elements were decoded; None: it is bad."""
    if type(fields) is not list or not 12 <= len(fields) <= HEADER_FIELDS_MAX:
        return None
    if type(fields[0]) is not int or fields[0] != VERSION or not _is_uint(fields[1], EVENT):
        return None
    known = 12 if fields[1] in REPLY_LAYOUT else 13
    if (
        fields[1] == 0
        or len(fields) < known
        or not _is_uint(fields[2], _U16)
        or not _is_uint(fields[3], _U64)
    ):
        return None
    header = _answering(fields) if known == 12 else _asking(fields)
    if header is None or len(fields) == known:
        return header
    extension = fields[known]
    if (
        type(extension) is not dict
        or _depth(extension) > 2
        or extension_bytes > EXTENSION_BYTES_MAX
    ):
        return None
    header.extension = extension
    return header


def _extension_bytes(data: bytes, fields: list[Any]) -> int:
    """How large the extension of a header is; it is there in hardly any."""
    known = 12 if fields[1] in REPLY_LAYOUT else 13
    at = 1 if data[0] != 0xDC else 3
    for _ in range(known):
        at = measure(data, at)
    return measure(data, at) - at


def _glance(data: bytes) -> tuple[Status, Header]:
    """What is wrong with a bad header, and whom to tell: elements 0 to 3 are the same always."""
    tag = data[0]
    count, at = tag & 15, 1
    if tag in (0xDC, 0xDD):
        width = 2 if tag == 0xDC else 4
        count, at = int.from_bytes(data[1 : 1 + width], "big"), 1 + width
    elif not 0x90 <= tag <= 0x9F:
        count = 0
    if count < 4:
        return Status.BAD_REQUEST, Header(0)
    numbers = []
    for _ in range(4):
        behind = measure(data, at)
        unsigned = data[at] < 0x80 or 0xCC <= data[at] <= 0xCF
        numbers.append(msgpack.unpackb(data[at:behind]) if unsigned else 0)
        at = behind
    status = Status.VERSION if numbers[0] > VERSION else Status.BAD_REQUEST
    return status, Header(numbers[1] if numbers[1] <= EVENT else 0, id=numbers[3])


def decode_header(data: bytes) -> tuple[Status, Header]:
    """Decode a header from outside, whose bytes have been measured.

    Parameters
    ----------
    data : bytes
        Exactly its bytes.

    Returns
    -------
    status : Status
        OK; VERSION; BAD_REQUEST.
    header : Header
        Unless OK only with command and id, where they can be read.
    """
    if len(data) <= HEADER_BYTES_MAX:
        try:
            fields = msgpack.unpackb(data, strict_map_key=False)
            header = _header_of(fields, 0)
            if header is not None and header.extension is not None:
                header = _header_of(fields, _extension_bytes(data, fields))
        except (ValueError, TypeError, msgpack.UnpackException):
            header = None
        if header is not None:
            return Status.OK, header
    return _glance(data)


def _body_of(data: bytes, at: int, end: int) -> tuple[Status, bytes | None]:
    tag = data[at]
    if tag == 0xC0:
        return Status.OK, None
    if tag not in (0xC4, 0xC5, 0xC6):
        return Status.BAD_REQUEST, None
    body = data[at + 1 + _LENGTHS[tag][0] : end]
    return (Status.TOO_LARGE if len(body) > PAIR_BODY_BYTES_MAX else Status.OK), body


def pairs_of(message: bytes) -> Iterator[Pair | None]:
    """The pairs of a message, good and bad; None at the end: the rest of it is broken.

    Parameters
    ----------
    message : bytes
        From outside.

    Yields
    ------
    Pair or None
    """
    at, count, size = 0, 0, len(message)
    if size == 0:
        yield None
    while at < size:
        middle = measure(message, at)
        end = measure(message, middle) if middle >= 0 else -1
        alone = count == 0 and end == size
        if end < 0 or not (alone or count < MESSAGE_PAIRS_MAX and end <= MESSAGE_BYTES_MAX):
            yield None
            return
        status, header = decode_header(message[at:middle])
        body_status, body = _body_of(message, middle, end)
        yield Pair(status or body_status, header, body)
        at, count = end, count + 1


class Outgoing:
    """What leaves on one connection: pairs gather into messages, in their order."""

    def __init__(self) -> None:
        self._parcels: deque[bytes] = deque()
        self._gathered: list[bytes] = []
        self._size = 0

    def put(self, pair: bytes) -> None:
        """Put one encoded pair behind the others."""
        if len(pair) > ALONE_BYTES_MIN:
            self._close()
            self._parcels.append(pair)
            return
        if len(pair) > MESSAGE_BYTES_MAX - self._size or len(self._gathered) == MESSAGE_PAIRS_MAX:
            self._close()
        self._gathered.append(pair)
        self._size += len(pair)

    def next(self) -> bytes | None:
        """The next message to send, until `sent`; None: there is none."""
        if not self._parcels:
            self._close()
        return self._parcels[0] if self._parcels else None

    def sent(self) -> None:
        """The message that `next` gave has left."""
        self._parcels.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._parcels.clear()
        self._gathered, self._size = [], 0

    def _close(self) -> None:
        if self._gathered:
            self._parcels.append(b"".join(self._gathered))
            self._gathered, self._size = [], 0
