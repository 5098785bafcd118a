"""The part of JSON Schema that a tool may use (protocol/schema.h).

What a driver would refuse is said here, where its author sees it. The driver checks the rest: values,
types, defaults.
"""

from __future__ import annotations

from typing import Any

import msgpack

BYTES_MAX = 32768
KEYWORDS = frozenset(
    """type enum const default minLength maxLength pattern format minimum maximum exclusiveMinimum
    exclusiveMaximum multipleOf items minItems maxItems uniqueItems properties required
    additionalProperties title description examples""".split()
)


def check(schema: Any, path: str) -> None:
    """Check a schema's keywords, all the way down.

    Parameters
    ----------
    schema : dict or None
    path : str
        Where it stands, for people.

    Raises
    ------
    ValueError
        It is none, or has a keyword that is not offered.
    """
    if schema is None:
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{path}: a schema is a dict")
    for keyword in schema:
        if keyword not in KEYWORDS:
            raise ValueError(f"{path}: keyword {keyword!r} is not offered")
    for name, inner in (schema.get("properties") or {}).items():
        check(inner, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if not isinstance(schema.get(keyword), bool):
            check(schema.get(keyword), f"{path}.{keyword}")
    if len(msgpack.packb(schema)) > BYTES_MAX:
        raise ValueError(f"{path}: a schema has at most {BYTES_MAX} bytes")
