/** Several brokers, kept calls and the throttle, in virtual time and without a socket. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Lines } from "../lib/lines.js";
import { BROKERS_MAX, isEndpoint, Route, Routes } from "../lib/routes.js";
import { ACKS, read, RESUME_MS, Session, STATE, STATUS_FIRST, write } from "../lib/session.js";
import { EXECUTED, STATUS } from "../lib/statuses.js";
import { PART_MS, PARTS, REQUESTS_MIN, Throttle } from "../lib/throttle.js";
import { COMMAND, decodeMessage, encodePair, FLAG, ROLE } from "../lib/wire.js";

const KEPT = { command: COMMAND.REQUEST, role: ROLE.DRIVER, method: "Some_Tool", flags: FLAG.KEEP };
const PLAIN = { ...KEPT, flags: FLAG.IDEMPOTENT };
const welcomeOf = (fields) => encodePair({ command: COMMAND.WELCOME, credit: 1000 },
  write({ instance: "b", generation: 1, heartbeat_ms: 1000, dead_ms: 60000, ...fields }));
const replyOf = (id, fields = {}, body = {}) =>
  encodePair({ command: COMMAND.REPLY, id, credit: 1000, executed: 2, ...fields }, write(body));

function drain(session, nowAt) {
  const pairs = [];
  for (let m = session.takeOutgoing(nowAt); m !== null; m = session.takeOutgoing(nowAt)) pairs.push(...decodeMessage(m).pairs);
  return pairs;
}

/** A session and the ends it told. */
function alone() {
  const ends = [];
  const session = new Session({
    id: Buffer.alloc(16, 7), instance: "test", pid: 1, version: "0", callsMax: 4096, waitingBytesMax: 1 << 24,
    onEnd: (end) => ends.push(end),
  }, 0);
  drain(session, 0);
  session.take(welcomeOf({}), 0);
  return { session, ends };
}

/** Lines, what their owner was told, and a greeting of each. */
function scene(endpoints = ["tcp://a:1", "tcp://b:1"], options = {}) {
  const told = { connects: [], closed: [], moved: [], ends: [] };
  const lines = new Lines({
    endpoints, seed: 7, single: false, givenOnly: false,
    open: (line) => new Session({
      id: Buffer.alloc(16, line.number), instance: "test", pid: 1, version: "0", callsMax: 4096, waitingBytesMax: 1 << 24,
      onEnd: (end) => told.ends.push(end), onUp: (welcome) => lines.onUp(line, welcome),
      onDown: (reason) => lines.onDown(line, reason), onRefused: () => lines.onRefused(line),
      onGoaway: (goaway, ms) => lines.onGoaway(line, goaway, ms, 0), onError: (message) => { lines.reason = message; },
    }, 0),
    connect: (line) => told.connects.push([line.number, line.route.endpoint]),
    close: (line) => told.closed.push(line.number), moveWaiting: (line) => told.moved.push(line.number), ...options,
  }, 0);
  lines.tick(0);
  const greet = (number, fields = {}) => {
    const line = lines.all.find((each) => each.number === number);
    drain(line.session, 0);
    line.session.take(welcomeOf({ generation: number + 1, ...fields }), 0);
    return line;
  };
  return { lines, told, greet };
}

test("clients spread over all brokers, each in an order of its own", () => {
  const endpoints = [0, 1, 2, 3, 4].map((n) => `tcp://b${n}:1`);
  const firsts = new Map(endpoints.map((endpoint) => [endpoint, 0]));
  for (let seed = 0; seed < 500; seed += 1) {
    const { endpoint } = new Routes(endpoints, seed).next();
    firsts.set(endpoint, firsts.get(endpoint) + 1);
  }
  for (const count of firsts.values()) assert.ok(count > 60);
});

test("what brokers name is checked, known once and bounded", () => {
  const routes = new Routes(["tcp://a:1"], 1);
  routes.all[0].name = "tcp://alias:1";
  for (const junk of [null, 5, {}, "", "tcp://a", "tcp://a:0", "tcp://a:65536", "udp://a:1", "tcp://a b:1", `tcp://${"a".repeat(300)}:1`,
    "tcp://a:1", "tcp://alias:1"]) routes.add(junk);
  assert.equal(routes.all.length, 1);
  for (let n = 0; n < 100; n += 1) routes.add(`tcp://n${n}:1`);
  assert.equal(routes.all.length, BROKERS_MAX);
  assert.ok(isEndpoint("ipc:///tmp/x") && !isEndpoint(`ipc://${"x".repeat(108)}`));
});

