"""Faults of one process of a system, under a steady mixed load: what strikes, and what is told of it.

A run is 60 s of load from one peer. One after the other the faults strike the victim, one of two
processes of its role; each is healed after a while, and the system gets time to be as before. Every
request is followed to its reply.
"""
import bisect
import os
import signal
import subprocess
import threading
import time

from load import Load
from system import SLOW
from wire import IDEMPOTENT, NO_CACHE, OK

RATE = 80  # requests a second; several runs share a machine
DEADLINE_MS = 4000
REFUSED, LATE, LOST = range(2, 15), (15, 16), (17, 18)


class Steady(Load):
    """So many requests a second, whatever comes back: a stall does not slow the asking down."""

    def __init__(self, endpoint, seed, kinds=()):
        super().__init__(endpoint, seed=seed, deadline_ms=DEADLINE_MS)
        self.begun = time.monotonic()
        self.kinds = list(kinds)  # more of what next_call() returns, by random.Random

    def next_call(self):
        choice = self.random.randrange(4 + len(self.kinds))
        if choice >= 4:
            return self.kinds[choice - 4](self.random)
        if choice == 3:
            return ("query", None, 0,
                    lambda v: v["rows"] == [{"company": "Orvanta Systems", "revenue": 487177000}])
        return super().next_call()

    def fill(self):
        batch = []
        while len(self.asked) < (time.monotonic() - self.begun) * RATE:
            tool, arguments, flags, right = self.next_call()
            body = {"arguments": arguments} if arguments is not None else {
                "question": "What was the Q1 2025 revenue of Orvanta Systems?"}
            id, encoded = self.peer.encode(tool, body, self.deadline_ms, flags=flags | IDEMPOTENT,
                                           klass=self.random.choice((0, 1, 1, 2, 3)))
            self.asked.append(id)
            self.expected[id] = right
            batch.append(encoded)
        for encoded in batch:  # what is due travels together, but for the wire's bounds
            self.peer.send(encoded)

    def statement(self):
        """One that is never cached."""
        n = self.random.randrange(1000)
        return ("SQL_QueryReadonly", {"statement": "select ? as n", "parameters": [n]}, NO_CACHE,
                lambda v: v["rows"] == [{"n": n}])


class Fault:
    """One that strikes for a while. strike() and heal() are called from the loop of the load."""

    def __init__(self, name, seconds, strike, heal=lambda: None):
        self.name, self.seconds, self.strike, self.heal = name, seconds, strike, heal
        self.struck_at = self.healed_at = 0.0


def kill(victim, restart):
    """kill -9; another takes its place a second later."""
    return Fault("kill -9", 1, lambda: victim().kill(signal.SIGKILL), restart)


def stop(victim, seconds=5):
    return Fault("SIGSTOP", seconds, lambda: victim().kill(signal.SIGSTOP),
                 lambda: victim().kill(signal.SIGCONT))


def slow_link(proxy, seconds=5):
    """Each way 200 to 300 ms late, a hundred bytes at a time."""
    return Fault("slow link", seconds, lambda: (proxy.say("latency 200 100"), proxy.say("slice 100")),
                 lambda: proxy.say("pass"))


class Slowed:
    """A process that gets a tenth of the time: stopped 45 of each 50 ms."""

    def __init__(self, victim):
        self.victim, self.ended = victim, threading.Event()

    def run(self):
        while not self.ended.wait(0.005):
            self.victim().kill(signal.SIGSTOP)
            self.ended.wait(0.045)
            self.victim().kill(signal.SIGCONT)

    def begin(self):
        self.ended.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def end(self):
        self.ended.set()
        self.thread.join()


def slowed(victim, seconds=5):
    slow = Slowed(victim)
    return Fault("10x slower", seconds, slow.begin, slow.end)


class SmallDisk:
    """A file system of 512 KiB, to be filled. Needs the right to mount: root, or a namespace."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "disk")
        os.makedirs(self.folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", self.folder], check=True)
        self.ballast = os.path.join(self.folder, "ballast")

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    @property
    def is_full(self):
        return os.statvfs(self.folder).f_bavail == 0

    def empty(self):
        os.remove(self.ballast)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=False)


class Run:
    """60 s of load, with faults in it."""

    def __init__(self, load, faults, seconds=60, calm=2.0):
        self.load, self.faults, self.seconds, self.calm = load, faults, seconds, calm

    def go(self):
        self.load.begun = begun = time.monotonic()
        self.load.run(3)
        for fault in self.faults:
            fault.struck_at = time.monotonic()
            fault.strike()
            self.load.run(fault.seconds)
            fault.heal()
            fault.healed_at = time.monotonic()
            self.load.run(self.calm * SLOW)
        self.load.run(max(0.0, begun + self.seconds - time.monotonic()))
        self.load.settle(DEADLINE_MS / 1000 + 4 * SLOW)

    def recovered_after(self, fault):
        """Seconds from the strike of a kill, or the end of another fault, to a second in which all
        that was asked was served; None: that did not come before the next fault."""
        since = fault.struck_at if fault.name == "kill -9" else fault.healed_at
        asked = sorted((self.load.peer.sent_at[id], id) for id in self.load.asked)
        times = [at for at, _ in asked]
        later = [other.struck_at for other in self.faults if other.struck_at > fault.struck_at]
        until = min(later, default=times[-1]) - 1.0
        good_from = since
        for at, id in asked[bisect.bisect_left(times, since):]:
            if at - good_from >= 1.0:
                return good_from - since
            reply = self.load.peer.replies.get(id)
            if reply is None or reply.status != OK:
                good_from = at
            if at > until + 1.0:
                return None
        return None

    def figures(self, fault):
        """What became of all that was asked from its strike until it was healed."""
        replies = [self.load.peer.replies.get(id) for id in self.load.asked
                   if fault.struck_at <= self.load.peer.sent_at[id] < fault.healed_at]
        came = [reply for reply in replies if reply is not None]
        count = {
            "asked": len(replies), "ok": sum(r.status == OK for r in came),
            "refused": sum(r.status in REFUSED for r in came),
            "late": sum(r.status in LATE for r in came), "lost": sum(r.status in LOST for r in came)}
        count["other"] = len(came) - count["ok"] - count["refused"] - count["late"] - count["lost"]
        times = sorted(r.at - self.load.peer.sent_at[r.id] for r in came if r.status == OK)
        count["worst ms"] = round(times[-1] * 1000) if times else None
        after = self.recovered_after(fault)
        count["recovered s"] = None if after is None else round(after, 2)
        return count
