"""What the system tests share: a real system on free ports, and claims about it.

FACT_BIN is the folder of the programs (build/bin); each test is a program of its own that prints a
line a claim and ends with 0 only if all held.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("FACT_BIN", os.path.join(TOP, "build", "bin"))
SLOW = 4 if "san" in BIN else 1  # sanitizers: patience, never other claims

_failed = []


def check(claim, holds, shown=""):
    """State a claim; what is shown helps to see why it does not hold."""
    print(("ok      " if holds else "NOT OK  ") + claim, flush=True)
    if not holds:
        _failed.append(claim)
        print("        " + str(shown).replace("\n", "\n        "), flush=True)
    return bool(holds)


def finish():
    """End the program: 0 if every claim held."""
    sys.exit(1 if _failed else 0)


def until(ready, seconds=10):
    """Ask again and again until ready() is true; returns what it returned last."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = ready()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.01)


class Result:
    """What a command printed, and how it ended."""

    def __init__(self, run, seconds):
        self.code, self.stdout, self.stderr, self.seconds = (
            run.returncode, run.stdout, run.stderr, seconds)

    @property
    def json(self):
        return json.loads(self.stdout)

    def __str__(self):
        return "exit %s in %.3f s\n%s%s" % (self.code, self.seconds, self.stdout, self.stderr)


def program(name):
    return os.path.join(BIN, name)


def fact(demo, *arguments, stdin=None, timeout=60):
    """Run `fact --endpoint ... arguments`."""
    command = [program("fact")]
    if demo is not None:
        command += ["--endpoint", demo.frontend]
    begun = time.monotonic()
    run = subprocess.run(command + list(arguments), capture_output=True, text=True, input=stdin,
                         timeout=timeout * SLOW)
    return Result(run, time.monotonic() - begun)


class Demo:
    """A whole system, by `fact demo` on free ports. As a context it is stopped at the end."""

    def __init__(self, *arguments, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="fact-test-")
        self.owns_folder = folder is None
        self.lines, self.processes = [], {}
        command = [program("fact"), "demo", "--dir", self.folder,
                   "--endpoint", "tcp://127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.frontend = None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("ready "):
                self.frontend = line.split()[1]
                break
            words = line.split()
            if len(words) >= 3 and words[2].isdigit():
                self.processes[words[1]] = (words[0], int(words[2]))
        if self.frontend is None:
            self.process.kill()
            raise RuntimeError("fact demo did not come up:\n%s\n%s" % (
                "\n".join(self.lines), self.process.stderr.read()))

    @property
    def backend(self):
        """Where workers connect: from the broker's own log."""
        return self.listening()["backend"]

    @property
    def events(self):
        return self.listening()["events"]

    def listening(self):
        folder = os.path.join(self.folder, "log")
        for name in os.listdir(folder):
            for line in open(os.path.join(folder, name), encoding="utf-8"):
                if '"listening"' in line and '"frontend"' in line:
                    return json.loads(line)
        raise RuntimeError("no broker's log in " + folder)

    def pids(self, role):
        return [pid for name, pid in self.processes.values() if name == role]

    def stop(self, number=signal.SIGTERM):
        """Stop it; returns (exit code, seconds)."""
        begun = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode, time.monotonic() - begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.owns_folder and not _failed:
            shutil.rmtree(self.folder, ignore_errors=True)