test("who leaves, refuses or lets wait comes second, until that fades", () => {
  const [one, other] = [new Route("a", 2), new Route("b", 1)];
  const reply = { status: STATUS.OK, admitLevel: 3, queueUs: 0 };
  assert.ok(one.precedes(other, 1, 0));
  one.learn({ ...reply, admitLevel: 0 }, 0);
  assert.ok(other.precedes(one, 1, 1) && one.precedes(other, 0, 1) && one.precedes(other, 1, 1000));
  one.learn({ ...reply, queueUs: 100000 }, 2000);
  assert.ok(other.precedes(one, 1, 2000) && one.precedes(other, 1, 3000));
  one.learn({ ...reply, status: STATUS.DRAINING }, 4000);
  assert.ok(other.precedes(one, 1, 4000) && one.precedes(other, 1, 5000));
});

test("two are held; who does not greet in a second makes room for a third", () => {
  const { lines, told, greet } = scene(["tcp://a:1", "tcp://b:1", "tcp://c:1"]);
  assert.deepEqual(told.connects.map(([number]) => number), [0, 1]);
  greet(0);
  assert.ok(lines.dueAt() <= 1000);
  lines.tick(1000);
  assert.deepEqual(new Set(told.connects.map(([, endpoint]) => endpoint)).size, 3);
  assert.equal(told.connects[2][0], 1);
  assert.equal(scene(undefined, { single: true }).lines.all.length, 1);
});

test("calls go to who is there, stays, and is heard", () => {
  const { lines, greet, told } = scene();
  const second = greet(1);
  assert.equal(lines.best(1, 0), second);
  assert.deepEqual(told.moved, [0]); // what waits for the other is better off here
  greet(0);
  const first = lines.best(1, 0);
  const other = lines.other(first);
  first.session.take(encodePair({ command: COMMAND.GOAWAY, retryAfterMs: 30000 }), 0);
  assert.equal(lines.best(1, 0), other);
  lines.onUp(first, { generation: 77 }); // it is back, as another process
  assert.equal(lines.best(1, 0), first);
  other.session.take(encodePair({ command: COMMAND.HEARTBEAT }), 29000);
  assert.equal(lines.best(1, 31000), other); // the first is silent
  first.session.take(encodePair({ command: COMMAND.HEARTBEAT }), 31000);
  first.session.lost("closed", 31000);
  assert.equal(lines.best(1, 31000), other);
  assert.equal(lines.state, STATE.UP);
});

test("two endpoints of one broker are one line, and who refuses is left", () => {
  const { lines, told, greet } = scene();
  greet(0);
  greet(1, { generation: 1 });
  lines.tick(1);
  assert.deepEqual([told.closed, lines.all.length, lines.routes.usable], [[1], 1, 1]);
  const refused = scene();
  const line = refused.greet(0);
  refused.greet(1);
  line.session.take(encodePair({ command: COMMAND.DISCONNECT, status: STATUS.UNAUTHENTICATED }, write({ reason: "no" })), 1);
  refused.lines.tick(2);
  assert.deepEqual([refused.told.closed, refused.lines.state], [[0], STATE.UP]);
  refused.lines.all[0].session.take(encodePair({ command: COMMAND.DISCONNECT, status: STATUS.VERSION }), 3);
  assert.deepEqual([refused.lines.state, refused.lines.best(1, 3), refused.lines.whyNobody], [STATE.REFUSED, null, STATUS.VERSION]);
});

test("brokers that are named are used, unless only the given are", () => {
  for (const givenOnly of [false, true]) {
    const { lines, greet } = scene(["tcp://a:1"], { givenOnly });
    greet(0, { brokers: [{ frontend: "tcp://a:1" }, { frontend: "tcp://b:1" }, { frontend: 5 }, "x", null] });
    assert.deepEqual(lines.routes.all.map((route) => route.endpoint), givenOnly ? ["tcp://a:1"] : ["tcp://a:1", "tcp://b:1"]);
  }
});

