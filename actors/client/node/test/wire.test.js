/** The wire holds the golden bytes of tests/vectors, and no bytes from outside upset it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { read, write } from "../lib/session.js";
import { STATUS, STATUSES, EXECUTED } from "../lib/statuses.js";
import { COMMAND, decodeHeader, decodeMessage, encodeHeader, encodePair, LIMIT } from "../lib/wire.js";

const top = new URL("../../../../", import.meta.url);
const vectors = JSON.parse(readFileSync(new URL("tests/vectors/wire.json", top), "utf8"));
const bytes = (hex) => Buffer.from(hex, "hex");
const hex = (value) => (value === null ? null : Buffer.from(value).toString("hex"));
const names = {
  deadlineMs: "deadline_ms", idempotencyKey: "idempotency_key", admitLevel: "admit_level",
  retryAfterMs: "retry_after_ms", queueUs: "queue_us", serviceUs: "service_us",
};
const extensionOf = (fields) => {
  const big = (value) => (typeof value === "number" && value > 0xffffffff ? BigInt(value) : value);
  return fields.extension === null ? null
    : write(Object.fromEntries(Object.entries(fields.extension).map(([k, v]) => [k, big(v)])));
};

/** A vector's fields, as a header here. JSON.parse rounds what is above 2^53: those are texts. */
function headerOf(fields) {
  const header = {};
  const reply = "status" in fields;
  const all = reply
    ? ["command", "flags", "id", "status", "executed", "admitLevel", "retryAfterMs", "queueUs", "serviceUs", "credit", "instance"]
    : ["command", "flags", "id", "deadlineMs", "class", "attempt", "role", "method", "key", "tenant", "idempotencyKey", "trace"];
  for (const name of all) {
    let value = fields[names[name] ?? name];
    if ((name === "id" || name === "key") && typeof value === "string") value = BigInt(value);
    if ((name === "idempotencyKey" || name === "trace") && value !== null) value = bytes(value);
    header[name] = value;
  }
  return header;
}

/** Compared as texts: a number is a BigInt where it must be one. */
function comparable(header) {
  return Object.fromEntries(Object.entries(header).filter(([name]) => name !== "extension").map(([name, value]) =>
    [name, value instanceof Uint8Array ? hex(value) : String(value)]));
}

test("the golden headers are written and read byte for byte", () => {
  for (const vector of vectors.canonical) {
    const header = headerOf(vector.fields);
    const read_ = decodeHeader(bytes(vector.hex));
    assert.equal(read_.status, STATUS.OK, vector.name);
    assert.equal(read_.end, vector.hex.length / 2, vector.name);
    assert.deepEqual(comparable(read_.header), comparable(header), vector.name);
    assert.equal(hex(encodeHeader({ ...header, extension: read_.header.extension })), vector.hex, vector.name);
    if (vector.fields.extension === null) assert.equal(read_.header.extension, null, vector.name);
  }
});

test("an extension is written as the golden bytes have it", () => {
  const vector = vectors.canonical.find(({ fields }) => fields.extension?.user === "u-17");
  const encoded = encodeHeader({ ...headerOf(vector.fields), extension: extensionOf(vector.fields) });
  assert.equal(hex(encoded).slice(0, -34), vector.hex.slice(0, -34)); // all but the 64 bits that JSON rounds
});

test("headers of foreign peers are read", () => {
  for (const vector of vectors.foreign) {
    const { status, header } = decodeHeader(bytes(vector.hex));
    assert.equal(status, STATUS.OK, vector.name);
    assert.deepEqual(comparable(header), comparable(headerOf(vector.fields)), vector.name);
  }
});

test("the golden streams are walked pair by pair, and written", () => {
  for (const vector of vectors.streams) {
    const { pairs, broken } = decodeMessage(bytes(vector.hex));
    assert.equal(broken, false, vector.name);
    assert.deepEqual(pairs.map(({ header, body }) => [String(header.id), header.command, hex(body)]),
      vector.pairs.map(({ id, command, body }) => [String(id), command, body]), vector.name);
    const again = Buffer.concat(pairs.map(({ header, body }) => encodePair(header, body)));
    assert.equal(hex(again), vector.hex, vector.name);
  }
});

