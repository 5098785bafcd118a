"""What a worker holds, in virtual time and without a socket or a thread."""

import random
import unittest

import msgpack
from broker import MS, S, End, say, welcome

from factclient import wire
from factclient.canonical import schema_hash
from factclient.status import Status
from factclient.worker import Worker, ToolError, _run, current_task
from factclient.worker_core import RESULT_BYTES_MAX, Tool, WorkerCore, tool_result

PARAMETERS = {"type": "object", "properties": {"n": {"type": "integer"}}}


def tool(name="Test_Tool", function=lambda n=0: {"n": n}, **fields):
    return Tool(name, function, "1.0.0", PARAMETERS, None, **fields)


def make(concurrency=2, greets=True):
    end = End(WorkerCore([tool()], concurrency, "tools-1", b"s" * 16, 0))
    end.begun = []
    if greets:
        end.flush()
        end.give(welcome(dead_ms=60000, credit=0))
    return end


def request(id, arguments=None, deadline_ms=5000, method="Test_Tool", **fields):
    body = {} if arguments is None else arguments
    return say(wire.REQUEST, body, id=id, deadline_ms=deadline_ms, role=4, method=method, **fields)


def replies(pairs):
    return [
        (p.header.id, Status(p.header.status).name, p.header.credit)
        for p in pairs
        if p.header.command == wire.REPLY
    ]


def commands(pairs):
    return [pair.header.command for pair in pairs]


def finish(end, task, status=Status.OK):
    end.core.finish(task, status, b"\x80", 5)
    return end.flush()


class Greeting(unittest.TestCase):
    def test_hello_and_ready_leave_together(self):
        end = make(greets=False)
        hello, ready = end.flush()
        self.assertEqual(
            (commands([hello, ready]), len(end.messages)), ([wire.HELLO, wire.READY], 1)
        )
        said = msgpack.unpackb(ready.body)
        self.assertEqual(said["concurrency"], 2)
        self.assertEqual(
            said["methods"],
            [
                {
                    "name": "Test_Tool",
                    "version": "1.0.0",
                    "schema": schema_hash("Test_Tool", "1.0.0", PARAMETERS, None),
                }
            ],
        )

    def test_definitions_are_told_once_they_are_asked_for(self):
        end = make()
        for body, count in (({}, 1), ({"name": "Test_Tool"}, 1), ({"name": "Other_Tool"}, 0)):
            (answer,) = end.give(say(wire.QUERY, body, id=2**50, method="tools", deadline_ms=1000))
            tools = msgpack.unpackb(answer.body)["tools"]
            self.assertEqual((answer.header.status, len(tools)), (0, count))
        self.assertEqual(len(tool(description="x" * 5000).definition()["description"]), 4096)
        self.assertEqual(
            replies(end.give(say(wire.QUERY, {}, id=9, method="metrics", deadline_ms=1))),
            [(9, "BAD_REQUEST", 2)],
        )

    def test_the_heartbeat_says_what_it_holds(self):
        end = make(concurrency=1)
        end.give(request(1))
        end.core.begun()
        beat = next(
            pair for pair in end.pass_time(1100 * MS) if pair.header.command == wire.HEARTBEAT
        )
        self.assertEqual(msgpack.unpackb(beat.body), {"in_flight": 1, "queued": 0})


