"""The calls of a client, in virtual time and without a socket."""

import random
import unittest

from broker import MS, S, End, reply, say, welcome
from factclient import wire
from factclient.calls import Ended, Told
from factclient.core import CALLS_BYTES_MAX, Core
from factclient.lines import Config
from factclient.retry import TRIES_MAX, BUDGET_MAX, Budget, wait_us
from factclient.requests import answer_of, question, to_broker, tool_call
from factclient.status import STATUSES, Executed, Retry, Status

SEED = 7


def make(endpoints="tcp://a:1", **options):
    end = End(Core(Config.of(endpoints, seed=SEED, **options), 0))
    end.ended = {}
    return end


def look(end):
    """Sort what has happened; every call ends once."""
    for event in end.core.events():
        assert event.call not in end.ended
        end.ended[event.call] = event.outcome
    return end.ended


def ask(end, n=0, timeout=5.0, **how):
    return end.core.submit(
        tool_call("Some_Tool", {"n": n}, dict(how, timeout=timeout)).request, end.now_at
    )


class Parts(unittest.TestCase):
    def setUp(self):
        self.end = make()
        self.end.greet()
        self.call = ask(self.end, on_partial=lambda value, number: None)
        self.id = self.end.flush()[0].header.id

    def part(self, number, body, id=None):
        return say(wire.PARTIAL, body, id=id or self.id, extension={"seq": number})

    def test_parts_are_told_before_the_end_in_order(self):
        self.end.give(self.part(0, {"url": "a"}), self.part(1, None), reply(self.id))
        told = self.end.core.events()
        self.assertEqual(told[:2], [Told(self.call, 0, {"url": "a"}), Told(self.call, 1, None)])
        self.assertEqual([type(event) for event in told[2:]], [Ended])

    def test_a_part_without_a_sound_number_has_number_0(self):
        for extension in (None, {}, {"seq": "1"}, {"seq": True}):
            self.end.give(say(wire.PARTIAL, 5, id=self.id, extension=extension))
            self.assertEqual(self.end.core.events(), [Told(self.call, 0, 5)])

    def test_what_nobody_waits_for_is_passed_over(self):
        plain = ask(self.end)
        self.end.give(self.part(0, 1, self.end.flush()[0].header.id), self.part(0, 1, 99))
        self.assertEqual(self.end.core.events(), [])
        self.end.give(reply(self.id), self.part(0, 1))
        self.assertEqual(list(look(self.end)), [self.call])
        self.end.core.cancel(plain, self.end.now_at)
        self.assertEqual(list(look(self.end)), [self.call, plain])

    def test_a_part_that_makes_no_sense_is_counted_and_the_call_goes_on(self):
        broken = wire.Header(wire.PARTIAL, id=self.id, extension={"seq": 0})
        self.end.give(wire.encode_pair(broken, b"\xc1"), self.part(1, "good"), reply(self.id))
        told = self.end.core.events()
        self.assertEqual(told[0], Told(self.call, 1, "good"))
        self.assertEqual(told[1].outcome.status, Status.OK)
        self.assertEqual(self.end.core.counts["malformed"], 1)


