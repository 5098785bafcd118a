"""What a program's own functions raise where the client or the worker runs them: it is said, and nobody
else is harmed by it. No broker: nothing listens at the address."""

import asyncio
import sys
import unittest
import unittest.mock

import msgpack
from broker import End, say, welcome

import factclient
import factclient.aio
from factclient import wire
from factclient.calls import Told
from factclient.client import Call, Client
from factclient.requests import Question
from factclient.status import Status
from factclient.worker import ToolError, _run
from factclient.worker_core import Tool, WorkerCore

NOBODY = "tcp://127.0.0.1:1"


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("not even its text")


def leave():
    sys.exit(3)


def spoil():
    raise Unprintable


def fail(*_):
    raise LookupError("mine")


WAYS = (fail, leave, spoil)


class Parts(unittest.TestCase):
    def test_what_on_partial_raises_is_logged_and_the_call_goes_on(self):
        for way in WAYS:
            told = []

            def on_partial(value, number, way=way):
                told.append((value, number))
                way()

            client = unittest.mock.Mock()
            call = Call(client, Question(None, lambda outcome: outcome, on_partial))
            with self.assertLogs("factclient.client", "ERROR") as log:
                call._tell(Told(1, 0, "a"))
                call._tell(Told(1, 1, "b"))
            call._end("the answer")
            self.assertEqual(call.result(0), "the answer")
            self.assertEqual(told, [("a", 0), ("b", 1)])
            self.assertEqual(len(log.output), 2)

    def test_in_an_event_loop_its_handler_is_told(self):
        heard = []

        async def run():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
            client = factclient.aio.Client(NOBODY)
            call = client.submit("A_b", timeout=0.05, on_partial=fail)
            call._tell(Told(1, 0, "a"))
            with self.assertRaises(factclient.FactError):
                await call
            await client.close()

        asyncio.run(run())
        self.assertIsInstance(heard[0]["exception"], LookupError)


class Ends(unittest.TestCase):
    def test_what_is_raised_where_an_end_is_told_ends_no_other_call(self):
        for way in WAYS:
            with Client(NOBODY, retries=False) as client, self.assertLogs(level="ERROR"):
                first = client.submit("A_b", timeout=0.05)
                second = client.submit("A_b", timeout=0.2)
                first.add_done_callback(lambda _, way=way: way())
                for call in first, second, client.submit("A_b", timeout=0.1):
                    with self.assertRaises(factclient.FactError) as ended:
                        call.result(20)
                    self.assertIsNot(ended.exception.status, Status.CANCELLED)


class Tools(unittest.TestCase):
    def run_one(self, function):
        tool = Tool("Test_Tool", function, "1.0.0", {"type": "object"}, None)
        end = End(WorkerCore([tool], 1, "t", b"s" * 16, 0))
        end.flush()
        end.give(welcome(dead_ms=60000))
        end.give(say(wire.REQUEST, {}, id=1, deadline_ms=5000, role=4, method="Test_Tool"))
        with self.assertLogs("factclient.worker", "ERROR"):
            status, body = _run(end.core.begun()[0])
        return status, msgpack.unpackb(body)

    def test_whatever_a_tool_raises_is_a_failure_and_its_thread_goes_on(self):
        def say_what(code, message):
            raise ToolError(code, message)

        functions = [
            *WAYS,
            lambda: say_what(5, None),
            lambda: "\ud800",
            lambda: {1, 2},
        ]
        for function in functions:
            status, body = self.run_one(function)
            self.assertEqual((status, body["code"]), (Status.APP_ERROR, "TOOL_FAILED"))
            self.assertEqual(len(body["error_id"]), 16)
            self.assertNotIn("mine", body["message"])


if __name__ == "__main__":
    unittest.main()
