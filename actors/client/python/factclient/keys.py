"""The files with the keys that a connection is made with: those that ``fact keys generate`` writes."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field

FILE_BYTES_MAX = 4096
SERVER_KEYS_MAX = 4
OTHERS = 0o077  # the access that others than its owner must not have to a secret
# source: ZeroMQ RFC 32
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


@dataclass(frozen=True)
class Keys:
    """Keys of CURVE, each 40 characters of Z85.

    Attributes
    ----------
    public, secret : bytes
        Our own pair.
    servers : tuple of bytes
        The keys that the broker may have, 1 to 4; they are tried in turn.
    """

    public: bytes
    secret: bytes = field(repr=False)
    servers: tuple[bytes, ...]


def _is_key(text: str) -> bool:
    """Each five characters are a number of 32 bits."""
    if len(text) != 40 or any(digit not in _DIGITS for digit in text):
        return False
    for at in range(0, 40, 5):
        number = 0
        for digit in text[at : at + 5]:
            number = number * len(_DIGITS) + _DIGITS.index(digit)
        if number >= 2**32:
            return False
    return True


def _read(path: str, secret: bool) -> str:
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read(FILE_BYTES_MAX + 1)
    if secret and os.name == "posix" and stat.S_IMODE(mode) & OTHERS:
        raise ValueError(f"{path}: others may read the secret key: chmod 600 {path}")
    return data.decode("latin-1") if len(data) <= FILE_BYTES_MAX else ""


def _keys_of(text: str, name: str) -> list[str]:
    """Every key of this name; [""]: one of them is none."""
    keys = re.findall(rf'^[ \t]*{name}[ \t]*=[ \t]*"?(.*?)"?[ \t\r]*$', text, re.MULTILINE)
    return keys if all(map(_is_key, keys)) else [""]


def read_keys(key_file: str | None, server_key_file: str | None) -> Keys | None:
    """Read both files.

    Parameters
    ----------
    key_file : str or None
        Our pair, ``NAME.secret``; nobody but its owner may have access to it.
    server_key_file : str or None
        The public key of the broker, or several.

    Returns
    -------
    Keys or None
        None: neither file is given, connections are plain.

    Raises
    ------
    ValueError
        Only one of the two, a file without such keys, or a secret that others may read; it says what
        to mend.
    OSError
        A file cannot be read.
    """
    if key_file is None and server_key_file is None:
        return None
    if key_file is None or server_key_file is None:
        raise ValueError("key_file and server_key_file go together: give both, or neither")
    text = _read(key_file, True)
    public, secret = _keys_of(text, "public-key"), _keys_of(text, "secret-key")
    if len(public) != 1 or len(secret) != 1 or not public[0] or not secret[0]:
        raise ValueError(
            f"{key_file} holds no key pair: give a NAME.secret of fact keys generate"
        )
    servers = _keys_of(_read(server_key_file, False), "public-key")
    if not 1 <= len(servers) <= SERVER_KEYS_MAX or not servers[0]:
        raise ValueError(f"{server_key_file} holds no public key: give the broker's NAME.public")
    return Keys(public[0].encode(), secret[0].encode(), tuple(key.encode() for key in servers))