class Greeting(unittest.TestCase):
    def test_hello_is_first_and_calls_wait_for_welcome(self):
        end = make()
        call = ask(end)
        self.assertEqual([pair.header.command for pair in end.flush()], [wire.HELLO])
        left = end.give(welcome())
        self.assertEqual([pair.header.command for pair in left], [wire.REQUEST])
        end.give(reply(left[0].header.id))
        self.assertEqual(look(end)[call].status, Status.OK)

    def test_it_greets_again_after_silence_but_not_more_often_than_each_100_ms(self):
        end = make()
        end.pass_time(10 * S)
        hellos = end.of(wire.HELLO)
        self.assertEqual(len(hellos), 4)  # at 0 and after each 3 s of silence
        end = make()
        end.flush()
        for _ in range(100):
            if end.pass_time(10 * MS):
                end.give(say(wire.DISCONNECT, status=Status.NO_ROLE))
        self.assertEqual(len(end.of(wire.HELLO)), 1)  # nobody has said anything yet
        for _ in range(100):
            end.give(say(wire.DISCONNECT, status=Status.NO_ROLE))
            while not end.pass_time(10 * MS):
                pass
        self.assertTrue(100 * 100 * MS <= end.now_at - S <= 100 * 111 * MS, end.now_at)

    def test_a_bad_welcome_is_none(self):
        end = make()
        end.flush()
        for bad in (
            {"heartbeat_ms": 0},
            {"heartbeat_ms": 5000},
            {"dead_ms": 2**32},
            {"heartbeat_ms": "x"},
            {"generation": None},
        ):
            end.give(welcome(**bad))
            self.assertEqual(end.core.peer.state, "connecting")
        end.give(say(wire.WELCOME, {"instance": "x"}))
        self.assertEqual(end.core.counts["malformed"], 6)
        end.give(welcome())
        self.assertEqual(end.core.peer.state, "up")

    def test_it_beats_while_it_is_silent(self):
        end = make()
        end.greet(heartbeat_ms=1000, dead_ms=60000)
        self.assertEqual(end.pass_time(S - 1), [])
        beats = [
            pair.header.id for pair in end.pass_time(5 * S) if pair.header.command == wire.HEARTBEAT
        ]
        self.assertEqual(beats, [1, 2, 3, 4, 5][: len(beats)])
        self.assertGreaterEqual(len(beats), 4)

    def test_a_greeting_is_repeated_after_3_s_whatever_the_last_broker_said(self):
        end = make()
        end.greet(dead_ms=60000)
        end.pass_time(50 * S)
        end.core.lost(end.now_at)
        before = len(end.of(wire.HELLO))
        end.pass_time(7 * S)
        self.assertEqual(len(end.of(wire.HELLO)) - before, 3)

    def test_any_message_is_a_sign_of_life(self):
        end = make()
        end.greet(dead_ms=3000)
        for _ in range(5):
            end.pass_time(2 * S)
            end.give(say(wire.PARTIAL, {"seq": 1}, id=1))
        self.assertEqual((end.core.peer.state, end.core.peer.connections), ("up", 1))
        end.pass_time(3 * S - 1)
        self.assertEqual(end.core.peer.state, "up")
        end.pass_time(1)
        self.assertEqual((end.core.peer.state, end.core.peer.reason), ("connecting", "silent"))

    def test_another_generation_is_seen(self):
        end = make()
        end.greet(generation=5)
        end.core.lost(end.now_at)
        end.greet(generation=6)
        self.assertEqual((end.core.peer.generation, end.core.peer.connections), (6, 2))
        self.assertTrue(
            len({pair.body for pair in end.of(wire.HELLO)}) == 2
        )  # the second says resume


class Deadlines(unittest.TestCase):
    def test_the_wire_is_told_less_than_the_caller_waits(self):
        end = make()
        end.greet()
        ask(end, timeout=5.0)
        ask(end, timeout=0.1)
        end.flush()
        self.assertEqual([header.deadline_ms for header in end.requests], [4950, 90])

    def test_a_call_ends_at_its_deadline_and_the_broker_is_told(self):
        end = make()
        end.greet(dead_ms=60000)
        call = ask(end, timeout=1.0)
        end.pass_time(S - 1)
        self.assertEqual(look(end), {})
        left = end.pass_time(1)
        outcome = look(end)[call]
        self.assertEqual(
            (outcome.status, outcome.executed, outcome.local),
            (Status.DEADLINE_RUNNING, Executed.MAYBE, True),
        )
        self.assertEqual(outcome.total_us, S)
        self.assertEqual(
            [pair.header.id for pair in left if pair.header.command == wire.CANCEL],
            [end.requests[0].id],
        )

    def test_what_has_not_left_was_not_done(self):
        end = make()
        call = ask(end, timeout=1.0)
        end.pass_time(S)
        self.assertEqual(
            (look(end)[call].status, end.ended[call].executed),
            (Status.DEADLINE_QUEUED, Executed.NO),
        )

    def test_less_than_a_millisecond_is_too_late_at_once(self):
        end = make()
        end.pass_time(5 * S)
        call = ask(end, timeout=0.0005)
        self.assertEqual(look(end)[call].status, Status.DEADLINE_QUEUED)

    def test_a_late_reply_is_counted_and_dropped(self):
        end = make()
        end.greet(dead_ms=60000)
        call = ask(end, timeout=1.0)
        end.pass_time(2 * S)
        end.give(reply(end.requests[0].id))
        self.assertEqual(look(end)[call].status, Status.DEADLINE_RUNNING)
        self.assertEqual(end.core.counts["late_answers"], 1)