test("bad bytes cost what the golden outcomes say", () => {
  for (const vector of vectors.bad) {
    const { pairs, broken } = decodeMessage(bytes(vector.hex));
    const outcomes = pairs.map(({ status, id }) =>
      (status === STATUS.OK ? `${id} served` : `${STATUSES[status].name.toLowerCase()}, id ${id}`));
    if (broken) outcomes.push(pairs.length > 0 ? "rest broken" : "broken");
    const expected = vector.outcome.replace("2 bad_request", "bad_request, id 2");
    assert.equal(outcomes.join(", "), expected, vector.name);
  }
});

test("every cut of a message is broken, or a shorter one", () => {
  for (const vector of vectors.streams) {
    const whole = bytes(vector.hex);
    const count = decodeMessage(whole).pairs.length;
    for (let size = 0; size < whole.length; size += 1) {
      const { pairs, broken } = decodeMessage(Buffer.from(whole.subarray(0, size)));
      assert.ok(pairs.length <= count);
      assert.ok(broken || pairs.length < count, `${vector.name}, ${size} bytes`);
    }
  }
});

test("random bytes do no harm", () => {
  let state = 20261128; // the seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  const samples = [...vectors.canonical, ...vectors.streams].map(({ hex: text }) => bytes(text));
  for (let round = 0; round < 20000; round += 1) {
    const sample = Buffer.from(samples[random() % samples.length]);
    for (let i = random() % 4; i >= 0; i -= 1) sample[random() % sample.length] = random() & 255;
    for (const { body } of decodeMessage(sample).pairs) read(body);
  }
});

test("a message of many pairs has bounds", () => {
  const pair = encodePair({ command: COMMAND.REPLY, id: 1 }, Buffer.alloc(0));
  assert.equal(decodeMessage(Buffer.concat(Array(256).fill(pair))).broken, false);
  const { pairs, broken } = decodeMessage(Buffer.concat(Array(257).fill(pair)));
  assert.deepEqual([pairs.length, broken], [256, true]);
  const large = encodePair({ command: COMMAND.REPLY, id: 1 }, Buffer.alloc(LIMIT.BODY));
  assert.equal(decodeMessage(large).pairs[0].status, STATUS.OK);
  assert.equal(decodeMessage(Buffer.concat([pair, large])).broken, true);
});

test("statuses are those of protocol/errors.def", () => {
  const text = readFileSync(new URL("protocol/errors.def", top), "utf8");
  const rows = [...text.matchAll(/^STATUS\((\w+),\s*(\d+),\s*(\w+),\s*(\w+),\s*"([^"]*)"\)/gm)].map(
    ([, name, value, executed, retry, doc]) => ({ name, value: Number(value), executed: EXECUTED[executed], retry, text: doc }));
  assert.ok(rows.length > 20);
  assert.deepEqual(STATUSES.map((row) => ({ ...row })), rows);
});

test("commands are those of protocol/messages.def", () => {
  const text = readFileSync(new URL("protocol/messages.def", top), "utf8");
  const rows = [...text.matchAll(/^COMMAND\((\w+),\s*(\d+),/gm)].map(([, name, value]) => [name, Number(value)]);
  assert.deepEqual(Object.entries(COMMAND), rows);
});

test("bodies keep 64 bits, bytes and text", () => {
  const value = { big: 9007199254740993n, low: -9223372036854775808n, small: 7, blob: Buffer.from([0, 255]), text: "ü\u0000😀" };
  const back = read(write(value));
  assert.deepEqual({ ...back, blob: hex(back.blob) }, { ...value, blob: "00ff" });
  assert.equal(hex(write([2 ** 32, -(2 ** 40), 2 ** 31])), "93cf0000000100000000d3ffffff0000000000cf0000000080000000");
  assert.equal(read(Buffer.from("cf0000000000000007", "hex")), 7);
  assert.equal(read(Buffer.from([0x91])), undefined);
  assert.equal(read(Buffer.alloc(64, 0x91)), undefined); // deeper than the wire allows
});