test("a kept call outlives its connection: its answer was held, or it still runs", () => {
  const { session, ends } = alone();
  session.ask(KEPT, null, 10000, "held", 0);
  session.ask(KEPT, null, 10000, "runs", 0);
  session.ask(PLAIN, null, 10000, "harmless", 0);
  drain(session, 0);
  session.lost("closed", 1);
  assert.deepEqual(ends.map(({ tag, status }) => [tag, status]), [["harmless", STATUS.WORKER_LOST]]);
  assert.equal(read(drain(session, 101)[0].body).resume, true);
  session.take(welcomeOf({}), 102);
  const asked = drain(session, 102);
  assert.deepEqual(asked.map(({ header, body }) => [header.command, header.id, read(body).id]),
    [[COMMAND.QUERY, STATUS_FIRST + 1, 1], [COMMAND.QUERY, STATUS_FIRST + 2, 2]]);
  session.take(Buffer.concat([replyOf(1), replyOf(STATUS_FIRST + 1, {}, { state: "answered" }),
    replyOf(STATUS_FIRST + 2, {}, { state: "started" })]), 103);
  session.tick(5000);
  assert.deepEqual(ends.slice(1).map(({ tag, status }) => [tag, status]), [["held", STATUS.OK]]);
  session.take(replyOf(2), 5001);
  assert.deepEqual([ends.at(-1).tag, ends.at(-1).local], ["runs", false]);
});

test("a kept call is lost where nobody knows of it, or says so in time", () => {
  for (const [fields, body] of [[{}, { state: "unknown" }], [{}, { state: 5 }], [{}, 7], [{ status: STATUS.BAD_REQUEST }, null]]) {
    const { session, ends } = alone();
    session.ask(KEPT, null, 10000, "a", 0);
    drain(session, 0);
    session.lost("closed", 1);
    drain(session, 101);
    session.take(Buffer.concat([welcomeOf({}), replyOf(STATUS_FIRST + 1, fields, body)]), 102);
    assert.deepEqual(ends.map(({ status, executed }) => [status, executed]), [[STATUS.WORKER_LOST, EXECUTED.MAYBE]]);
  }
  const late = alone();
  late.session.ask(KEPT, null, 10000, "a", 0);
  drain(late.session, 0);
  late.session.lost("closed", 1);
  assert.ok(late.session.dueAt() <= RESUME_MS + 1);
  late.session.tick(RESUME_MS);
  assert.equal(late.ends.length, 0);
  late.session.tick(RESUME_MS + 1);
  assert.equal(late.ends[0].status, STATUS.WORKER_LOST);
  const other = alone();
  other.session.ask(KEPT, null, 10000, "a", 0);
  drain(other.session, 0);
  other.session.lost("closed", 1);
  drain(other.session, 101);
  other.session.take(welcomeOf({ generation: 2 }), 102);
  assert.equal(other.ends[0].status, STATUS.WORKER_LOST);
});

test("answers that were held are acknowledged after 32, or with a beat", () => {
  const { session } = alone();
  for (let n = 0; n <= ACKS + 1; n += 1) session.ask(KEPT, null, 60000, n, 0);
  drain(session, 0);
  const floors = (nowAt) => drain(session, nowAt).filter(({ header }) => header.command === COMMAND.ACKFLOOR).map(({ header }) => header.id);
  session.take(replyOf(1), 1);
  assert.deepEqual(floors(1), []);
  session.tick(1000);
  assert.deepEqual(floors(1000), [1]);
  for (let id = 3; id <= ACKS + 2; id += 1) session.take(replyOf(id), 1001);
  assert.deepEqual(floors(1001), [1]); // the second is open
  session.take(replyOf(2), 1002);
  session.tick(2000);
  assert.deepEqual(floors(2000), [ACKS + 2]);
});