class Credit(unittest.TestCase):
    def test_it_is_absolute_and_never_falls(self):
        end = make()
        end.greet(credit=3)
        for n in range(10):
            ask(end, n, timeout=60)
        end.flush()
        self.assertEqual(len(end.requests), 3)
        end.give(say(wire.CREDIT, credit=2), say(wire.CREDIT, credit=5))
        self.assertEqual(len(end.requests), 5)
        end.give(reply(end.requests[0].id, credit=7))
        self.assertEqual(len(end.requests), 7)
        self.assertEqual([h.id for h in end.requests], list(range(1, 8)))

    def test_it_counts_modulo_2_to_32(self):
        end = make()
        end.greet(credit=0)
        end.session._granted = end.session._sent = 2**32 - 1
        ask(end)
        ask(end)
        end.flush()
        self.assertEqual(len(end.requests), 0)
        end.give(say(wire.CREDIT, credit=1))
        self.assertEqual(len(end.requests), 2)

    def test_a_question_to_the_broker_needs_none(self):
        end = make()
        end.greet(credit=0)
        end.core.submit(to_broker("directory", None, {}).request, end.now_at)
        self.assertEqual([pair.header.command for pair in end.flush()], [wire.QUERY])

    def test_what_waits_has_a_bound(self):
        end = make()
        bodies = [tool_call("Some_Tool", {"x": "x" * 200000}, {}).request for _ in range(100)]
        calls = [end.core.submit(request, end.now_at) for request in bodies]
        refused = [call for call in calls if call in look(end)]
        self.assertTrue(10 < len(refused) < 30, len(refused))
        self.assertEqual({end.ended[call].status for call in refused}, {Status.BUSY_FULL})
        self.assertLessEqual(end.session._waiting_bytes, 16 * 1024 * 1024)
        end.pass_time(5 * S)  # they end, and make room
        again = end.core.submit(tool_call("Some_Tool", {"x": "x" * 200000}, {}).request, end.now_at)
        self.assertNotIn(again, look(end))

    def test_calls_have_a_bound(self):
        end = make(calls_max=5)
        calls = [ask(end, n) for n in range(6)]
        self.assertEqual([call for call in calls if call in look(end)], calls[5:])
        self.assertEqual(end.ended[calls[5]].status, Status.BUSY_FULL)
        end.core.cancel(calls[0], end.now_at)
        self.assertNotIn(ask(end), look(end))

    def test_nothing_is_left_behind(self):
        end = make()
        end.greet()
        for n in range(100):
            call = ask(end, n)
            left = end.flush()
            if n % 3 == 0:
                end.core.cancel(call, end.now_at)
            else:
                end.give(reply(left[-1].header.id))
        end.pass_time(10 * S)
        session = end.session
        self.assertEqual(
            (
                end.core.calls,
                session.asks,
                len(session._line),
                len(session._due),
                session._waiting_bytes,
            ),
            (0,) * 5,
        )


