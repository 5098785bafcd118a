"""Arcade, a broker and a gateway between them, as the tests of the gateway want them."""
import os

from fake_arcade import FakeArcade, ToolError
from system import SLOW, Cluster, until
from wire import GATEWAY, OK, Peer

KEY = "arc_0123456789_nobody_may_see_this"


class World:
    """Arcade, a broker and a gateway between them; settings are the gateway's."""

    def __init__(self, key=KEY, offer=True, authority=None, **settings):
        self.arcade, self.cluster = FakeArcade(KEY, authority=authority), Cluster()
        if offer:
            offer_tools(self.arcade)
        self.key_file = os.path.join(self.cluster.folder, "key")
        if key:
            self.write_key(key)
        self.settings = {"arcade_url": self.arcade.url, "arcade_key_file": self.key_file,
                         "rate_per_minute": 100000, **settings}
        self.gateway = self.start_gateway()
        self.peer = Peer(self.cluster.frontend)

    def write_key(self, key):
        with open(self.key_file, "w", encoding="ascii") as file:
            file.write(key + "\n")
        os.chmod(self.key_file, 0o600)

    def start_gateway(self):
        words = [word for name, value in self.settings.items()
                 for word in ("--set", "arcade_gateway.%s=%s" % (name, value))]
        return self.cluster.role("arcade_gateway", *words)

    def ask(self, tool, arguments=None, tenant="acme", user="ann", seconds=30, **fields):
        return self.peer.ask(tool, arguments or {}, seconds * SLOW, role=GATEWAY, tenant=tenant,
                             extension={"user": user} if user else None, **fields)

    def ask_all(self, tool, tenants, deadline_ms=20000):
        """One for each tenant, all at once; returns the replies."""
        ids = []
        for tenant in tenants:
            id, encoded = self.peer.encode(tool, {}, deadline_ms * SLOW, GATEWAY, tenant=tenant)
            self.peer.send(encoded)
            ids.append(id)
        self.peer.wait(lambda: all(id in self.peer.replies for id in ids), 30 * SLOW)
        return [self.peer.replies[id] for id in ids if id in self.peer.replies]

    def offered(self):
        """By the broker's directory."""
        methods = self.peer.query("directory").body["methods"]
        return sorted(row["name"] for row in methods if row["role"] == GATEWAY)

    def offers(self, name, seconds=15):
        return until(lambda: name in self.offered(), seconds)

    def of_gateway(self, question):
        """What the gateway itself answers: metrics, targets."""
        instance = self.gateway.event("started")["instance"]
        return self.peer.query("instance", {"instance": instance, "method": question}, 5 * SLOW)

    def target(self):
        """Arcade, as the gateway sees it."""
        reply = self.of_gateway("targets")
        rows = reply.body["targets"] if reply and reply.status == OK else []
        return next((row for row in rows if row["name"] == "Arcade"), None)

    def everything_said(self):
        """Logs, and the arguments and answers of every process."""
        said = "".join(str(reply) for reply in self.peer.replies.values()) + str(self.peer.others)
        for process in self.cluster.processes:
            with open(process.log_path, encoding="utf-8", errors="replace") as log:
                said += log.read()
            if process.process.poll() is None:
                with open("/proc/%d/cmdline" % process.pid, encoding="utf-8") as words:
                    said += words.read()
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()
        self.arcade.stop()
        self.cluster.__exit__()


def fail(input, user):
    raise ToolError(input["kind"], "key " + KEY if input.get("leaks") else "it broke",
                    can_retry=input.get("again", False), retry_after_ms=input.get("after_ms", 0))


def offer_tools(arcade):
    arcade.offer("Math.Add", lambda input, user: {"sum": input["a"] + input["b"], "for": user},
                 version="2.1.0", required=("a", "b"), a="integer", b="integer", read_only=True,
                 description="Adds two numbers.")
    arcade.offer("Mail.Send", lambda input, user: "sent", to="array of string")
    arcade.offer("Mail.List", lambda input, user: ["hello"], folder=["in", "out"], read_only=True)
    arcade.offer("Fail.Kind", fail, kind="string", after_ms="integer", leaks="boolean")
    arcade.offer("Fail.Safe", fail, kind="string", after_ms="integer", again="boolean",
                 idempotent=True)
