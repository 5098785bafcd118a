/** A session in virtual time: it greets, keeps to its credit, and ends each call exactly once. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { errorOf, FactError } from "../lib/errors.js";
import { Budget, mayRetry, waitMs } from "../lib/retry.js";
import { read, Session, STATE, write } from "../lib/session.js";
import { EXECUTED, STATUS, STATUSES } from "../lib/statuses.js";
import { COMMAND, decodeMessage, encodePair, LIMIT, ROLE } from "../lib/wire.js";

const HEADER = { command: COMMAND.REQUEST, role: ROLE.DRIVER, method: "Math_Calculator" };

/** A session, the ends it told, and a broker that answers by hand. */
function scene({ callsMax = 4096, waitingBytesMax = 1 << 24 } = {}) {
  const ends = [];
  const session = new Session({
    id: Buffer.alloc(16, 7), instance: "test", pid: 1, version: "0", callsMax, waitingBytesMax,
    onEnd: (end) => ends.push(end),
  }, 0);
  const sent = (nowAt) => {
    const messages = [];
    for (let m = session.takeOutgoing(nowAt); m !== null; m = session.takeOutgoing(nowAt)) messages.push(decodeMessage(m).pairs);
    return messages;
  };
  const say = (nowAt, ...pairs) => session.take(Buffer.concat(pairs), nowAt);
  const welcome = (nowAt, credit = 100) => say(nowAt, encodePair({ command: COMMAND.WELCOME, credit },
    write({ instance: "b", generation: 5, heartbeat_ms: 1000, dead_ms: 3000, lease_ms: 1, body_max: 1, message_max: 1 })));
  const reply = (id, fields = {}) => encodePair({ command: COMMAND.REPLY, id, credit: 100, executed: 2, ...fields }, write({}));
  return { session, ends, sent, say, welcome, reply, ask: (tag, nowAt, ms = 1000, header = HEADER, body = null) =>
    session.ask(header, body, nowAt + ms, tag, nowAt) };
}

const commands = (messages) => messages.map((pairs) => pairs.map(({ header }) => header.command));

test("it greets, and what was asked before leaves together when it is welcome", () => {
  const { session, sent, welcome, ask } = scene();
  for (let i = 0; i < 3; i += 1) assert.equal(ask(`t${i}`, 0), STATUS.OK);
  const [[hello]] = sent(0);
  assert.equal(hello.header.command, COMMAND.HELLO);
  assert.equal(hello.header.role, ROLE.CLIENT);
  assert.deepEqual(read(hello.body).session, Buffer.alloc(16, 7));
  assert.equal(read(hello.body).resume, false);
  welcome(250);
  assert.equal(session.state, STATE.UP);
  const messages = sent(250);
  assert.deepEqual(commands(messages), [[COMMAND.REQUEST, COMMAND.REQUEST, COMMAND.REQUEST]]);
  assert.deepEqual(messages[0].map(({ header }) => header.id), [1, 2, 3]);
  assert.equal(messages[0][0].header.deadlineMs, 750); // what is left of it
});

test("a reply ends its call, once", () => {
  const { ends, sent, welcome, ask, say, reply } = scene();
  welcome(0);
  ask("a", 0);
  sent(0);
  say(5, reply(1), reply(1), reply(99));
  assert.deepEqual(ends.map(({ tag, status, local }) => [tag, status, local]), [["a", STATUS.OK, false]]);
});

test("parts of an answer come before its end", () => {
  const { session, ends, sent, welcome, ask, say, reply } = scene();
  const parts = [];
  session.config.onPartial = (part) => parts.push([part.tag, part.number, part.body.length]);
  welcome(0);
  ask("a", 0);
  sent(0);
  const part = (number) => encodePair({ command: COMMAND.PARTIAL, id: 1, extension: write({ seq: number }) }, Buffer.alloc(3));
  say(1, part(0), part(1), reply(1), part(2));
  assert.deepEqual(parts, [["a", 0, 3], ["a", 1, 3]]);
  assert.equal(ends.length, 1);
});

test("no more is sent than there is credit for", () => {
  const { sent, welcome, ask, say, ends } = scene();
  welcome(0, 2);
  for (let i = 0; i < 5; i += 1) ask(i, 0);
  assert.equal(sent(0).flat().filter(({ header }) => header.command === COMMAND.REQUEST).length, 2);
  say(1, encodePair({ command: COMMAND.CREDIT, credit: 4 }));
  assert.equal(sent(1).flat().length, 2);
  say(2, encodePair({ command: COMMAND.CREDIT, credit: 3 })); // it never falls
  assert.equal(sent(2).flat().length, 0);
  assert.equal(ends.length, 0);
});

