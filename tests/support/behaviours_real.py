"""What clients get from a real system; see tests/system/52_behaviours."""
import random
import signal

from adapters import call, packed
from scene import PATIENCE, SLACK, echo
from system import SLOW, Cluster, demo_database, until


def one_call(scene):
    client = scene.real()
    (ended,) = scene.end(client.call({"expression": "6 * 7"}, "Math_Calculator"))
    scene.same((ended.status, ended.executed, ended.local), ("OK", "yes", False), ended)
    scene.same(ended.value and ended.value["result"], 42, ended)


def a_question(scene):
    client = scene.real()
    question = {
        "kind": "query",
        "timeout_ms": 5000,
        "method": "query",
        "body": packed("What was the Q1 2025 revenue of Orvanta Systems?"),
    }
    (ended,) = scene.end(*client.submit(question))
    scene.same(ended.status, "OK", ended)
    scene.holds(ended.body and "487,177,000" in ended.body["text"], ended)


def the_broker_itself(scene):
    client = scene.real()
    ids = client.submit(
        call({}, "directory", kind="broker"),
        call({}, "status", kind="ping"),
        call({}, "no such method", kind="broker"),
    )
    directory, ping, unknown = scene.end(*ids)
    names = {row["name"] for row in directory.body["methods"]} if directory.body else None
    scene.holds(names and "Math_Calculator" in names, directory)
    scene.same(ping.status, "OK", ping)
    scene.same((unknown.status, unknown.executed), ("BAD_REQUEST", "no"), unknown)


def many_in_flight(scene):
    client = scene.real()
    ids = client.submit(
        *[call({"expression": "%d * 3" % n}, "Math_Calculator", 20000 * SLOW) for n in range(1000)]
    )
    ended = scene.end(*ids, seconds=60 * SLOW)
    wrong = [
        str(one)
        for n, one in enumerate(ended)
        if one.status != "OK" or one.value["result"] != n * 3
    ]
    scene.holds(not wrong, "\n".join(wrong[:5]))


def cached(scene):
    client = scene.real()
    statement = {"statement": "select %d as n" % random.getrandbits(40)}

    def status(**fields):
        (ended,) = scene.end(client.call(statement, "SQL_QueryReadonly", **fields))
        return ended.body["cache"]["status"] if ended.body else (ended.status, ended.code)

    scene.same(status(only_if_cached=True), ("APP_ERROR", "NOT_CACHED"), "nothing is kept")
    scene.same(status(), "miss", "the first")
    scene.holds(until(lambda: status() == "hit", 10), "never a hit")
    scene.same(status(no_cache=True), "bypass", "no_cache")


def _same_back(scene, values, statement="select ? as v"):
    """Each value comes back as it went: through SQLite and the cache, and scripted."""
    client = scene.real()
    ids = client.submit(
        *[
            call({"statement": statement, "parameters": [value]}, "SQL_QueryReadonly")
            for value in values
        ]
    )
    for value, ended in zip(values, scene.end(*ids)):
        got = ended.value["rows"][0]["v"] if ended.status == "OK" else ended
        scene.same((type(got), got), (type(value), value), "a parameter")


def unicode(scene):
    _same_back(
        scene,
        [
            "",
            "žluťoučký kůň",
            "日本語",
            "🐎\U0010ffff",
            "e\u0301 is not \u00e9",
            '\x01\t\n"\\\x7f',
            "\u2028\u2029\ufeff",
            "a" * 5000,
        ],
    )


def int64_exact(scene):
    _same_back(
        scene, [2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1, 2**32, 0, -1, 0.1, 1e300, 5e-324]
    )


def bytes_are_bytes(scene):
    broker = scene.scripted(echo)
    sent = {"blob": bytes(range(256)), "empty": b"", "big": 2**64 - 1}
    (ended,) = scene.serve(broker, scene.client.call(sent))
    scene.same(broker.requests[0].arguments, sent, "as it came to the broker")
    scene.same(ended.value, sent, "as it came back")


def large_answer(scene):
    client = scene.real()
    text = "select replace(hex(zeroblob(45000)), '00', 'data') as t"
    (ended,) = scene.end(client.call({"statement": text}, "SQL_QueryReadonly", 10000))
    got = ended.value["rows"][0]["t"] if ended.status == "OK" else ended
    scene.holds(got == "data" * 45000, str(got)[:200])


def too_large(scene):
    broker = scene.scripted(echo)
    large = scene.client.call({"x": "x" * 262144})
    small = scene.client.call({"x": 1})
    refused, served = scene.serve(broker, large, small)
    scene.same(
        (refused.status, refused.executed, refused.local), ("TOO_LARGE", "no", True), refused
    )
    scene.same((served.status, len(broker.requests)), ("OK", 1), served)


def tool_error(scene):
    client = scene.real()
    (ended,) = scene.end(client.call({"expression": "1 / 0"}, "Math_Calculator", idempotent=True))
    scene.same(
        (ended.status, ended.code, ended.executed), ("APP_ERROR", "TOOL_FAILED", "yes"), ended
    )
    scene.same((ended.local, ended.attempts), (False, 1), ended)


def bad_arguments(scene):
    client = scene.real()
    (ended,) = scene.end(client.call({"expresion": "1"}, "Math_Calculator"))
    scene.same(
        (ended.status, ended.code, ended.executed), ("BAD_REQUEST", "BAD_ARGUMENTS", "no"), ended
    )
    scene.holds(ended.field and "expres" in ended.field and ended.may_retry is False, ended)


def real_restart(scene):
    with Cluster() as cluster:
        cluster.whole(demo_database(cluster.folder))
        client = scene.client.open(cluster.frontend)

        def served():
            (ended,) = scene.end(client.call({"expression": "1 + 1"}, "Math_Calculator", 2000))
            return ended.status == "OK"

        scene.holds(until(served, 20), "not served at first")
        ids = client.submit(
            *[
                call({"expression": "%d + 1" % n}, "Math_Calculator", 3000, idempotent=n % 2 == 0)
                for n in range(200)
            ]
        )
        cluster.broker.kill(signal.SIGKILL)
        cluster.broker.process.wait()
        ended = scene.end(*ids, seconds=3 + SLACK + PATIENCE)
        late = [str(one) for one in ended if client.took(one.id) > 3 + SLACK]
        odd = [
            str(one)
            for one in ended
            if one.status
            not in (
                "OK",
                "WORKER_LOST",
                "DEADLINE_RUNNING",
                "DEADLINE_QUEUED",
                "NO_WORKER",
                "NO_ROLE",
            )
        ]
        scene.holds(not late and not odd, "\n".join((late + odd)[:5]))
        cluster.start(
            "fact-broker",
            "--frontend",
            cluster.frontend,
            "--backend",
            cluster.backend,
            "--events",
            cluster.events,
            "--instance",
            "broker-1",
        )
        scene.holds(until(served, 30), "not served after the restart")
        scene.holds(client.ask("state")["connections"] >= 2, client.ask("state"))