class Tasks(unittest.TestCase):
    def test_started_leaves_before_the_task_begins(self):
        end = make()
        left = end.give(request(1, {"n": 5}, tenant="acme", extension={"user": "u1"}, attempt=1))
        self.assertEqual([(p.header.command, p.header.id) for p in left], [(wire.STARTED, 1)])
        (task,) = end.core.begun()
        self.assertEqual(
            (task.arguments, task.tenant, task.user, task.attempt), ({"n": 5}, "acme", "u1", 1)
        )
        self.assertEqual(replies(finish(end, task)), [(1, "OK", 3)])

    def test_credit_is_concurrency_and_the_replies_sent(self):
        end = make()
        for n in range(1, 8):
            end.give(request(n))
            self.assertEqual(replies(finish(end, end.core.begun()[0])), [(n, "OK", 2 + n)])

    def test_more_than_it_said_is_refused_and_not_run(self):
        end = make()
        left = end.give(*[request(n) for n in (1, 2, 3)])
        self.assertEqual(replies(left), [(3, "BUSY_FULL", 3)])
        self.assertEqual([task.id for task in end.core.begun()], [1, 2])

    def test_what_makes_no_sense_is_refused_and_not_run(self):
        end = make()
        left = end.give(
            request(1, method="Other_Tool"),
            request(2, [1, 2]),
            wire.encode_pair(
                wire.Header(wire.REQUEST, id=3, deadline_ms=9, role=4, method="Test_Tool"), b"\xc1"
            ),
        )
        self.assertEqual(
            [status for _, status, _ in replies(left)], ["NO_ROLE", "BAD_REQUEST", "BAD_REQUEST"]
        )
        end.give(request(4))
        self.assertEqual(
            [status for _, status, _ in replies(end.give(request(4)))], ["DUPLICATE_RUNNING"]
        )
        self.assertEqual([task.id for task in end.core.begun()], [4])

    def test_a_withdrawn_task_is_told_and_answered_when_it_ends(self):
        end = make()
        end.give(request(1))
        (task,) = end.core.begun()
        self.assertEqual(end.give(say(wire.CANCEL, id=1)), [])
        self.assertTrue(task.cancelled.is_set())
        left = finish(end, task)
        self.assertEqual(replies(left), [(1, "CANCELLED", 3)])
        self.assertIsNone(left[0].body)

    def test_a_late_task_is_told_and_its_answer_is_none(self):
        end = make()
        end.give(request(1, deadline_ms=100))
        (task,) = end.core.begun()
        self.assertEqual(end.core.due_at(), task.deadline_at)
        end.pass_time(99 * MS)
        self.assertFalse(task.cancelled.is_set())
        end.pass_time(1 * MS)
        self.assertTrue(task.cancelled.is_set())
        self.assertEqual(replies(finish(end, task)), [(1, "DEADLINE_RUNNING", 3)])

    def test_what_gets_on_is_touched_and_what_does_not_is_not(self):
        end = make()
        end.give(request(1, deadline_ms=300000))
        (task,) = end.core.begun()

        def touched(seconds):
            pairs = end.pass_time(seconds * S)
            return [
                (p.header.id, p.header.deadline_ms) for p in pairs if p.header.command == wire.TOUCH
            ]

        self.assertEqual(touched(9), [])
        self.assertEqual(touched(2), [(1, 30000)])
        self.assertEqual(touched(10), [(1, 20000)])  # its timeout of 30 s, and a third of the lease
        self.assertEqual(touched(10), [])
        task.progress()
        self.assertEqual(touched(10), [(1, 30000)])
        self.assertEqual(touched(10), [])
        task.progress()
        end.give(say(wire.CANCEL, id=1))
        self.assertEqual(touched(10), [])

    def test_what_came_over_a_lost_connection_is_not_answered(self):
        end = make()
        end.give(request(1), request(2))
        first = end.core.begun()[0]
        end.core.lost(end.now_at)
        self.assertTrue(first.cancelled.is_set())
        end.pass_time(200 * MS)
        end.give(welcome(dead_ms=60000))
        self.assertEqual(finish(end, first), [])
        # the second thread is busy still: a new request waits for it, and is not said to have STARTED
        left = end.give(request(1), request(2))
        self.assertEqual(commands(left), [wire.STARTED])
        self.assertEqual(end.core.held, 2)

    def test_what_was_to_begin_when_the_connection_was_lost_does_not(self):
        end = make()
        end.core.take(request(1), end.now_at)
        end.core.lost(end.now_at)
        self.assertEqual(end.core.begun(), [])
        end.pass_time(200 * MS)
        end.give(welcome(dead_ms=60000))
        self.assertEqual(commands(end.give(request(1), request(2))), [wire.STARTED] * 2)

    def test_a_waiting_task_that_is_late_or_withdrawn_was_not_done(self):
        end = make(concurrency=2)
        end.give(request(1), request(2))
        end.core.begun()
        end.core.lost(end.now_at)  # both threads stay busy
        end.pass_time(200 * MS)
        end.give(welcome(dead_ms=60000))
        end.give(request(3, deadline_ms=100), request(4))
        self.assertEqual(replies(end.give(say(wire.CANCEL, id=4))), [(4, "CANCELLED", 3)])
        self.assertEqual(replies(end.pass_time(200 * MS)), [(3, "DEADLINE_QUEUED", 4)])
        self.assertEqual((end.core.held, end.core.begun()), (0, []))