test("credit counts modulo 2^32", () => {
  const { sent, welcome, ask, say, session } = scene();
  welcome(0, 1);
  session.sent = session.granted = 0xffffffff;
  ask("a", 0);
  assert.equal(sent(0).flat().filter(({ header }) => header.command === COMMAND.REQUEST).length, 0);
  say(1, encodePair({ command: COMMAND.CREDIT, credit: 1 }));
  ask("b", 1);
  assert.equal(sent(1).flat().length, 2);
});

test("questions to the broker need no credit", () => {
  const { sent, welcome, ask } = scene();
  welcome(0, 0);
  ask("a", 0, 1000, { command: COMMAND.QUERY, role: ROLE.BROKER, method: "statistics" });
  assert.deepEqual(commands(sent(0)).flat(), [COMMAND.HELLO, COMMAND.QUERY].slice(1));
});

test("a deadline ends a call that never left, and says that nothing was done", () => {
  const { session, ends, ask } = scene();
  ask("a", 0, 100);
  assert.ok(session.dueAt() <= 100);
  session.tick(99);
  assert.equal(ends.length, 0);
  session.tick(100);
  assert.deepEqual([ends[0].status, ends[0].executed, ends[0].local], [STATUS.DEADLINE_QUEUED, EXECUTED.NO, true]);
});

test("a deadline ends a call that has left, and the broker is told", () => {
  const { session, ends, sent, welcome, ask } = scene();
  welcome(0);
  ask("a", 0, 100);
  sent(0);
  session.tick(100); // the broker's own word is awaited a little
  assert.equal(ends.length, 0);
  session.tick(150);
  assert.deepEqual([ends[0].status, ends[0].executed], [STATUS.DEADLINE_RUNNING, EXECUTED.MAYBE]);
  assert.deepEqual(commands(sent(150)), [[COMMAND.CANCEL]]);
});

test("what had left is lost with the connection; what had not leaves over the next", () => {
  const { session, ends, sent, welcome, ask } = scene();
  welcome(0, 1);
  ask("left", 0, 60000);
  ask("waits", 0, 60000);
  sent(0);
  session.lost("test", 10);
  assert.deepEqual(ends.map(({ tag, status, executed }) => [tag, status, executed]),
    [["left", STATUS.WORKER_LOST, EXECUTED.MAYBE]]);
  assert.deepEqual(sent(10), []); // not at once, whoever sends us away
  const [[hello]] = sent(110);
  assert.equal(hello.header.command, COMMAND.HELLO);
  assert.equal(read(hello.body).resume, true);
  welcome(120, 5);
  assert.deepEqual(sent(120).flat().map(({ header }) => header.id), [2]);
});

test("who is not known any more greets again; any other farewell is for good", () => {
  const { session, ends, sent, say, welcome, ask } = scene();
  welcome(0);
  say(1, encodePair({ command: COMMAND.DISCONNECT, status: STATUS.NO_ROLE }));
  assert.equal(session.state, STATE.GREETING);
  sent(200);
  welcome(210);
  ask("a", 210);
  sent(210);
  ask("b", 210);
  say(220, encodePair({ command: COMMAND.DISCONNECT, status: STATUS.UNAUTHENTICATED }, write({ reason: "no" })));
  assert.equal(session.state, STATE.REFUSED);
  assert.equal(session.reason, "no");
  assert.deepEqual(ends.map(({ tag }) => tag), ["a", "b"]);
  assert.equal(ask("c", 230), STATUS.UNAUTHENTICATED);
  assert.equal(session.takeOutgoing(9999), null);
});

test("silence is death, and a beat is sent each second", () => {
  const { session, sent, welcome } = scene();
  sent(0);
  welcome(0);
  for (let at = 1000; at < 3000; at += 1000) {
    session.tick(at);
    assert.deepEqual(commands(sent(at)), [[COMMAND.HEARTBEAT]]);
  }
  session.tick(3000);
  assert.equal(session.state, STATE.GREETING);
  assert.equal(session.reason, "silent");
});

test("what is ready is packed within the bounds of a message, in order", () => {
  const { sent, welcome, ask } = scene();
  sent(0);
  welcome(0, 1000);
  for (let i = 0; i < 300; i += 1) ask(i, 0, 1000, HEADER, Buffer.alloc(8));
  ask("large", 0, 1000, HEADER, Buffer.alloc(LIMIT.ALONE));
  ask("last", 0);
  const messages = sent(0);
  assert.deepEqual(messages.map((pairs) => pairs.length), [256, 44, 1, 1]);
  assert.deepEqual(messages.flat().map(({ header }) => header.id), Array.from({ length: 302 }, (_, i) => i + 1));
});