test("who stood still greets before anything else leaves", () => {
  const { session, ends } = alone();
  session.take(encodePair({ command: COMMAND.DISCONNECT, status: STATUS.NO_ROLE }), 0);
  drain(session, 100);
  session.take(welcomeOf({ dead_ms: 3000 }), 100);
  session.ask(KEPT, null, 60000, "before", 100);
  drain(session, 100);
  const nowAt = 3200; // without a turn
  session.ask(KEPT, null, 60000, "call", nowAt);
  session.take(encodePair({ command: COMMAND.HEARTBEAT }), nowAt);
  session.tick(nowAt);
  assert.deepEqual(drain(session, nowAt), []);
  assert.deepEqual(drain(session, nowAt + 100).map(({ header }) => header.command), [COMMAND.HELLO]);
  session.take(welcomeOf({}), nowAt + 101);
  assert.deepEqual(drain(session, nowAt + 101).map(({ header }) => [header.command, header.id]),
    [[COMMAND.QUERY, STATUS_FIRST + 1], [COMMAND.REQUEST, 2]]);
  assert.equal(ends.length, 0);
});

test("most of what would be refused is held back, and two minutes forget it", () => {
  const throttle = new Throttle();
  const learn = (status, count, retryAfterMs = 1) => {
    for (let n = 0; n < count; n += 1) throttle.learn({ status, retryAfterMs }, 0);
  };
  for (const status of [STATUS.OK, STATUS.APP_ERROR, STATUS.RATE_LIMITED]) learn(status, 10);
  learn(STATUS.INFEASIBLE, REQUESTS_MIN, 0);
  assert.equal(throttle.holds(0, 0), false);
  learn(STATUS.BUSY_FULL, 500);
  learn(STATUS.BUSY_SHED, 370); // 130 of 1,000 accepted
  assert.deepEqual([throttle.holds(0, 0.73), throttle.holds(0, 0.75)], [true, false]);
  assert.equal(throttle.holds((PARTS - 1) * PART_MS, 0), true);
  assert.equal(throttle.holds(2 * PARTS * PART_MS, 0), false);
});

/** A small seeded generator. source: mulberry32 */
function chanceOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("whatever a broker says, nothing is thrown, and each call ends once", () => {
  const chance = chanceOf(11);
  const pick = (list) => list[Math.floor(chance() * list.length)];
  const trap = { toString: 1, valueOf: 1 }; // neither a text nor a number can be made of it
  const values = [null, true, -1, 0, 2n ** 63n, 2n ** 64n - 1n, 1.5, NaN, "", "x", Buffer.from([255]), [], {}, [[]], trap,
    [{ frontend: ["x"] }, { frontend: trap }, null, 7], { frontend: {} }];
  const names = ["brokers", "generation", "instance", "heartbeat_ms", "dead_ms", "message", "reason", "state", "seq"];
  const raw = [[0xc1], [0xdd, 255, 255, 255, 255], new Array(3000).fill(0x91), [0xa2, 0xc3, 0x28], [0x81, 0x80, 1], [0xc0], [7], []];
  for (let round = 0; round < 300; round += 1) {
    const { lines, told, greet } = scene();
    greet(0);
    if (round % 2) greet(1);
    const asked = [];
    for (const line of lines.all) for (let n = 0; n < 3; n += 1)
      if (line.session.ask(n % 2 ? KEPT : PLAIN, null, 2000, `${line.number}${n}`, 0) === STATUS.OK) asked.push(`${line.number}${n}`);
    let nowAt = 0;
    for (let step = 0; step < 20; step += 1) {
      const line = pick(lines.all);
      const body = Object.fromEntries(names.map((name) => [name, pick(values)]));
      const header = {
        command: 1 + Math.floor(chance() * 22), id: pick([1, 2, 3, 4, STATUS_FIRST, STATUS_FIRST + 1, STATUS_FIRST + 2, 2n ** 64n - 1n]),
        status: Math.floor(chance() * 23), retryAfterMs: pick([0, 1, 0xffffffff]), credit: Math.floor(chance() * 2 ** 32),
        extension: pick([null, write({ seq: pick(values) })]), deadlineMs: 1, method: "m",
      };
      line.session.take(encodePair(header, pick([write(body), Buffer.from(pick(raw))])), nowAt);
      if (chance() < 0.2) line.session.lost("closed", nowAt);
      nowAt += chance() * 150;
      lines.tick(nowAt);
      for (const each of lines.all) drain(each.session, nowAt);
    }
    lines.tick(nowAt + 10000);
    assert.deepEqual(told.ends.map(({ tag }) => tag).sort(), asked.sort());
  }
});
