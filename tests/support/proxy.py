"""A TCP link that a test can make bad: tcp_proxy (tests/support/tcp_proxy.c says what it can)."""
import os
import subprocess

from system import BIN


class Proxy:
    """Between whoever connects to its endpoint and the target; as a context it is gone at the end."""

    def __init__(self, target):
        program = os.path.join(os.path.dirname(os.path.abspath(BIN)), "tests", "tcp_proxy")
        self.process = subprocess.Popen([program, target], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["listening"]:
            raise RuntimeError("tcp_proxy does not start: %s" % line)
        self.endpoint = line[1]
        self.port = int(self.endpoint.rsplit(":", 1)[1])

    def say(self, command):
        """One command; when this returns it counts. Returns the numbers of its answer."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.startswith("ok "):
            raise ValueError(answer.strip())
        words = answer.split()[1:]
        return {name: int(number) for name, number in zip(words[::2], words[1::2])}

    def close(self):
        self.process.stdin.close()
        return self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()
        self.process.stdout.close()
