"""A system with several brokers, and a steady load on it from one client of libfact."""

import os
import socket
import time

from adapters import Adapter, call
from system import BIN, Cluster, demo_database

ADAPTER = os.path.join(BIN, "..", "tests", "adapter_c")


def free_ports(count):
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Brokers(Cluster):
    """Brokers that know each other, and whatever a test starts beside them."""

    def __init__(self, count=2):
        ports = free_ports(3 * count)
        self.endpoints = [["tcp://127.0.0.1:%d" % port for port in ports[3 * i:3 * i + 3]]
                          for i in range(count)]
        self.peers = ",".join(",".join(three) for three in self.endpoints)
        self.brokers = [None] * count
        super().__init__(*self.arguments(0))
        self.brokers[0] = self.broker
        for index in range(1, count):
            self.start_broker(index)
        self.backend = ",".join(three[1] for three in self.endpoints)

    def arguments(self, index):
        frontend, backend, events = self.endpoints[index]
        return ["--frontend", frontend, "--backend", backend, "--events", events, "--instance",
                "broker-%d" % (index + 1), "--peer", self.peers, "--set", "broker.view_hold_ms=200", "--set",
                "broker.heartbeat_ms=500"]

    def start_broker(self, index):
        self.brokers[index] = self.start("fact-broker", *self.arguments(index))
        if not self.brokers[index].event("listening"):
            raise RuntimeError("fact-broker did not come up:\n"
                               + open(self.brokers[index].log_path, encoding="utf-8").read())

    def everything(self):
        return self.whole(demo_database(self.folder), drivers=2, partitions=2)


class Caller:
    """So many calls a second from one client, each followed to its end."""

    def __init__(self, endpoints, rate=200, timeout_ms=9000):
        self.client = Adapter([ADAPTER]).open(*endpoints)
        self.rate, self.timeout_ms, self.ids, self.begun = rate, timeout_ms, {}, time.monotonic()
        self.due = 0.0

    def endpoint(self):
        """Where the next call goes."""
        return self.client.ask("where")["endpoint"]

    def burst(self, count):
        """So many at once, beside the steady ones."""
        self.due += count
        self.step()

    def step(self):
        """Call what is due."""
        self.due += (time.monotonic() - self.begun) * self.rate
        self.begun = time.monotonic()
        calls = []
        while self.due >= 1:
            self.due -= 1
            n = len(self.ids) + len(calls)
            calls.append(call({"expression": "%d + 1" % n}, "Math_Calculator", self.timeout_ms,
                              idempotent=n % 4 != 0, no_cache=n % 2 == 0))
        for n, id in enumerate(self.client.submit(*calls) if calls else [], len(self.ids)):
            self.ids[id] = n
        time.sleep(0.005)

    def run(self, seconds, until=None):
        """For so long, or until a condition holds; returns what it said last."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()
            if until and until():
                return True
        return False

    def ended(self):
        return self.client.ended(*self.ids)

    def outcomes(self):
        """Each has ended once: that is asserted."""
        return {id: self.client.one(id) for id in self.ids}

    def wrong(self):
        """Calls that were served, and got another answer than theirs."""
        return [str(one) for id, one in self.outcomes().items()
                if one.status == "OK" and one.value["result"] != self.ids[id] + 1]

    def slowest(self, harmless_only=False):
        """Seconds; or of those alone that may be done twice."""
        return max(self.client.took(id) for id, n in self.ids.items()
                   if n % 4 != 0 or not harmless_only)

    def close(self):
        self.client.close()
