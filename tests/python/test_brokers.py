"""Several brokers, kept answers and the throttle of a client, in virtual time and without a socket."""

import random
import unittest

import msgpack
from broker import MS, S, End, reply, say, welcome
from factclient import wire
from factclient.core import CALLS_BYTES_MAX, HELD_BACK, Core
from factclient.lines import Config, Connect, Leave
from factclient.requests import to_broker, tool_call
from factclient.routes import BROKERS_MAX, Route, Routes, is_endpoint
from factclient.session import ACKS, RESUME_US
from factclient.status import Executed, Status
from factclient.throttle import PART_US, PARTS, REQUESTS_MIN, Throttle

TWO = "tcp://a:1,tcp://b:1"


def make(endpoints=TWO, up=(0, 1), **options):
    """A client and its brokers; of the lines named here each has greeted."""
    end = End(Core(Config.of(endpoints, seed=7, **options), 0))
    end.ended = {}
    end.pass_time(200 * MS)
    for line in up:
        end.give(welcome(generation=line + 1, dead_ms=60000), line=line)
    end.core.tick(end.now_at)
    end.flush()
    return end


def look(end):
    for event in end.core.events():
        assert event.call not in end.ended
        end.ended[event.call] = event.outcome
    return end.ended


def ask(end, timeout=10.0, **how):
    request = tool_call("Some_Tool", {}, dict(how, timeout=timeout)).request
    return end.core.submit(request, end.now_at)


def first(end):
    """The line that calls go to, and the other."""
    line = end.core.lines.best(1, end.now_at).number
    return line, 1 - line


def requests(end, line):
    return [
        pair.header
        for pair in (end.others if line else end.pairs)
        if pair.header.command == wire.REQUEST
    ]


def commands(end, line, command):
    return [pair for pair in (end.others if line else end.pairs) if pair.header.command == command]


class Orders(unittest.TestCase):
    def test_clients_spread_over_all_brokers(self):
        endpoints = [f"tcp://b{n}:1" for n in range(5)]
        firsts = [Routes(endpoints, seed).next().endpoint for seed in range(500)]
        for endpoint in endpoints:
            self.assertGreater(firsts.count(endpoint), 60)

    def test_those_tried_longest_ago_come_first(self):
        routes = Routes(["tcp://a:1", "tcp://b:1"], 1)
        one = routes.next()
        one.tried_at = 5
        other = routes.next()
        self.assertIsNot(one, other)
        other.held = True
        self.assertIs(routes.next(), one)
        one.refused = True
        self.assertIsNone(routes.next())
        self.assertEqual(routes.usable, 1)

    def test_what_others_name_is_bounded_known_once_and_checked(self):
        routes = Routes(["tcp://a:1"], 1)
        routes.all[0].name = "tcp://alias:1"
        for junk in (None, 5, {}, "", "tcp://a", "tcp://a:0", "udp://a:1", "tcp://a b:1", "tcp://" + "a" * 300 + ":1"):
            routes.add(junk)
        routes.add("tcp://a:1")
        routes.add("tcp://alias:1")
        self.assertEqual(len(routes.all), 1)
        for n in range(100):
            routes.add(f"tcp://n{n}:1")
        self.assertEqual(len(routes.all), BROKERS_MAX)
        self.assertTrue(is_endpoint("ipc:///tmp/x") and not is_endpoint("ipc://" + "x" * 108))

    def test_who_leaves_refuses_or_lets_wait_comes_second_until_it_fades(self):
        one, other = Route("a", 2), Route("b", 1)
        self.assertTrue(one.precedes(other, 1, 0))
        one.learn(wire.Header(wire.REPLY, admit_level=0), 0)
        self.assertTrue(other.precedes(one, 1, 1) and one.precedes(other, 0, 1))
        self.assertTrue(one.precedes(other, 1, S))
        one.learn(wire.Header(wire.REPLY, queue_us=100000), 2 * S)
        self.assertTrue(other.precedes(one, 1, 2 * S) and one.precedes(other, 1, 3 * S))
        one.learn(wire.Header(wire.REPLY, status=Status.DRAINING), 4 * S)
        self.assertTrue(other.precedes(one, 1, 4 * S) and one.precedes(other, 1, 5 * S))


