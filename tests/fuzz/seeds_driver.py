"""Seeds of fuzz_driver, fuzz_planner and fuzz_planner_model: requests taken through their steps, the
demo's questions, and turns of a model."""

import struct

TOOLS = ("Test_Echo", "SQL_GetSchema", "SQL_QueryReadonly")
SCHEMA = {"tables": [
    {"name": "companies", "columns": [{"name": name} for name in (
        "id", "name", "symbol", "sector", "founded_year", "employees", "market_cap")]},
    {"name": "financial_records", "columns": [{"name": name} for name in (
        "company_id", "quarter", "year", "revenue", "profit", "expenses")]}]}


def pack(value):
    """A value as MessagePack, in forms wide enough for any seed."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, str):
        return b"\xda" + struct.pack(">H", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, dict):
        pairs = b"".join(pack(key) + pack(inner) for key, inner in value.items())
        return b"\xde" + struct.pack(">H", len(value)) + pairs
    return b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))


def operation(kind, detail=0, body=None):
    """One operation of fuzz_driver: kind, detail, length, body."""
    body = b"" if body is None else pack(body)
    return bytes([kind, detail]) + struct.pack(">H", len(body)) + body


def answer(body):
    """The oldest open question is answered, status OK."""
    return operation(6, 0, body)


def start():
    """The directory, the definitions, and a view of two partitions."""
    methods = [{"role": 4, "name": name, "version": "1", "schema": 5 + i, "workers": 1, "instance": "e"}
               for i, name in enumerate(TOOLS)]
    tools = [{"name": name, "version": "1", "schema": 5 + i, "cacheable": True, "idempotent": True,
              "read_only": True, "ttl_ms": 1000, "parameters": {"type": "object", "additionalProperties": True}}
             for i, name in enumerate(TOOLS)]
    members = [{"uuid": bytes(15) + bytes([k]), "endpoint": "tcp://x:1"} for k in (1, 2)]
    return (operation(2) + answer({"instance": "b", "generation": 1, "methods": methods, "workers": []}) +
            answer({"tools": tools}) + operation(3, 0, {"epoch": 1, "members": members}))


def result(data):
    """What an executor answers."""
    return answer({"tool": "x", "version": "1", "success": True, "data": data, "deps": ["db:d"]})


def driver():
    """Calls that miss, hit, wait and fail; and a question through all of its rounds, of either planner."""
    miss = answer({"outcome": "MISS", "lease": 5, "lease_ms": 1000, "position": []})
    kept = pack({"value": {"n": 1}, "sources": [{"tool": "x"}], "deps": ["db:d"]})
    failure = pack({"code": "X", "message": "y"})
    call = start() + operation(0, 2, {"arguments": {"n": 1}, "options": {"ttl_ms": 5}})
    question = start() + operation(0, 0, {"question": "revenue of Orvanta Systems in 2024"})
    catalogue = ({"rows": [{"n": "Orvanta Systems", "s": "ORVA"}]}, {"rows": [{"s": "Energy"}]},
                 {"rows": [{"first": 8092, "last": 8103}]})
    model = b"\xff" + question + miss
    echo = {"id": "a", "tool": "Test_Echo", "arguments": {"n": 1}}
    turn = answer({"end": "tools", "calls": [echo, {"id": "b", "tool": "No_Tool", "arguments": {}}]})
    text = answer({"end": "stop", "text": "One."})
    return [
        model + turn + miss + result({"n": 1}) + answer({"outcome": "STORED"}) + text,
        model + (turn + miss + result({"n": 1}) + answer({})) * 6,
        model + turn + miss + operation(5, 21) + answer({}) + text,
        model + operation(5, 7) + miss + result(SCHEMA),
        model + operation(1, 1), model + operation(2, 200) * 6,
        call + miss + result({"n": 1}) + answer({"outcome": "STORED"}),
        call + answer({"outcome": "STALE", "value": kept, "lease": 7, "lease_ms": 1000}) + result({"n": 1}),
        call + answer({"outcome": "MISS"}) + answer({"outcome": "NEGATIVE", "status": 21, "value": failure}),
        call + answer({"outcome": "WRONG_EPOCH"}) * 3 + operation(5, 21),
        call + miss + operation(1, 1) + operation(2, 200),
        question + miss + miss + result(SCHEMA) + answer({"outcome": "STORED"}) + miss * 3 +
        b"".join(map(result, catalogue)) + answer({}) * 3 + miss +
        result({"rows": [{"company": "Orvanta Systems", "revenue": 5}]})]


def planner(questions):
    """Questions of the demo behind the byte that says so; and the results of a small database."""
    rows = [SCHEMA, {"rows": [{"n": "A B", "s": "AB"}]}, {"rows": [{"s": "Energy"}]},
            {"rows": [{"first": 8092, "last": 8103}]}, {"rows": [{"company": "A B", "revenue": 5}]}]
    return [b"\x00" + question.encode() for question in questions] + [b"\x01" + b"".join(map(pack, rows))]


def planner_model():
    """Turns of a model, each with its length before it: rounds of calls, good and bad, and an end."""
    def turn(end, *calls, **more):
        body = pack({"end": end, "calls": list(calls), **more})
        return struct.pack(">H", len(body)) + body

    good = {"id": "a", "tool": "Test_Echo", "arguments": {"n": 1}}
    usage = {"usage": {"model": "m", "input": 10, "output": 3, "cache_read": 1}}
    bad = [{"id": "b", "tool": "No_Tool", "arguments": {}}, {"id": "c", "tool": "Test_Echo", "arguments": []},
           {"id": "d", "tool": "Test_Echo", "malformed": "{n"}, {"tool": "Test_Echo"}]
    ends = [turn("stop", text="One.", **usage), turn("length", text="One"), turn("refused"), turn("stop")]
    rounds = [turn("tools", good), turn("tools", good, good, **usage), turn("tools", *[good] * 16),
              turn("tools", *bad[:3]), turn("tools", bad[3]), turn("tools", good, text="x" * 1000)]
    return [begin * count + end for begin in rounds for count in (1, 5, 6) for end in ends]