class TryingAgain(unittest.TestCase):
    def test_only_what_the_table_allows(self):
        chance = random.Random(SEED)
        for status in STATUSES[1:]:
            for executed in Executed:
                for after in (0, 100):
                    for idempotent in (False, True):
                        wait = wait_us(status, executed, after, idempotent, 1, chance)
                        allowed = {
                            Retry.NEVER: False,
                            Retry.AFTER: after > 0,
                            Retry.ELSEWHERE: True,
                            Retry.CALLER: executed == Executed.NO or idempotent,
                        }[status.retry] and status not in (Status.CANCELLED, Status.APP_ERROR)
                        with self.subTest(
                            status=status, executed=executed, after=after, idempotent=idempotent
                        ):
                            self.assertEqual(wait is not None, allowed)

    def test_the_pause_grows_and_is_no_shorter_than_told(self):
        chance = random.Random(SEED)
        for attempts, most in ((1, 50 * MS), (2, 100 * MS)):
            waits = [
                wait_us(Status.BUSY_FULL, Executed.NO, 200, False, attempts, chance)
                for _ in range(2000)
            ]
            self.assertGreaterEqual(min(waits), 200 * MS)
            self.assertTrue(200 * MS + 0.95 * most < max(waits) <= 200 * MS + most)
        self.assertIsNone(wait_us(Status.BUSY_FULL, Executed.NO, 200, True, TRIES_MAX, chance))

    def test_the_attempt_stands_in_the_header_and_the_deadline_shrinks(self):
        end = make()
        end.greet(dead_ms=60000)
        call = ask(end, timeout=5.0)
        end.flush()
        end.give(reply(end.requests[0].id, Status.BUSY_FULL, retry_after_ms=1000))
        end.pass_time(S - 1)
        self.assertEqual(len(end.requests), 1)
        end.pass_time(50 * MS + 1)
        first, second = end.requests
        self.assertEqual((first.attempt, second.attempt), (0, 1))
        self.assertTrue(3890 <= second.deadline_ms <= 3950, second.deadline_ms)
        end.give(reply(second.id))
        self.assertEqual((look(end)[call].status, end.ended[call].attempts), (Status.OK, 2))

    def test_the_budget_is_a_tenth_of_the_requests_and_ten_a_second(self):
        budget = Budget(0)
        for _ in range(1000):
            budget.earn()
        self.assertEqual(sum(budget.spend(0) for _ in range(2000)), BUDGET_MAX)
        for _ in range(100):
            budget.earn()
        self.assertEqual(sum(budget.spend(0) for _ in range(100)), 10)
        self.assertEqual(sum(budget.spend(3 * S) for _ in range(100)), 30)
        self.assertEqual(sum(budget.spend(10**6 * S) for _ in range(1000)), BUDGET_MAX)

    def test_in_an_overload_few_come_back(self):
        end = make()
        end.greet(dead_ms=3600 * 1000)
        for _ in range(30):
            for n in range(100):
                ask(end, n, timeout=2.0, importance=0)  # which is never held back
            for pair in end.flush():
                end.give(reply(pair.header.id, Status.BUSY_FULL, retry_after_ms=50, credit=2**20))
            for pair in end.pass_time(S):
                if pair.header.command == wire.REQUEST:
                    end.give(
                        reply(pair.header.id, Status.BUSY_FULL, retry_after_ms=50, credit=2**20)
                    )
        again = sum(header.attempt > 0 for header in end.requests)
        self.assertEqual(len(end.requests) - again, 3000)
        self.assertTrue(300 < again <= 300 + 300 + BUDGET_MAX, again)

    def test_a_lost_broker_is_no_overload(self):
        end = make()
        end.greet(dead_ms=60000)
        calls = [ask(end, n, timeout=60, idempotent=True) for n in range(1000)]
        end.flush()
        end.core.lost(end.now_at)
        end.greet(dead_ms=60000)
        end.pass_time(S)
        self.assertEqual(len(end.requests), 2000)
        self.assertEqual(end.core.counts["lost"], 1000)
        for header in end.requests[1000:]:
            self.assertEqual(header.attempt, 1)
            end.give(reply(header.id))
        self.assertEqual({look(end)[call].status for call in calls}, {Status.OK})

    def test_off_is_off(self):
        for off in ({"retries": False}, {}):
            end = make(**off)
            end.greet()
            call = ask(end, retries=False)
            end.flush()
            end.give(reply(end.requests[0].id, Status.BUSY_FULL, retry_after_ms=1))
            self.assertEqual(look(end)[call].status, Status.BUSY_FULL)

    def test_a_call_that_waits_for_its_next_attempt_can_be_cancelled(self):
        end = make()
        end.greet(dead_ms=60000)
        call = ask(end, timeout=10)
        end.flush()
        end.give(reply(end.requests[0].id, Status.BUSY_FULL, retry_after_ms=1000))
        self.assertTrue(end.core.cancel(call, end.now_at))
        other = ask(end, timeout=10)
        end.core.cancel(other, end.now_at)
        self.assertEqual(end.core.counts["cancelled"], 1)  # one was under way
        end.pass_time(5 * S)
        self.assertEqual((look(end)[call].status, len(end.requests)), (Status.CANCELLED, 2))


