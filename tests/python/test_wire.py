"""Headers, pairs and canonical forms hold the golden bytes of tests/vectors, and hostile bytes do no harm."""

import json
import os
import random
import re
import struct
import unittest

import msgpack

from factclient import canonical, errors, status, wire

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SEED = 20250101


def vectors(name):
    with open(os.path.join(TOP, "tests", "vectors", name), encoding="utf-8") as file:
        return json.load(file)


def text(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


WIRE, KEY = vectors("wire.json"), vectors("key.json")


def header_of(fields):
    """A header as the vectors state it."""
    stated = dict(fields, importance=fields.get("class", 1))
    stated.pop("class", None)
    for name in ("id", "key", "schema"):
        if isinstance(stated.get(name), str):
            stated[name] = int(stated[name])
    for name in ("idempotency_key", "trace"):
        if stated.get(name) is not None:
            stated[name] = bytes.fromhex(stated[name])
    return wire.Header(**stated)


def described(message):
    """What becomes of a message, in the words of the vectors."""
    said = []
    pairs = list(wire.pairs_of(message))
    for pair in pairs:
        if pair is None:
            said.append("rest broken" if len(pairs) > 1 else "broken")
        elif len(pairs) == 1 and pair.status:
            said.append("%s, id %d" % (pair.status.name.lower(), pair.header.id))
        else:
            said.append(
                "%d %s"
                % (pair.header.id, "served" if not pair.status else pair.status.name.lower())
            )
    return ", ".join(said)


class Headers(unittest.TestCase):
    def test_they_are_written_and_read_byte_by_byte(self):
        for vector in WIRE["canonical"]:
            with self.subTest(vector["name"]):
                golden = bytes.fromhex(vector["hex"])
                self.assertEqual(
                    wire.decode_header(golden), (status.Status.OK, header_of(vector["fields"]))
                )
                self.assertEqual(wire.encode_header(header_of(vector["fields"])), golden)
        self.assertGreater(len(WIRE["canonical"]), 5)

    def test_foreign_ones_are_read_and_encoded_in_our_widths(self):
        for vector in WIRE["foreign"]:
            with self.subTest(vector["name"]):
                code, header = wire.decode_header(bytes.fromhex(vector["hex"]))
                self.assertEqual((code, header), (status.Status.OK, header_of(vector["fields"])))
                if vector["canonical"] is not None:
                    self.assertEqual(wire.encode_header(header).hex(), vector["canonical"])

    def test_what_is_out_of_bounds_is_not_written(self):
        for fields in (
            {"method": "m" * 65},
            {"tenant": "\u00e9" * 33},
            {"key": 2**64},
            {"key": -1},
            {"attempt": 256},
            {"idempotency_key": b"x" * 15},
            {"trace": b"x" * 26},
            {"extension": {"user": "u" * 800}},
            {"deadline_ms": 2**32},
        ):
            with self.subTest(fields), self.assertRaises(ValueError):
                wire.encode_header(wire.Header(wire.REQUEST, **fields))


class Pairs(unittest.TestCase):
    def test_streams_are_read_and_packed(self):
        for vector in WIRE["streams"]:
            with self.subTest(vector["name"]):
                message, outgoing = bytes.fromhex(vector["hex"]), wire.Outgoing()
                pairs = list(wire.pairs_of(message))
                for pair, stated in zip(pairs, vector["pairs"], strict=True):
                    body = None if stated["body"] is None else bytes.fromhex(stated["body"])
                    self.assertEqual(
                        (pair.header.id, pair.header.command, pair.body),
                        (int(stated["id"]), stated["command"], body),
                    )
                    outgoing.put(wire.encode_pair(pair.header, pair.body))
                self.assertEqual(outgoing.next(), message)

    def test_hostile_bytes_end_as_stated(self):
        for vector in WIRE["bad"]:
            with self.subTest(vector["name"]):
                self.assertEqual(described(bytes.fromhex(vector["hex"])), vector["outcome"])
        self.assertGreater(len(WIRE["bad"]), 30)

    def test_every_cut_and_every_flipped_bit_ends_well(self):
        good = [bytes.fromhex(vector["hex"]) for vector in WIRE["canonical"] + WIRE["foreign"]]
        message = b"".join(header + b"\xc4\x05\x81\xa1a\xa1b" for header in good)
        for at in range(len(message)):
            self.assertLessEqual(sum(pair is None for pair in wire.pairs_of(message[:at])), 1)
            for bit in range(8):
                bent = message[:at] + bytes((message[at] ^ 1 << bit,)) + message[at + 1 :]
                for pair in wire.pairs_of(bent):
                    if (
                        pair is not None and pair.status is status.Status.OK
                    ):  # what is read can be written
                        self.assertEqual(
                            wire.decode_header(wire.encode_header(pair.header)), (0, pair.header)
                        )

    def test_random_bodies_are_read_or_refused(self):
        chance = random.Random(SEED)
        for _ in range(20000):
            body = chance.randbytes(chance.randrange(60))
            try:
                wire.decode_body(body)
            except ValueError:
                continue

    def test_keys_of_maps_may_be_anything_that_python_takes(self):
        self.assertEqual(wire.decode_body(b"\x82\x01\x02\xc0\x03"), {1: 2, None: 3})
        with self.assertRaises(ValueError):
            wire.decode_body(b"\x81\x80\x01")

    def test_a_bad_header_is_looked_at_with_care(self):
        for element in (
            b"\x80",
            b"\x90",
            b"\xa1x",
            b"\xca\x00\x00\x00\x00",
            b"\xd4\x05\x00",
            b"\xff",
            b"\xc0",
        ):
            for at in range(4):
                numbers = [b"\x01", b"\x04", b"\x00", b"\x06"]
                numbers[at] = element
                (pair,) = wire.pairs_of(b"\x94" + b"".join(numbers) + b"\xc0")
                self.assertEqual(pair.status, status.Status.BAD_REQUEST)
                self.assertEqual(pair.header.id, 0 if at == 3 else 6)

    def test_no_claimed_length_allocates(self):
        for nested in (
            b"\xdd\x00\x03\xff\xff",
            b"\xdc\xff\xff",
            b"\xdf\x7f\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
        ):
            with self.assertRaises(ValueError):
                wire.decode_body(nested * 1000)
        many = msgpack.packb({"rows": [{"n": n, "t": "\u05d0\u00dc" * 9} for n in range(2000)]})
        self.assertEqual(len(wire.decode_body(many)["rows"]), 2000)  # tags in a text are no claim

    def test_a_message_takes_256_pairs_and_64_kib(self):
        header = wire.Header(wire.REQUEST, id=1, deadline_ms=1, role=2, method="m")
        outgoing = wire.Outgoing()
        for _ in range(300):
            outgoing.put(wire.encode_pair(header, b""))
        sizes = []
        while (message := outgoing.next()) is not None:
            sizes.append(len(list(wire.pairs_of(message))))
            outgoing.sent()
        self.assertEqual(sizes, [256, 44])
        for size in (32000, 32000, 40000, 10):
            outgoing.put(wire.encode_pair(header, b"x" * size))
        sizes = []
        while (message := outgoing.next()) is not None:
            sizes.append([len(pair.body) for pair in wire.pairs_of(message)])
            outgoing.sent()
        self.assertEqual(sizes, [[32000, 32000], [40000], [10]])

    def test_a_message_may_be_exactly_full(self):
        header = wire.Header(wire.HEARTBEAT)
        half = wire.encode_pair(
            header, b"x" * (32768 - len(wire.encode_pair(header, b"x" * 30000)) + 30000)
        )
        outgoing = wire.Outgoing()
        outgoing.put(half)
        outgoing.put(half)
        self.assertEqual(len(outgoing.next()), wire.MESSAGE_BYTES_MAX)
        self.assertEqual([pair.status for pair in wire.pairs_of(outgoing.next())], [0, 0])

    def test_what_passes_a_bound_in_company_is_broken(self):
        header = wire.Header(wire.HEARTBEAT)
        pair = wire.encode_pair(header)
        self.assertEqual([one is None for one in wire.pairs_of(pair * 257)], [False] * 256 + [True])
        large = wire.encode_pair(header, b"x" * 65000)
        self.assertEqual([one is None for one in wire.pairs_of(large + large)], [False, True])
        alone = list(wire.pairs_of(wire.encode_pair(header, b"x" * 262145)))
        self.assertEqual([one.status for one in alone], [status.Status.TOO_LARGE])

    def test_measure_is_what_msgpack_reads(self):
        chance = random.Random(SEED)
        values = [
            None,
            True,
            0,
            127,
            128,
            -1,
            -33,
            2**63,
            -(2**63),
            1.5,
            "",
            "x" * 40,
            "y" * 300,
            b"",
            b"z" * 70000,
            [],
            [1] * 20,
            {},
            {"a": [{}]},
            {str(n): n for n in range(70000)},
            msgpack.ExtType(5, b"1234"),
        ]
        for value in values:
            packed = msgpack.packb(value)
            self.assertEqual(wire.measure(packed, 0), len(packed))
            self.assertEqual(wire.measure(packed + b"\xc0", 0), len(packed))
            for _ in range(20):
                self.assertEqual(wire.measure(packed[: chance.randrange(len(packed))], 0), -1)
        self.assertEqual(wire.measure(b"\xca" + struct.pack(">f", 1.5), 0), 5)


class Canonical(unittest.TestCase):
    def test_values_have_one_form(self):
        for vector in KEY["canonical"]:
            with self.subTest(vector["name"]):
                value = msgpack.unpackb(bytes.fromhex(vector["input"]))
                self.assertEqual(canonical.canonical(value).hex(), vector["canonical"])
        self.assertGreater(len(KEY["canonical"]), 100)

    def test_what_has_none_is_refused_with_the_reason(self):
        ours = {"NaN", "infinity", "map key is not text", "binary or extension type"}
        tried = 0
        for vector in KEY["refused"]:
            if (
                vector["why"] in ours
                and "map key: map" not in vector["name"]
                and "map key: array" not in vector["name"]
            ):
                value = msgpack.unpackb(bytes.fromhex(vector["input"]), strict_map_key=False)
                with (
                    self.subTest(vector["name"]),
                    self.assertRaisesRegex(ValueError, vector["why"]),
                ):
                    canonical.canonical(value)
                tried += 1
        self.assertGreaterEqual(tried, 20)
        for value in (
            2**64,
            -(2**63) - 1,
            "\ud800",
            {"\ud800": 1},
            object(),
            [[[]] * 2] * 2 + [{1: 2}],
        ):
            with self.subTest(value), self.assertRaises(ValueError):
                canonical.canonical(value)

    def test_nesting_has_a_bound(self):
        deep = []
        for _ in range(31):
            deep = [deep]
        canonical.canonical(deep)
        with self.assertRaisesRegex(ValueError, "too deep"):
            canonical.canonical([deep])

    def test_definitions_have_the_golden_hashes(self):
        for vector in KEY["schemas"]:
            with self.subTest(vector["name"]):
                told = msgpack.unpackb(bytes.fromhex(vector["definition"]))
                known = {
                    name: told.get(name) for name in ("name", "version", "parameters", "result")
                }
                self.assertEqual(canonical.canonical(known).hex(), vector["hashed"])
                self.assertEqual("%016x" % canonical.schema_hash(**known), vector["schema_hash"])


class Tables(unittest.TestCase):
    """What stands in protocol/*.def stands here as well, and no otherwise."""

    def test_statuses(self):
        rows = re.findall(
            r'^STATUS\((\w+), *(\d+), *(\w+), *(\w+), *"(.*)"\)',
            text("protocol", "errors.def"),
            re.M,
        )
        stated = [
            (name, int(value), executed, retry, says) for name, value, executed, retry, says in rows
        ]
        ours = [(s.name, s.value, s.executed.name, s.retry.name, s.text) for s in status.STATUSES]
        self.assertEqual(ours, stated)
        self.assertEqual([s.value for s in status.STATUSES], list(range(len(ours))))

    def test_every_status_but_ok_has_a_family(self):
        self.assertEqual(set(errors.FAMILIES), set(status.STATUSES) - {status.Status.OK})

    def test_commands_and_flags(self):
        said = text("protocol", "messages.def")
        rows = re.findall(r"^COMMAND\((\w+), *(\d+), *(\w+),", said, re.M)
        self.assertEqual(
            {name: getattr(wire, name) for name, _, _ in rows},
            {name: int(value) for name, value, _ in rows},
        )
        self.assertEqual(
            wire.REPLY_LAYOUT, {int(value) for _, value, layout in rows if layout == "REPLY"}
        )
        flags = dict(re.findall(r"^FLAG\((\w+), *(\d+),", said, re.M))
        for name in ("IDEMPOTENT", "DEGRADED", "NO_CACHE", "REFRESH", "ONLY_IF_CACHED"):
            self.assertEqual(getattr(wire, name), int(flags[name]))

    def test_roles(self):
        names = re.search(r"enum role \{(.*?)\}", text("protocol", "envelope.h"), re.S).group(1)
        order = re.findall(r"ROLE_(\w+)", names)
        for name in (
            "BROKER",
            "DRIVER",
            "CACHE_PARTITION",
            "TOOL_EXECUTOR",
            "ARCADE_GATEWAY",
            "CLIENT",
        ):
            self.assertEqual(getattr(wire, name), order.index(name))

    def test_limits(self):
        limits = dict(re.findall(r"^#define (\w+) (\d+)u", text("protocol", "limits.h"), re.M))
        tried = 0
        from factclient import core, keys, lines, routes, worker_core

        for module in (wire, core, routes, worker_core):
            for name, value in vars(module).items():
                if name in limits and isinstance(value, int):
                    self.assertEqual(value, int(limits[name]), name)
                    tried += 1
        self.assertGreaterEqual(tried, 10)
        self.assertEqual(worker_core.CONCURRENCY_MAX, int(limits["WORKER_CREDIT_MAX"]))
        self.assertEqual(keys.SERVER_KEYS_MAX, int(limits["CURVE_SERVER_KEYS_MAX"]))
        self.assertEqual(lines.CALLS_MAX, int(limits["ASKS_MAX"]))
        self.assertEqual(canonical.NESTING_MAX, int(limits["DEFINITION_NESTING_MAX"]))

    def test_schema_keywords(self):
        from factclient import schemas

        said = re.search(r"Keywords: (.*?)Any other", text("protocol", "schema.h"), re.S).group(1)
        words = set(re.findall(r"\b[a-z][A-Za-z]+\b", said)) - set(
            "and which say nothing about value".split()
        )
        self.assertEqual(set(schemas.KEYWORDS), words)


if __name__ == "__main__":
    unittest.main()