class Brokers(unittest.TestCase):
    def test_two_are_held_and_the_third_is_tried_where_one_does_not_greet(self):
        end = make("tcp://a:1,tcp://b:1,tcp://c:1", up=())
        told = [change for change in end.core.changes() if isinstance(change, Connect)]
        self.assertEqual([change.line for change in told], [0, 1])
        end.give(welcome(dead_ms=60000))
        end.pass_time(1100 * MS)
        (moved,) = end.core.changes()
        endpoints = {change.endpoint for change in (*told, moved)}
        self.assertEqual((moved.line, len(endpoints)), (1, 3))
        self.assertEqual([broker.held for broker in end.core.brokers].count(True), 2)

    def test_without_retries_one_is_held_at_a_time(self):
        end = make(up=(0,), retries=False)
        self.assertEqual(len(end.core.changes()), 1)

    def test_a_lost_broker_costs_harmless_calls_nothing_and_the_others_wait_for_it(self):
        end = make()
        line, other = first(end)
        harmless, kept = ask(end, idempotent=True), ask(end)
        end.flush()
        self.assertEqual([h.flags & wire.KEEP for h in requests(end, line)], [0, wire.KEEP])
        end.core.lost(end.now_at, line)
        end.flush()
        self.assertEqual([h.attempt for h in requests(end, other)], [1])  # at once, and no other
        beats = [wire.decode_body(pair.body) for pair in commands(end, other, wire.HEARTBEAT)]
        self.assertEqual(beats, [{"resume": True}])
        end.give(reply(requests(end, other)[0].id), line=other)
        self.assertEqual((look(end)[harmless].status, end.ended[harmless].attempts), (Status.OK, 2))
        self.assertNotIn(kept, end.ended)
        self.assertEqual(end.core.counts["resent"], 1)
        end.pass_time(RESUME_US)
        self.assertEqual(
            (look(end)[kept].status, end.ended[kept].executed), (Status.WORKER_LOST, Executed.MAYBE)
        )

    def test_what_has_not_left_goes_to_who_is_there(self):
        end = make(up=())
        call = ask(end)
        waits = end.core.lines.best(1, end.now_at).number
        end.give(welcome(generation=9), line=1 - waits)
        (header,) = requests(end, 1 - waits)
        end.give(reply(header.id), line=1 - waits)
        self.assertEqual((look(end)[call].status, end.ended[call].attempts), (Status.OK, 1))

    def test_draining_sends_the_call_to_the_other_at_once(self):
        end = make()
        line, other = first(end)
        call = ask(end)
        end.flush()
        end.give(reply(requests(end, line)[0].id, Status.DRAINING), line=line)
        end.flush()
        (header,) = requests(end, other)
        end.give(reply(header.id), line=other)
        self.assertEqual((look(end)[call].status, header.attempt), (Status.OK, 1))

    def test_where_all_go_away_one_that_stays_is_waited_for(self):
        end = make()
        line, other = first(end)
        call = ask(end)
        end.flush()
        end.give(reply(requests(end, line)[0].id, Status.DRAINING), line=line)
        end.flush()
        end.give(reply(requests(end, other)[0].id, Status.DRAINING), line=other)
        for _ in range(4):  # more than there are attempts
            end.pairs, end.others = [], []
            end.pass_time(110 * MS)
            for where in (line, other):
                for header in requests(end, where):
                    end.give(reply(header.id, Status.DRAINING), line=where)
        self.assertNotIn(call, look(end))
        end.core.lost(end.now_at, line)
        end.pairs, end.others = [], []
        end.pass_time(300 * MS)  # it greets
        end.give(welcome(generation=77), line=line)
        for header in requests(end, other):
            end.give(reply(header.id, Status.DRAINING), line=other)
        end.pass_time(110 * MS)
        (header,) = requests(end, line)
        end.give(reply(header.id), line=line)
        self.assertEqual((look(end)[call].status, end.ended[call].attempts), (Status.OK, 3))

    def test_what_may_have_been_executed_is_never_said_not_to_be(self):
        end = make()
        line, other = first(end)
        call = ask(end, idempotent=True)
        end.flush()
        end.core.lost(end.now_at, line)
        end.flush()
        end.give(reply(requests(end, other)[0].id, Status.FORBIDDEN), line=other)
        self.assertEqual(
            (look(end)[call].status, end.ended[call].executed), (Status.FORBIDDEN, Executed.MAYBE)
        )

    def test_after_goaway_nothing_more_goes_there_and_what_runs_is_answered(self):
        end = make()
        line, other = first(end)
        runs = ask(end)
        end.flush()
        end.give(say(wire.GOAWAY, retry_after_ms=30000), line=line)
        ask(end)
        end.flush()
        self.assertEqual([len(requests(end, line)), len(requests(end, other))], [1, 1])
        end.give(reply(requests(end, line)[0].id), line=line)
        self.assertEqual(look(end)[runs].status, Status.OK)

    def test_the_only_one_is_kept_and_the_caller_told(self):
        end = make("tcp://a:1", up=(0,))
        call = ask(end)
        end.flush()
        end.give(say(wire.GOAWAY), reply(requests(end, 0)[0].id, Status.DRAINING))
        self.assertTrue(look(end)[call].error().may_retry)
        self.assertEqual(end.ended[call].status, Status.DRAINING)

    def test_a_silent_one_is_passed_over_before_it_counts_as_dead(self):
        end = make()
        line, other = first(end)
        end.now_at += 31 * S
        end.give(say(wire.HEARTBEAT), line=other)
        ask(end)
        end.flush()
        self.assertEqual([len(requests(end, line)), len(requests(end, other))], [0, 1])

    def test_brokers_that_are_named_are_used_unless_it_is_given_only(self):
        for given_only in (False, True):
            end = make("tcp://a:1", up=(), given_only=given_only)
            named = [{"frontend": "tcp://a:1"}, {"frontend": "tcp://b:1"}, {"frontend": 5}, "x"]
            end.give(welcome(generation=1, brokers=named))
            end.core.tick(end.now_at)
            known = [broker.endpoint for broker in end.core.brokers]
            self.assertEqual(known, ["tcp://a:1"] if given_only else ["tcp://a:1", "tcp://b:1"])

    def test_two_endpoints_of_one_broker_are_one_line(self):
        end = make(up=(0,))
        end.core.changes()
        end.give(welcome(generation=1), line=1)
        end.core.tick(end.now_at)
        (leave,) = end.core.changes()
        self.assertIsInstance(leave, Leave)
        (pair,) = wire.pairs_of(leave.farewell[-1])
        self.assertEqual((leave.line, pair.header.command), (1, wire.DISCONNECT))
        self.assertEqual(len(end.core.lines.all()), 1)
        ask(end)
        self.assertEqual(len(end.flush()), 1)

    def test_who_is_refused_by_one_is_served_by_the_other_and_by_none_is_told(self):
        end = make()
        line, other = first(end)
        end.give(say(wire.DISCONNECT, {"reason": "no"}, status=Status.UNAUTHENTICATED), line=line)
        call = ask(end)
        end.pass_time(MS)
        self.assertEqual(len(requests(end, other)), 1)
        end.give(reply(requests(end, other)[0].id), line=other)
        self.assertEqual((look(end)[call].status, end.core.peer.state), (Status.OK, "up"))
        left = end.core.lines.all()[0].number
        end.give(say(wire.DISCONNECT, status=Status.VERSION), line=left)
        self.assertEqual(end.core.peer.state, "refused")
        call = ask(end)
        self.assertEqual((look(end)[call].status, end.core.calls), (Status.VERSION, 0))

    def test_a_name_that_is_no_endpoint_ends_nothing(self):
        end = make("tcp://a:1", up=(0,))
        end.give(say(wire.GOAWAY, {"brokers": [{"frontend": "tcp://:::1"}]}))
        end.core.tick(end.now_at)
        end.core.lines.no_endpoint(1)
        end.pass_time(5 * S)
        self.assertEqual(end.core.peer.endpoint, "tcp://a:1")

    def test_what_calls_ask_has_a_bound_of_bytes(self):
        end = make(up=(0, 1))
        request = lambda: tool_call("Some_Tool", {"x": b"x" * 262000}, {}).request  # noqa: E731
        for _ in range(CALLS_BYTES_MAX // 262000 + 1):
            end.core.submit(request(), end.now_at)
            end.flush()
        statuses = [outcome.status for outcome in look(end).values()]
        self.assertEqual(set(statuses), {Status.BUSY_FULL})
        self.assertLessEqual(end.core._bytes, CALLS_BYTES_MAX)


class Kept(unittest.TestCase):
    def setUp(self):
        self.end = make("tcp://a:1", up=(0,))
        self.call = ask(self.end)
        self.end.flush()
        self.id = requests(self.end, 0)[0].id

    def back(self, generation=1):
        """The connection breaks, and is back; returns what it asks then."""
        self.end.core.lost(self.end.now_at)
        self.end.pass_time(200 * MS)
        hello = wire.decode_body(commands(self.end, 0, wire.HELLO)[-1].body)
        self.assertIs(hello["resume"], True)
        return self.end.give(welcome(generation=generation, dead_ms=60000))

    def test_an_answer_that_was_held_comes_and_nothing_is_sent_twice(self):
        (query,) = self.back()
        self.assertEqual((query.header.command, query.header.method), (wire.QUERY, "status"))
        self.assertEqual(wire.decode_body(query.body), {"id": self.id})
        self.end.give(reply(self.id), reply(query.header.id, body={"state": "answered"}))
        self.assertEqual((look(self.end)[self.call].status, self.end.ended[self.call].attempts), (Status.OK, 1))
        self.assertEqual(len(requests(self.end, 0)), 1)

    def test_what_still_runs_has_all_of_its_deadline(self):
        (query,) = self.back()
        self.end.give(reply(query.header.id, body={"state": "started"}))
        self.end.pass_time(5 * S)
        self.assertEqual(look(self.end), {})
        self.end.give(reply(self.id))
        self.assertEqual(look(self.end)[self.call].status, Status.OK)

    def test_what_is_not_known_there_is_lost(self):
        for body, status in (({"state": "unknown"}, 0), ({"state": 5}, 0), (None, 2), ([], 0)):
            with self.subTest(body):
                self.setUp()
                (query,) = self.back()
                self.end.give(reply(query.header.id, status, body=body))
                self.assertEqual(look(self.end)[self.call].status, Status.WORKER_LOST)

    def test_another_process_knows_nothing_of_it(self):
        self.assertEqual(self.back(generation=2), [])
        self.assertEqual(look(self.end)[self.call].status, Status.WORKER_LOST)

    def test_what_nobody_answers_is_lost_after_3_s(self):
        self.back()
        self.end.pass_time(RESUME_US)
        outcome = look(self.end)[self.call]
        self.assertEqual((outcome.status, outcome.executed), (Status.WORKER_LOST, Executed.MAYBE))
        self.assertEqual(self.end.core.counts["timed_out"], 0)

    def test_answers_are_acknowledged_after_32_or_with_a_beat(self):
        end = self.end
        end.give(reply(self.id))
        self.assertEqual(commands(end, 0, wire.ACKFLOOR), [])
        end.pass_time(S)
        self.assertEqual([pair.header.id for pair in commands(end, 0, wire.ACKFLOOR)], [self.id])
        for _ in range(ACKS + 1):
            ask(end)
        end.flush()
        for header in requests(end, 0)[2:]:  # all but one
            end.give(reply(header.id))
        floor = commands(end, 0, wire.ACKFLOOR)[-1].header.id
        self.assertEqual(floor, requests(end, 0)[1].id - 1)
        end.give(reply(requests(end, 0)[1].id))
        end.pass_time(S)
        self.assertEqual(commands(end, 0, wire.ACKFLOOR)[-1].header.id, requests(end, 0)[-1].id)

    def test_keep_and_what_goes_with_it_are_asked_for(self):
        end = make("tcp://a:1", up=(0,))
        for how in ({}, {"keep": False}, {"idempotent": True}, {"idempotent": True, "keep": True},
                    {"detached": True, "coalesce": True}):  # fmt: skip
            ask(end, **how)
        end.core.submit(to_broker("directory", None, {}).request, end.now_at)
        end.flush()
        both = wire.DETACHED | wire.COALESCE | wire.KEEP
        wanted = [wire.KEEP, 0, wire.IDEMPOTENT, wire.IDEMPOTENT | wire.KEEP, both]
        self.assertEqual([header.flags for header in requests(end, 0)], wanted)
        self.assertEqual(commands(end, 0, wire.QUERY)[0].header.flags, 0)
        before = [header.id for header in requests(end, 0)]
        end.core.close(end.now_at)
        end.flush()
        cancelled = [pair.header.id for pair in commands(end, 0, wire.CANCEL)]
        self.assertEqual(cancelled, before[:-1])  # what is detached goes on


class Stalled(unittest.TestCase):
    def test_who_stood_still_greets_before_anything_else_leaves(self):
        end = make("tcp://a:1", up=())
        end.give(welcome(dead_ms=3000))
        before = ask(end)
        end.flush()
        end.now_at += 3 * S  # without a turn
        call = ask(end)
        self.assertEqual(end.give(say(wire.HEARTBEAT)), [])
        end.core.tick(end.now_at)
        self.assertEqual(end.core.peer.reason, "this process stood still")
        (hello,) = end.pass_time(200 * MS)
        self.assertEqual(hello.header.command, wire.HELLO)
        left = end.give(welcome(dead_ms=3000))
        self.assertEqual([p.header.command for p in left], [wire.QUERY, wire.REQUEST])
        end.give(reply(requests(end, 0)[0].id), reply(requests(end, 0)[1].id))
        self.assertEqual({look(end)[n].status for n in (before, call)}, {Status.OK})
        self.assertEqual(end.ended[call].attempts, 1)


class Throttled(unittest.TestCase):
    def learn(self, throttle, status, count, now_at=0, retry_after_ms=1):
        for _ in range(count):
            throttle.learn(wire.Header(wire.REPLY, status=status, retry_after_ms=retry_after_ms), now_at)

    def test_a_client_that_has_just_begun_holds_nothing_back(self):
        throttle = Throttle()
        self.learn(throttle, Status.BUSY_FULL, REQUESTS_MIN - 1)
        self.assertFalse(throttle.holds(0, 0.0))

    def test_what_is_held_back_is_what_would_be_refused(self):
        for accepted, refused in ((500, 500), (100, 900), (0, 1000)):
            throttle, chance = Throttle(), random.Random(3)
            self.learn(throttle, Status.OK, accepted)
            self.learn(throttle, Status.BUSY_SHED, refused)
            held = sum(throttle.holds(0, chance.random()) for _ in range(100))
            wanted = 100 * (accepted + refused - 2 * accepted) / (accepted + refused + 1)
            self.assertLess(abs(held - wanted), 12)

    def test_only_overload_counts_and_two_minutes_forget_it(self):
        throttle = Throttle()
        for status in (Status.APP_ERROR, Status.NO_WORKER, Status.RATE_LIMITED):
            self.learn(throttle, status, 200)
        self.learn(throttle, Status.INFEASIBLE, 200, retry_after_ms=0)
        self.assertFalse(throttle.holds(0, 0.0))
        throttle = Throttle()
        self.learn(throttle, Status.INFEASIBLE, 200)
        self.assertTrue(throttle.holds(0, 0.0) and throttle.holds((PARTS - 1) * PART_US, 0.0))
        self.assertFalse(throttle.holds(2 * PARTS * PART_US, 0.0))

    def test_in_an_overload_most_is_not_even_sent_and_the_most_important_is(self):
        end = make("tcp://a:1", up=(0,))
        for _ in range(1000):
            ask(end, timeout=0.3)
            for pair in end.flush():
                end.give(reply(pair.header.id, Status.BUSY_FULL, credit=2**20))
        held = [one for one in look(end).values() if one.status is Status.BUSY_SHED]
        self.assertEqual(len(held), end.core.counts["held_back"])
        self.assertLess(len(requests(end, 0)), 300)
        self.assertEqual({(o.executed, o.local, o.error().message) for o in held}, {(Executed.NO, True, HELD_BACK)})
        before = len(requests(end, 0))
        for _ in range(20):
            ask(end, importance=0)
        end.core.submit(to_broker("directory", None, {}).request, end.now_at)
        end.flush()
        self.assertEqual(len(requests(end, 0)) - before, 20)
        self.assertEqual(len(commands(end, 0, wire.QUERY)), 1)

    def test_off_is_off(self):
        end = make("tcp://a:1", up=(0,), retries=False)
        for _ in range(300):
            ask(end)
            for pair in end.flush():
                end.give(reply(pair.header.id, Status.BUSY_FULL, credit=2**20))
        self.assertEqual(len(requests(end, 0)), 300)


class Hostile(unittest.TestCase):
    """Whatever a broker says, nothing is raised, and every call ends once."""

    VALUES = (None, True, -1, 0, 2**63, 2**64 - 1, 1.5, float("nan"), "", "x", b"\xff", [], {}, [[]],
              {"frontend": {}}, [{"frontend": ["x"]}], {1: 2})  # fmt: skip
    BODIES = (b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91" * 3000, b"\xa2\xc3\x28", b"\x81\x80\x01", b"")

    def test_fields_of_wrong_types_and_ids_that_nobody_knows(self):
        chance = random.Random(11)
        names = ("brokers", "generation", "instance", "heartbeat_ms", "dead_ms", "message", "reason", "state")
        for round in range(300):
            end = make(up=(0,) if round % 2 else (0, 1))
            calls = [ask(end, idempotent=n % 2 == 0, timeout=2.0) for n in range(4)]
            end.flush()
            for _ in range(20):
                line = chance.randrange(2)
                if end.core.lines.get(line) is None:
                    continue
                id = chance.choice([0, 1, 2, 3, 2**49, 2**49 + 1, 2**49 + 2, 2**64 - 1])
                header = wire.Header(chance.randrange(1, 23), id=id, status=chance.randrange(23),
                                     retry_after_ms=chance.choice([0, 1, 2**32 - 1]), credit=chance.getrandbits(32),
                                     queue_us=2**32 - 1, extension=chance.choice([None, {"seq": []}]))  # fmt: skip
                if header.command in (wire.DISCONNECT,) and chance.random() < 0.8:
                    header.status = Status.NO_ROLE
                body = {name: chance.choice(self.VALUES) for name in names}
                pair = say(header.command, body)
                if header.command in wire.REPLY_LAYOUT:
                    raw = chance.choice(self.BODIES)
                    whole = chance.random() < 0.5
                    pair = wire.encode_pair(header, msgpack.packb(body) if whole else raw)
                end.give(pair, line=line)
                if chance.random() < 0.2:
                    end.core.lost(end.now_at, line)
                end.pass_time(chance.randrange(150 * MS))
            end.pass_time(3 * S)
            self.assertEqual(sorted(look(end)), calls)
            for outcome in end.ended.values():
                if outcome.status is not Status.OK:
                    str(outcome.error())


if __name__ == "__main__":
    unittest.main()