class Draining(unittest.TestCase):
    def test_it_finishes_what_it_has_and_then_is_drained(self):
        for ask in (
            lambda end: end.core.drain(end.now_at, 5),
            lambda end: end.give(say(wire.DRAIN)),
        ):
            end = make()
            end.give(request(1))
            (task,) = end.core.begun()
            ask(end)
            end.flush()
            self.assertEqual(len(end.of(wire.DRAIN)), 1)
            self.assertFalse(end.core.drained)
            finish(end, task)
            self.assertTrue(end.core.drained)
            end.core.goodbye()
            (last,) = end.flush()
            self.assertEqual(
                (last.header.command, last.header.status), (wire.DISCONNECT, Status.CANCELLED)
            )

    def test_it_greets_nobody_any_more(self):
        end = make()
        end.core.drain(end.now_at)
        end.flush()
        end.core.lost(end.now_at)
        self.assertGreater(end.core.due_at(), end.now_at + S)  # and does not ask to be woken for it
        self.assertEqual((end.pass_time(5 * S), end.core.drained), ([], True))

    def test_sent_away_for_good_is_remembered(self):
        end = make()
        end.give(say(wire.DISCONNECT, {"reason": "who are you"}, status=Status.FORBIDDEN))
        self.assertEqual(
            (end.core.refused.status, end.core.refused.reason), (Status.FORBIDDEN, "who are you")
        )


