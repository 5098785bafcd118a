/** The Node client behind the protocol of tests/system/52_behaviours. */
import { createInterface } from "node:readline";

import { connect, EXECUTED, FactError } from "factclient";
import { read, write } from "factclient/session";

const OPTIONS = { timeout_ms: "timeoutMs", no_cache: "noCache", only_if_cached: "onlyIfCached", idempotent: "idempotent",
  importance: "importance", tenant: "tenant", user: "user", retries: "retries" };
const executedNames = Object.fromEntries(Object.entries(EXECUTED).map(([name, value]) => [value, name.toLowerCase()]));

let client = null;
const running = new Map(); // what withdraws each call, by its id

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const unpack = (text) => read(Buffer.from(text, "base64"));
const pack = (value) => Buffer.from(write(value)).toString("base64");

/** The end of a call. */
function tell(id, value, attempts = 1) {
  say({ id, status: "OK", executed: "yes", local: false, attempts, value: pack(value) });
}

function tellError(id, error) {
  if (!(error instanceof FactError)) {
    say({ id, status: "RAISED", message: String(error.stack) });
    return;
  }
  say({
    id, status: error.statusName, executed: executedNames[error.executed], code: error.code, message: error.said,
    field: error.field, local: error.local, retry_after_ms: error.retryAfterMs, may_retry: error.mayRetry,
    attempts: error.attempts,
  });
}

async function ask(line, signal) {
  const options = { signal };
  for (const [theirs, ours] of Object.entries(OPTIONS)) if (theirs in line) options[ours] = line[theirs];
  if (line.stream) options.onPartial = (part, number) => say({ id: line.id, part: pack(part), number });
  if (line.kind === "ping") return tell(line.id, await client.ping(options));
  const body = unpack(line.body);
  if (line.kind === "broker") return tell(line.id, await client.askBroker(line.method, body, options));
  const answer = line.kind === "query" ? await client.query(body, options) : await client.call(line.method, body, options);
  const { outcome, value, text, reason, cache } = answer;
  return tell(line.id, { outcome, value, text, reason, cache }, answer.reply.attempts);
}

function begin(line) {
  const withdrawal = new AbortController();
  running.set(line.id, withdrawal);
  ask(line, withdrawal.signal).catch((error) => tellError(line.id, error)).finally(() => running.delete(line.id));
}

const acts = {
  open(line) {
    client?.close();
    client = null;
    const options = { keyFile: line.key_file, serverKeyFile: line.server_key_file };
    if ("retries" in line) options.retries = line.retries;
    try {
      client = connect(line.endpoints, options);
      say({ opened: true });
    } catch (error) {
      say({ opened: false, reason: error.message });
    }
  },
  submit(line) {
    for (const call of line.calls) begin(call);
  },
  cancel(line) {
    const withdrawal = running.get(line.id);
    withdrawal?.abort();
    say({ cancelled: withdrawal !== undefined });
  },
  state() {
    const { state, connections, reason } = client.peer;
    say({ state: state === "greeting" ? "connecting" : state, connections, reason });
  },
};

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", (text) => {
  const line = JSON.parse(text);
  if (line.do === "close") lines.close();
  else if (line.do in acts) acts[line.do](line);
  else say({ unknown: line.do });
});
lines.on("close", () => client?.close());
