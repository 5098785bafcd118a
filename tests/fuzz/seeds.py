#!/usr/bin/env python3
"""Write what the fuzz targets begin with, from the golden vectors and from `describe`.

    tests/fuzz/seeds.py DIR      DIR/<target>/<name of the seed>

A seed is named by the hash of its bytes: written twice, it is there once.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import seeds_driver

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"


def load(name):
    """The golden file of this name, as JSON says it."""
    with open(VECTORS / name, encoding="utf-8") as file:
        return json.load(file)


def hexes(value):
    """Every text of hexadecimal bytes in a JSON value, however deep, as bytes."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for inner in value for found in hexes(inner)]
    if not isinstance(value, str) or len(value) < 2:
        return []
    try:
        return [bytes.fromhex(value)]
    except ValueError:
        return []


def pairs():
    """Messages of the wire, good and bad."""
    return hexes(load("wire.json"))


def server():
    """Who speaks, its length as long as there is one, and a message."""
    return [bytes([4, 255]) + message for message in pairs()]


def broker():
    """Steps of fuzz_broker: both sides greet; a message of either; time; an answer; more time."""
    message, greet, time, answer = (8 * step for step in (0, 1, 2, 5))
    seeds = []
    for wire in pairs():
        for side in (0, 1):
            seeds.append(bytes([greet, greet + 1, message + side, len(wire) >> 8 & 255,
                                len(wire) & 255]) + wire +
                         bytes([time, 3, answer + 1, 0, time, 200, time, 255]))
    return seeds


def settings():
    """A fact.yaml with each kind of value, and some of what YAML has besides."""
    return [b"common:\n  zone: a\n  drain_ms: 5s\nbroker: {queue_max: 5, frontend: 'ipc://x'}\n",
            b"cache_partition:\n  memory_bytes: 64MiB # c\ntool_executor:\n  test_tools: true\n",
            b"driver:\n  namespace: &a |\n    x\n  planner: *a\n", b"? a\n: - b\n---\n!!map {}\n"]


def canonical():
    """A value, and behind it perhaps a schema."""
    key = load("key.json")
    cases = key["canonical"] + key["defaults"] + key["refused"]
    return [bytes.fromhex(case["input"] + case.get("schema", "")) for case in cases]


def schema():
    """A schema, and behind it a value; and a schema with each keyword."""
    cases = load("key.json")["defaults"]
    seeds = [bytes.fromhex(case["schema"] + case["canonical"]) for case in cases]
    for keyword in ("type", "enum", "const", "default", "minLength", "maxLength", "pattern", "format",
                    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "items",
                    "minItems", "maxItems", "uniqueItems", "properties", "required",
                    "additionalProperties", "title", "description", "examples"):
        name = bytes([0xA0 + len(keyword)]) + keyword.encode()
        for rule, value in ((b"\x02", b"\x03"), (b"\xa4date", b"\xaa2024-02-29"), (b"\xc3", b"\x92\x01\x02"),
                            (b"\x80", b"\x91\x01"), (b"\x81\xa1a\x80", b"\x81\xa1a\x01"),
                            (b"\x91\xa1a", b"\x81\xa1a\x01"), (b"\xa6^[a-c]", b"\xa1b"),
                            (b"\xa7integer", b"\x05"), (b"\xa9(a|b){2}?", b"\xa2ab")):
            seeds.append(b"\x81" + name + rule + value)
    return seeds


def key():
    """A byte that chooses the rules, then a text."""
    vectors = load("key.json")
    texts = [(case["rules"] == "q1f", bytes.fromhex(case["input"])) for case in vectors["questions"]]
    texts += [(False, case["tool"].encode()) for case in vectors["keys"] if "tool" in case]
    texts += [(False, bytes.fromhex(case["key"])) for case in load("placement.json")["slots"]]
    return [bytes([fold]) + text for fold, text in texts]


def message(describe):
    """A byte that chooses the message, then its body: ids are in the reference."""
    reference = subprocess.run([describe], capture_output=True, text=True, check=True).stdout
    heads = [line[4:-1].split(" (") for line in reference.splitlines() if line.startswith("### ")]
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([describe, "--seeds", folder], check=True)
        for name, number in heads:
            for body in sorted(pathlib.Path(folder).glob(name + ".*")):
                seeds.append(bytes([int(number)]) + body.read_bytes())
    return seeds


def cache_partition(describe):
    """Steps of fuzz_cache_partition: fills and failures with one who waits, then whatever ends or
    overtakes them; and each body of the rows by itself, between two beats."""
    def built(kind, status=21, flags=1):
        return bytes([kind, 0, 200, 0, 100, 100, status, flags, 255])

    get, store, fail, beat = built(6), built(7), built(8), bytes([15])
    raw = {"cache_get": 0, "cache_mget": 1, "cache_set": 2, "cache_fail": 3, "cache_explain": 4,
           "cache_stats": 5, "event_invalidate": 11, "view": 12}
    ends = [bytes([14, ticks]) for ticks in (1, 90, 255)] + [bytes([13, 0]), fail, beat]
    seeds = [beat + get + get + back + get + end + get + get
             for back in (store, fail, built(8, status=1)) for end in ends]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([describe, "--seeds", folder], check=True)
        for name, kind in raw.items():
            for path in sorted(pathlib.Path(folder).glob(name + ".*")):
                body = path.read_bytes()[:255]
                step = bytes([kind, len(body)]) + body
                seeds.append(beat + step + bytes([1, 100] if kind < 6 else []) + get + beat + get)
    return seeds


def main():
    """Write all seeds below the folder that is named."""
    if len(sys.argv) != 2:
        sys.exit("usage: seeds.py DIR")
    corpus = pathlib.Path(sys.argv[1]).resolve()
    describe = corpus.parent / "bin" / "describe"
    seeds = {"pairs": pairs(), "server": server(), "broker": broker(),
             "settings": settings(), "canonical": canonical(),
             "schema": schema(), "key": key(), "message": message(describe),
             "cache_partition": cache_partition(describe),
             "driver": seeds_driver.driver(),
             "planner_model": seeds_driver.planner_model(),
             "planner": seeds_driver.planner([case["question"] for case in
                                              load("demo_questions.json")["questions"]])}
    for target, inputs in seeds.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)
        print(f"{target}: {len(inputs)} seeds")


if __name__ == "__main__":
    main()