class Functions(unittest.TestCase):
    def run_one(self, function):
        end = End(WorkerCore([tool(function=function)], 1, "t", b"s" * 16, 0))
        end.flush()
        end.give(welcome(dead_ms=60000))
        end.give(request(1, {"n": 3}))
        status, body = _run(end.core.begun()[0])
        return status, msgpack.unpackb(body)

    def test_what_it_returns_is_the_data(self):
        status, body = self.run_one(lambda n: {"twice": 2 * n, "tool": current_task().tool.name})
        self.assertEqual((status, body["data"]), (Status.OK, {"twice": 6, "tool": "Test_Tool"}))
        self.assertEqual(
            (body["tool"], body["version"], body["success"]), ("Test_Tool", "1.0.0", True)
        )
        with self.assertRaises(RuntimeError):
            current_task()

    def test_what_it_raises_is_a_failure_that_fits_the_wire(self):
        def says(*words, **more):
            raise ToolError(*words, **more)

        status, body = self.run_one(
            lambda n: says("X" * 100, "\u00e9" * 600, field="f" * 300, hint="h")
        )
        self.assertEqual(status, Status.APP_ERROR)
        self.assertEqual(
            [len(body[name].encode()) for name in ("code", "message", "field", "hint")],
            [64, 512, 256, 1],
        )
        with self.assertLogs("factclient.worker", "ERROR") as log:
            status, body = self.run_one(lambda n: 1 // 0)
        self.assertEqual((status, body["code"]), (Status.APP_ERROR, "TOOL_FAILED"))
        self.assertIn(body["error_id"], log.output[0])
        self.assertNotIn("division", body["message"])

    def test_results_have_a_bound(self):
        with self.assertRaises(ValueError):
            tool_result(tool(), "x" * RESULT_BYTES_MAX, 1.0, 0, [], False)
        tool_result(tool(), "x" * (RESULT_BYTES_MAX - 5), 1.0, 0, [], False)
        with self.assertRaises(ValueError):
            tool_result(tool(), 1, 1.0, 0, ["t:" + "x" * 100] * 100, False)

    def test_what_a_driver_would_refuse_is_said_at_once(self):
        worker = Worker("tcp://127.0.0.1:1")
        right = {"version": "1.0.0", "parameters": PARAMETERS}
        worker.tool("Test_Tool", **right)(lambda n: n)
        wrong = [
            ("Test_Tool", {}),
            ("tool", {}),
            ("T_" + "x" * 64, {}),
            ("T_a", {"scope": "all"}),
            ("T_b", {"version": ""}),
            ("T_c", {"parameters": {"oneOf": []}}),
            ("T_d", {"parameters": {"properties": {"a": {"$ref": "#"}}}}),
            ("T_e", {"result": {"items": {"allOf": []}}}),
            ("T_f", {"parameters": {"default": float("nan")}}),
            ("T_g", {"parameters": {"description": "x" * 40000}}),
            ("T_h", {"parameters": []}),
        ]
        for name, fields in wrong:
            with self.subTest(name), self.assertRaises(ValueError):
                worker.tool(name, **dict(right, **fields))(lambda n: n)
        with self.assertRaises(ValueError):
            Worker(concurrency=0)
        with self.assertRaises(ValueError):
            Worker("tcp://127.0.0.1:1").run()  # no tools


class HostileBytes(unittest.TestCase):
    def test_nothing_that_a_broker_says_is_raised(self):
        message = b"".join(
            (
                request(1, {"n": 5}, tenant="acme", extension={"user": "u1"}),
                say(wire.CANCEL, id=1),
                say(wire.QUERY, {"name": "Test_Tool"}, id=7, method="tools", deadline_ms=9),
                request(2, {"n": 6}, deadline_ms=1),
                say(wire.DISCONNECT, {"reason": "r"}, status=Status.NO_ROLE),
            )
        )
        for at in range(len(message)):
            for bit in range(8):
                end = make()
                end.give(message[:at] + bytes((message[at] ^ 1 << bit,)) + message[at + 1 :])
                for task in end.core.begun():
                    finish(end, task)
                end.pass_time(200 * MS)
                self.assertEqual(end.core._running, 0)


class Conservation(unittest.TestCase):
    def test_each_request_is_answered_once_and_credit_is_right(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                self.play(random.Random(seed))

    def play(self, chance):
        concurrency = chance.randrange(1, 6)
        end = make(concurrency)
        running, asked, answered, granted, id = [], set(), [], concurrency, 0
        for _ in range(500):
            kind = chance.randrange(10)
            left = []
            if kind < 4 and len(asked) < granted:
                id += 1
                asked.add(id)
                left = end.give(request(id, deadline_ms=chance.choice([1, 50, 5000])))
            elif kind < 7 and running:
                left = finish(end, running.pop(chance.randrange(len(running))))
            elif kind == 7 and asked:
                left = end.give(say(wire.CANCEL, id=chance.choice(sorted(asked))))
            elif kind == 8 and chance.random() < 0.1:
                end.core.lost(end.now_at)
                end.pass_time(200 * MS)
                end.give(welcome(dead_ms=60000))
                asked, answered, granted = set(), [], concurrency
            left += end.pass_time(chance.randrange(30 * MS))
            for pair in left:
                if pair.header.command == wire.REPLY:
                    self.assertIn(pair.header.id, asked)
                    answered.append(pair.header.id)
                    granted = pair.header.credit
            running += end.core.begun()
            self.assertLessEqual(len(running), concurrency)
            self.assertEqual(len(answered), len(set(answered)))
            self.assertEqual(granted, concurrency + len(answered))
        while running:
            answered += [pair[0] for pair in replies(finish(end, running.pop()))]
            running += end.core.begun()
        self.assertEqual((set(answered), end.core.held), (asked, 0))


if __name__ == "__main__":
    unittest.main()