class Ends(unittest.TestCase):
    def test_sent_away_for_good_ends_all(self):
        end = make()
        end.greet(credit=1)
        calls = [ask(end, n, timeout=60, idempotent=True) for n in range(3)]
        end.flush()
        end.give(say(wire.DISCONNECT, {"reason": "no token"}, status=Status.UNAUTHENTICATED))
        statuses = [look(end)[call].status for call in calls]
        self.assertEqual(
            statuses, [Status.WORKER_LOST, Status.UNAUTHENTICATED, Status.UNAUTHENTICATED]
        )
        later = ask(end)
        self.assertEqual(
            (look(end)[later].status, end.ended[later].error().message),
            (Status.UNAUTHENTICATED, "no token"),
        )
        end.core.lost(end.now_at)
        end.pass_time(60 * S)
        self.assertEqual(len(end.of(wire.HELLO)), 1)

    def test_closing_ends_all_and_says_goodbye(self):
        end = make()
        end.greet()
        calls = [ask(end, n) for n in range(3)]
        end.flush()
        end.core.close(end.now_at)
        self.assertEqual({look(end)[call].status for call in calls}, {Status.CANCELLED})
        commands = [pair.header.command for pair in end.flush()]
        self.assertEqual(commands, [wire.CANCEL] * 3 + [wire.DISCONNECT])

    def test_errors_say_what_the_failure_says(self):
        end = make()
        end.greet()
        call = ask(end)
        end.flush()
        body = {
            "code": "BAD_ARGUMENTS",
            "message": "no such",
            "field": "/x",
            "hint": "y",
            "details": {"url": "https://a.test/"},
            "error_id": "e7",
            "more": 1,
        }
        end.give(reply(end.requests[0].id, Status.BAD_REQUEST, body))
        error = look(end)[call].error()
        self.assertEqual(
            (error.status, error.code, error.message, error.field, error.hint, error.error_id),
            (Status.BAD_REQUEST, "BAD_ARGUMENTS", "no such", "/x", "y", "e7"),
        )
        self.assertEqual(error.details, {"url": "https://a.test/"})
        self.assertEqual(
            (error.executed, error.may_retry, error.local, error.attempts),
            (Executed.NO, False, False, 1),
        )

    def test_an_outcome_says_what_the_reply_says(self):
        end = make()
        end.greet()
        call = ask(end)
        end.flush()
        end.pass_time(7 * MS)
        more = {"queue_us": 11, "service_us": 22, "instance": "driver-1", "flags": wire.DEGRADED}
        end.give(reply(end.requests[0].id, **more))
        outcome = look(end)[call]
        said = (
            outcome.queue_us,
            outcome.service_us,
            outcome.instance,
            outcome.flags,
            outcome.total_us,
        )
        self.assertEqual(said, (11, 22, "driver-1", wire.DEGRADED, 7 * MS))
        self.assertEqual(end.core.counts["answered"], 1)
        self.assertFalse(end.core.cancel(call, end.now_at))
        self.assertFalse(end.core.cancel(99, end.now_at))

    def test_an_answer_that_makes_no_sense_is_an_error(self):
        for body in (b"\xc1", b"", b"\x07", b"\x80", b"\x81\xa7outcome\x01", b"\xa2\xc3\x28"):
            end = make()
            end.greet()
            call = ask(end)
            end.flush()
            header = wire.Header(wire.REPLY, id=end.requests[0].id, executed=2)
            end.give(wire.encode_pair(header, body))
            with self.subTest(body), self.assertRaises(Exception) as caught:
                answer_of(look(end)[call])
            self.assertEqual(
                (caught.exception.status, caught.exception.code), (Status.INTERNAL, "BAD_ANSWER")
            )

    def test_questions_are_idempotent_and_tools_are_not(self):
        self.assertTrue(question("why?", {}).request.idempotent)
        self.assertFalse(tool_call("T_t", None, {}).request.idempotent)
        for wrong in ({"importance": 4}, {"tenant": "t" * 65}, {"user": "u" * 65}, {"trace": b"1"}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                tool_call("T_t", {}, wrong)
        with self.assertRaises(TypeError):
            tool_call("T_t", {}, {"time_out": 1})
        with self.assertRaises(TypeError):
            tool_call("T_t", {"x": object()}, {})
        with self.assertRaises(ValueError):
            tool_call("T_t", {"x": 2**64}, {})

    def test_settings_are_checked(self):
        for wrong in (
            {"endpoints": ""},
            {"endpoints": "tcp://a:1,,tcp://b:1"},
            {"endpoints": "a"},
            {"endpoints": "tcp://a:65536"},
            {"endpoints": ",".join(["tcp://a:1"] * 17)},
            {"instance": "i" * 65},
            {"calls_max": 0},
            {"calls_max": 4097},
        ):
            with self.subTest(wrong), self.assertRaises(ValueError):
                Config.of(**dict({"endpoints": "tcp://a:1"}, **wrong))


class HostileBytes(unittest.TestCase):
    """Every bit of what a broker says, flipped: nothing is raised, and no call is lost or ended twice."""

    def test_nothing_that_a_broker_says_is_raised(self):
        message = b"".join(
            (
                reply(1, credit=9),
                reply(2, Status.BUSY_FULL, {"code": "X", "message": "y"}, retry_after_ms=5),
                say(wire.ERROR, {"code": "X", "message": "y"}, status=Status.BAD_REQUEST),
                say(wire.GOAWAY, {"brokers": []}),
                say(wire.DISCONNECT, {"reason": "r"}, status=Status.NO_ROLE),
                welcome(),
            )
        )
        for at in range(len(message)):
            for bit in range(8):
                end = make("tcp://a:1,tcp://b:1")
                end.greet()
                calls = [ask(end, n, timeout=1.0) for n in range(3)]
                end.flush()
                end.give(message[:at] + bytes((message[at] ^ 1 << bit,)) + message[at + 1 :])
                end.pass_time(S)
                self.assertEqual(sorted(look(end)), calls)
                for outcome in end.ended.values():
                    if outcome.status is not Status.OK:
                        str(outcome.error())


class Conservation(unittest.TestCase):
    """Whatever a broker does, every call ends once, by its deadline, and never twice on one attempt."""

    def test_under_a_broker_that_does_anything(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                self.play(random.Random(seed))

    def play(self, chance):
        end = make("tcp://a:1,tcp://b:1" if chance.random() < 0.5 else "tcp://a:1")
        due, open_ids, seen = {}, {0: [], 1: []}, set()
        for _ in range(400):
            for _ in range(chance.randrange(4)):
                timeout = chance.uniform(0.01, 3)
                call = ask(end, timeout=timeout, idempotent=chance.random() < 0.5)
                due[call] = end.now_at + int(timeout * 1e6)
            if chance.random() < 0.05 and due:
                end.core.cancel(chance.choice(list(due)), end.now_at)
            line = chance.choice(end.core.lines.all()).number
            self.act(end, chance, open_ids[line], line)
            end.pass_time(chance.randrange(60 * MS))
            for line, pairs in enumerate((end.pairs, end.others)):
                for pair in pairs:
                    self.assertEqual(pair.status, Status.OK)
                    if pair.header.command == wire.REQUEST:
                        self.assertNotIn((line, pair.header.id), seen)
                        seen.add((line, pair.header.id))
                        open_ids[line].append(pair.header.id)
                pairs.clear()
            for call, outcome in look(end).items():
                self.assertLessEqual(outcome.attempts, TRIES_MAX)
                if call in due:
                    self.assertLessEqual(outcome.total_us, due.pop(call) + 60 * MS)
            for call, at in due.items():
                self.assertGreater(at, end.now_at, "call %d has not ended" % call)
        end.pass_time(4 * S)
        self.assertEqual(set(due) - set(look(end)), set())
        open = sum(line.session.asks for line in end.core.lines.all())
        self.assertEqual((end.core.calls, end.core._bytes, open), (0, 0, 0))

    def act(self, end, chance, open_ids, line):
        """Anything that a broker, or the way to it, may do."""
        kind = chance.randrange(20)
        if kind < 8 and open_ids:
            id = open_ids.pop(chance.randrange(len(open_ids)))
            status = chance.choice(STATUSES)
            message = reply(
                id, status, retry_after_ms=chance.choice([0, 1, 200]), credit=chance.randrange(2000)
            )
            end.give(message, *([message] if chance.random() < 0.1 else []), line=line)
        elif kind == 8:
            end.give(say(wire.DISCONNECT, status=Status.NO_ROLE), line=line)
        elif kind == 9:
            end.core.lost(end.now_at, line)
        elif kind == 10:
            end.give(say(wire.GOAWAY), line=line)
        elif kind == 11:
            end.give(chance.randbytes(chance.randrange(40)), line=line)
        elif kind < 16:
            same = line + 1 if chance.random() < 0.9 else chance.randrange(100)
            end.give(welcome(credit=chance.randrange(500), generation=same, dead_ms=1000, heartbeat_ms=300), line=line)
        else:
            state = chance.choice(["unknown", "started", "answered"])
            became = reply((1 << 49) + chance.choice(open_ids or [1]), body={"state": state})
            end.give(say(wire.HEARTBEAT), say(wire.PARTIAL, {"x": 1}, id=1), became, line=line)


if __name__ == "__main__":
    unittest.main()
