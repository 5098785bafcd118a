"""Clients of every language, behind one little protocol of JSON lines: it stands at the top of
tests/system/52_behaviours."""

import base64
import json
import queue
import subprocess
import threading
import time

import msgpack


def packed(value):
    return base64.b64encode(msgpack.packb(value)).decode("ascii")


class Outcome:
    """How a call ended, as an adapter tells it."""

    def __init__(self, line, at):
        self.line, self.at = line, at
        self.id, self.status, self.code = line["id"], line["status"], line.get("code")
        self.executed, self.local = line.get("executed"), line.get("local")
        self.retry_after_ms, self.may_retry = line.get("retry_after_ms"), line.get("may_retry")
        self.field, self.attempts = line.get("field"), line.get("attempts")

    @property
    def body(self):
        """Decoded: of a call or question the answer, of the broker its reply. None: there is none, or
        (where a client hands its bytes on) it makes no sense."""
        if self.line.get("value") is None:
            return None
        try:
            return msgpack.unpackb(base64.b64decode(self.line["value"]), strict_map_key=False)
        except (ValueError, msgpack.UnpackException):
            return None

    @property
    def value(self):
        return self.body.get("value") if isinstance(self.body, dict) else None

    def __str__(self):
        return json.dumps(self.line)[:600]


class Adapter:
    """One client in a process of its own."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.outcomes, self.parts, self.unasked, self.begun_at = {}, {}, [], {}
        self._answers, self._errors, self.next_id = queue.Queue(), [], 1
        for target in (self._read, self._read_errors):
            threading.Thread(target=target, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            try:
                line = json.loads(line)
            except ValueError:
                self.unasked.append(line)
                continue
            if "status" in line:
                self.outcomes.setdefault(line["id"], []).append(Outcome(line, time.monotonic()))
            elif "part" in line:
                part = msgpack.unpackb(base64.b64decode(line["part"]), strict_map_key=False)
                ended = line["id"] in self.outcomes
                self.parts.setdefault(line["id"], []).append((line["number"], part, ended))
            else:
                self._answers.put(line)

    def _read_errors(self):
        for line in self.process.stderr:
            self._errors.append(line.decode("utf-8", "replace"))

    @property
    def stderr(self):
        return "".join(self._errors[-40:])

    def do(self, what, **fields):
        """Tell it to do something; the calls' ends come by themselves."""
        self.process.stdin.write(json.dumps(dict(fields, do=what)).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, what, seconds=20, **fields):
        """Tell it, and wait for what it says to that; a client that does not know it fails."""
        self.do(what, **fields)
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError("the adapter says nothing to %s\n%s" % (what, self.stderr)) from None
        if "unknown" in line:
            raise RuntimeError("the adapter does not know %s" % line["unknown"])
        return line

    def open(self, *endpoints, **options):
        line = self.ask("open", endpoints=",".join(endpoints), **options)
        if not line["opened"]:
            raise RuntimeError("the adapter does not open: %s" % line["reason"])
        return self

    def submit(self, *calls):
        """Begin calls, together; returns their ids. Each is a map without id."""
        ids = []
        for call in calls:
            ids.append(self.next_id)
            call["id"], self.next_id = self.next_id, self.next_id + 1
            self.begun_at[call["id"]] = time.monotonic()
        self.do("submit", calls=list(calls))
        return ids

    def call(self, arguments=None, method="Scripted_Tool", timeout_ms=5000, **fields):
        """One call; returns its id."""
        return self.submit(call(arguments, method, timeout_ms, **fields))[0]

    def ended(self, *ids):
        """Whether all of them have."""
        return all(id in self.outcomes for id in ids)

    def one(self, id):
        """The outcome of a call that has ended; it must have ended once."""
        outcomes = self.outcomes.get(id, [])
        if len(outcomes) != 1:
            raise RuntimeError("call %d has ended %d times\n%s" % (id, len(outcomes), self.stderr))
        return outcomes[0]

    def took(self, id):
        return self.one(id).at - self.begun_at[id]

    def close(self, seconds=20):
        """Close the client, and end; returns the exit code."""
        if self.process.poll() is None:
            try:
                self.do("close")
                self.process.stdin.close()
            except OSError:
                pass
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def call(arguments=None, method="Scripted_Tool", timeout_ms=5000, kind="call", **fields):
    """A call of a tool, for submit()."""
    return dict(
        fields, kind=kind, method=method, body=packed(arguments or {}), timeout_ms=timeout_ms
    )
