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


def timely(seconds, ask, tries=5):
    """For a claim about time: what a busy machine adds is there now and then, what we add is there
    always. Call ask(), which returns a reply and the seconds it took, until one is within the time;
    returns all replies, and whether the last one was."""
    replies, took = [], None
    while len(replies) < tries and (took is None or took >= seconds):
        reply, took = ask()
        replies.append(reply)
    return replies, took < seconds


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


class Process:
    """One of our programs, started by hand; its log is read as it comes."""

    def __init__(self, name, *arguments, folder=None):
        self.name = name
        handle, self.log_path = tempfile.mkstemp(prefix=name + "-", suffix=".log", dir=folder)
        self.process = subprocess.Popen([program(name), *arguments], stderr=handle,
                                        stdout=subprocess.DEVNULL)
        os.close(handle)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        """Its log lines, decoded; a last one that is not whole yet is left out."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            lines = log.read().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def event(self, name, seconds=10):
        """The first log line of this event, when it comes; None: it did not, or the process ended."""
        def look():
            for line in self.log():
                if line.get("event") == name:
                    return line
            return None

        return until(lambda: look() or self.process.poll() is not None, seconds) and look()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def stop(self, seconds=10):
        """SIGTERM; returns the exit code, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def rss_bytes(self):
        with open("/proc/%d/statm" % self.pid, encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Cluster:
    """A broker on free ports, and whatever a test starts beside it."""

    def __init__(self, *broker_arguments):
        self.folder = tempfile.mkdtemp(prefix="fact-test-")
        self.processes = []
        self.broker = self.start("fact-broker", "--frontend", "tcp://127.0.0.1:0", "--backend",
                                 "tcp://127.0.0.1:0", "--events", "tcp://127.0.0.1:0",
                                 "--instance", "broker-1", *broker_arguments)
        listening = self.broker.event("listening")
        if not listening:
            raise RuntimeError("fact-broker did not come up:\n" + open(self.broker.log_path).read())
        self.frontend, self.backend, self.events = (
            listening["frontend"], listening["backend"], listening["events"])

    def start(self, name, *arguments):
        process = Process(name, *arguments, folder=self.folder)
        self.processes.append(process)
        return process

    def role(self, role, *arguments, broker=None):
        """Start a process of a role against the broker, or by another way to it, and wait until it is
        ready."""
        process = self.start("fact-" + role.replace("_", "-"), "--broker", broker or self.backend,
                             *arguments)
        if not process.event("ready"):
            raise RuntimeError("%s did not come up:\n%s" % (role, open(process.log_path).read()))
        return process

    def whole(self, database, drivers=1, partitions=1, executors=1, executor_arguments=()):
        """A whole system on a database; returns it by role."""
        return {
            "cache_partition": [self.role("cache_partition", "--instance", "partition-%d" % i)
                                for i in range(1, partitions + 1)],
            "tool_executor": [self.role("tool_executor", "--instance", "executor-%d" % i, "--set",
                                        "tool_executor.database=" + database, *executor_arguments)
                              for i in range(1, executors + 1)],
            "driver": [self.role("driver", "--instance", "driver-%d" % i)
                       for i in range(1, drivers + 1)],
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop(5)
        if not _failed:
            shutil.rmtree(self.folder, ignore_errors=True)


def demo_database(folder):
    """The demo data, made by `fact init`; returns its file."""
    result = fact(None, "init", "--dir", folder)
    files = [name for name in sorted(os.listdir(folder)) if name.endswith((".sqlite", ".db"))]
    if result.code != 0 or not files:
        raise RuntimeError("fact init: %s" % result)
    return os.path.join(folder, files[0])
