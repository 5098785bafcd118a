"""The one form of a value that schema hashes are made of (docs/tools.md, section 1).

Map keys are unique text, sorted by their bytes; everything is in its shortest form; floats that are
whole, up to 2^53, are integers; other floats have 64 bits. NaN, infinity, bytes and extensions are
refused.
"""

from __future__ import annotations

import math
from typing import Any

import msgpack

WHOLE_MAX = 2.0**53  # up to here floats are integers
NESTING_MAX = 32  # containers inside each other


def _float(number: float) -> int | float:
    if math.isnan(number):
        raise ValueError("NaN")
    if math.isinf(number):
        raise ValueError("infinity")
    return int(number) if abs(number) <= WHOLE_MAX and number == int(number) else number


def _map(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise ValueError("map key is not text")
    ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-8"))
    return {key: _ordered(inner, depth + 1) for key, inner in ordered}


def _ordered(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError("integer beyond 64 bits")
        return value
    if isinstance(value, float):
        return _float(value)
    if depth >= NESTING_MAX and isinstance(value, (list, tuple, dict)):
        raise ValueError("too deep")
    if isinstance(value, (list, tuple)):
        return [_ordered(inner, depth + 1) for inner in value]
    if isinstance(value, dict):
        return _map(value, depth)
    raise ValueError("binary or extension type")


def canonical(value: Any) -> bytes:
    """Encode a value in canonical MessagePack.

    Parameters
    ----------
    value : Any
        None, bool, int, float, str, and lists and dicts of them; dicts with keys of text.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        It has no canonical form; the text says why.
    """
    try:
        return bytes(msgpack.packb(_ordered(value, 0)))
    except UnicodeEncodeError as error:  # a lone surrogate
        raise ValueError("text that is not UTF-8") from error


def schema_hash(name: str, version: str, parameters: Any = None, result: Any = None) -> int:
    """The schema hash of a tool: XXH3-64 of its canonical definition.

    Parameters
    ----------
    name, version : str
        Of the tool.
    parameters, result : dict, optional
        JSON Schemas of the arguments and of the data.

    Returns
    -------
    int
        0 to 2^64 - 1.

    Raises
    ------
    ValueError
        A schema has no canonical form.
    RuntimeError
        The package xxhash is not installed.
    """
    try:
        import xxhash
    except ImportError as error:
        raise RuntimeError("a tool needs xxhash: pip install 'factclient[worker]'") from error
    definition = {"name": name, "version": version, "parameters": parameters, "result": result}
    return int(xxhash.xxh3_64_intdigest(canonical(definition)))
