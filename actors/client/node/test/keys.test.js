/** The files with keys: what is taken, and what is refused with a word on what to mend. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { readKeys, SERVER_KEYS_MAX } from "../lib/keys.js";

// source: ZeroMQ RFC 26, the test keys of its appendix
const PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
const folder = mkdtempSync(join(tmpdir(), "factclient-"));
after(() => rmSync(folder, { recursive: true }));

function file(name, keys, text = "") {
  const path = join(folder, name);
  writeFileSync(path, `# for people\n${text}curve\n${keys.map(([key, value]) => `    ${key} = "${value}"\n`).join("")}`);
  chmodSync(path, 0o600);
  return path;
}
const pair = file("own.secret", [["public-key", PUBLIC], ["secret-key", SECRET]]);
const server = file("broker.public", [["public-key", PUBLIC]]);

test("a pair and a server's key are read; both files or neither", () => {
  assert.deepEqual(readKeys(pair, server), { publicKey: PUBLIC, secretKey: SECRET, servers: [PUBLIC] });
  assert.equal(readKeys(undefined, undefined), null);
  assert.throws(() => readKeys(pair, undefined), /serverKeyFile.*both/);
  assert.throws(() => readKeys(undefined, server), /keyFile.*both/);
  assert.throws(() => readKeys(`${pair}x`, server), { code: "ENOENT" });
});

test("a secret that others may read is refused, and how to mend it is said", () => {
  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    chmodSync(pair, mode);
    assert.throws(() => readKeys(pair, server), new RegExp(`chmod 600 ${pair}`));
  }
  chmodSync(pair, 0o600);
  chmodSync(server, 0o644);
  assert.notEqual(readKeys(pair, server), null);
});

test("what holds no keys is refused, and nothing secret is said", () => {
  for (const keys of [[], [["public-key", PUBLIC]], [["secret-key", SECRET]],
    [["public-key", PUBLIC], ["secret-key", SECRET.slice(1)]], [["public-key", PUBLIC], ["secret-key", `~${SECRET.slice(1)}`]],
    [["public-key", PUBLIC], ["secret-key", "#".repeat(40)]], [["public-key", PUBLIC], ["public-key", PUBLIC], ["secret-key", SECRET]]])
    assert.throws(() => readKeys(file("bad", keys), server),
      (error) => error instanceof RangeError && /fact keys generate/.test(error.message) && !error.message.includes(SECRET));
  const long = file("long", [["public-key", PUBLIC], ["secret-key", SECRET]], `${"#".repeat(4096)}\n`);
  assert.throws(() => readKeys(long, server), /fact keys generate/);
  const many = (count) => file("many", new Array(count).fill(["public-key", PUBLIC]));
  assert.equal(readKeys(pair, many(SERVER_KEYS_MAX)).servers.length, SERVER_KEYS_MAX);
  for (const count of [0, SERVER_KEYS_MAX + 1]) assert.throws(() => readKeys(pair, many(count)), /NAME.public/);
});