test("a call can be withdrawn, before and after it left", () => {
  const { session, ends, sent, welcome, ask, say, reply } = scene();
  ask("waits", 0);
  assert.equal(session.cancel("waits"), true);
  sent(0);
  welcome(0);
  ask("left", 0);
  sent(0);
  assert.equal(session.cancel("left"), true);
  assert.equal(session.cancel("left"), false);
  assert.deepEqual(commands(sent(0)), [[COMMAND.CANCEL]]);
  say(5, reply(2)); // late: of nobody
  assert.deepEqual(ends.map(({ status, executed }) => [status, executed]),
    [[STATUS.CANCELLED, EXECUTED.NO], [STATUS.CANCELLED, EXECUTED.MAYBE]]);
});

test("the bounds of calls and of bytes that wait hold", () => {
  const { ask } = scene({ callsMax: 3, waitingBytesMax: 4000 });
  assert.equal(ask(0, 0, 100, HEADER, Buffer.alloc(3900)), STATUS.OK);
  assert.equal(ask(1, 0, 100, HEADER, Buffer.alloc(100)), STATUS.BUSY_FULL);
  assert.equal(ask(2, 0, 100, HEADER, Buffer.alloc(LIMIT.BODY + 1)), STATUS.TOO_LARGE);
  assert.equal(ask(3, 0, 0.5), STATUS.DEADLINE_QUEUED);
  const other = scene({ callsMax: 2 });
  assert.deepEqual([0, 1, 2].map((tag) => other.ask(tag, 0)), [STATUS.OK, STATUS.OK, STATUS.BUSY_FULL]);
});

test("garbage is counted and ends nothing", () => {
  const { session, ends, welcome, say } = scene();
  welcome(0);
  say(1, Buffer.from("c1ff00", "hex"));
  say(2, encodePair({ command: COMMAND.WELCOME }, Buffer.from([0xc1])));
  assert.equal(session.state, STATE.UP);
  assert.ok(session.malformed >= 2);
  assert.equal(ends.length, 0);
});

test("refusals are tried again as the table says, and nothing else", () => {
  const end = (status, retryAfterMs = 0) => ({ status, executed: STATUSES[status].executed, retryAfterMs });
  assert.equal(waitMs(end(STATUS.BUSY_FULL, 20), false, 1, 0.5), 45);
  assert.equal(waitMs(end(STATUS.BUSY_FULL, 20), false, 2, 0.5), 70);
  assert.equal(waitMs(end(STATUS.BUSY_FULL, 0), false, 1, 0.5), null); // never
  assert.equal(waitMs(end(STATUS.BUSY_FULL, 20), false, 3, 0.5), null); // three are enough
  assert.equal(waitMs(end(STATUS.DRAINING), false, 1, 0.5), 0);
  assert.equal(waitMs(end(STATUS.WORKER_LOST), false, 1, 0.5), null);
  assert.equal(waitMs(end(STATUS.WORKER_LOST), true, 1, 0.5), 25);
  for (const status of [STATUS.BAD_REQUEST, STATUS.FORBIDDEN, STATUS.NO_ROLE, STATUS.TOO_LARGE, STATUS.RETRY_BUDGET,
    STATUS.CANCELLED, STATUS.APP_ERROR, STATUS.POISON, STATUS.DUPLICATE_RUNNING])
    assert.equal(waitMs(end(status, 50), true, 1, 0.5), null, STATUSES[status].name);
  assert.equal(mayRetry(STATUS.APP_ERROR, EXECUTED.YES, 0, true), true); // the caller's decision
});

test("retries have a budget", () => {
  const budget = new Budget(0);
  let spent = 0;
  while (budget.spend(0)) spent += 1;
  assert.equal(spent, 10);
  assert.equal(budget.spend(99), false);
  assert.equal(budget.spend(201), true);
  for (let i = 0; i < 10; i += 1) budget.earn();
  assert.equal(budget.spend(201), true);
});

test("each status above OK has an error class of its family", () => {
  for (const { value, name } of STATUSES.slice(1)) {
    const error = errorOf(value);
    assert.ok(error instanceof FactError);
    assert.notEqual(error.constructor, FactError);
    assert.equal(error.statusName, name);
    assert.equal(error.code, name);
  }
});
