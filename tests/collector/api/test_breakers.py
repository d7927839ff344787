"""The board on the real engine: why a breaker opened, who feels it up to the users, and what its history says about its configuration."""

import pytest

from collector.api.answer import Page
from collector.api.v1.breakers import Breaker
from tests.collector.read.real_store import log, span, transition


@pytest.fixture
def asked(client):
    """The documented rows by breaker."""

    def ask(path="breakers", **params):
        answer = client.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return {row.breaker: row for row in Page[Breaker].model_validate(answer.json()).data}

    return ask


def call(seconds, caller, callee, number, *, failed=False, took_ms=10, route="/x"):
    """A client span of *caller* and the server span of *callee* that is its child."""
    common = {
        "trace_id": f"{number:032x}",
        "status": "error" if failed else "ok",
        "duration_ns": int(took_ms * 1e6),
    }
    client = span(seconds, caller, f"GET {callee}", kind="client", span_id=f"c{number:015x}", attributes={"peer.service": callee}, **common)  # fmt: skip
    server = span(seconds, callee, f"GET {route}", span_id=f"s{number:015x}", parent_span_id=f"c{number:015x}", attributes={"http.route": route}, **common)  # fmt: skip
    return [client, server]


def entered(seconds, service, number, *, failed=False, route="/buy"):
    """A server span of a request that came from outside."""
    return span(seconds, service, f"POST {route}", span_id=f"e{number:015x}", trace_id=f"{number:032x}",
                status="error" if failed else "ok", attributes={"http.route": route})  # fmt: skip


@pytest.fixture
def shop(fill):
    """Users come in at web and admin; half of web's requests go to checkout, which lost payment: every second call of checkout's fails."""
    rows = []
    for number in range(40):
        when = -100 + number * 2
        hit = number % 2 == 0
        failed = number % 4 == 0
        rows.append(entered(when, "web", number, failed=failed, route="/buy" if hit else "/look"))
        rows.append(entered(when, "admin", number + 1000, route="/admin"))
        if hit:
            rows += call(when, "web", "checkout", number, failed=failed, route="/checkout")
            rows += call(when, "checkout", "payment", number + 2000, failed=failed)
    for number in range(60):  # what was usual
        rows += call(-600 + number * 5, "checkout", "payment", number + 5000)
    fill("spans", rows)


@pytest.mark.usefixtures("shop")
def test_who_feels_it_is_followed_up_to_the_users(fill, asked):
    """Half of checkout's requests fail, half of web's go there: a quarter of web's users; admin's are untouched."""
    fill("breaker_transitions", [transition(-100, "checkout", "payment", "closed>open")])

    radius = asked()["payment"].blast_radius

    assert radius.share == pytest.approx(0.5)
    assert [(each.service, each.share) for each in radius.callers] == [("web", 1.0)]
    assert [(each.service, each.distance, each.share) for each in radius.upstream] == [("web", 1, 0.25)]
    (entry,) = radius.entries
    assert (entry.service, entry.requests, entry.share) == ("web", 40, 0.25)
    assert [(route.route, route.requests, route.failed) for route in entry.routes] == [("/buy", 20, 10)]
    assert radius.users_share == pytest.approx(0.125)


@pytest.mark.usefixtures("shop")
def test_what_tripped_it_stands_beside_what_was_usual(fill, asked):
    """The first failing call of the minute before, and the share of failed calls as it opened."""
    fill("breaker_transitions", [transition(-40, "checkout", "payment", "closed>open")])

    cause = asked()["payment"].cause

    assert cause.tripped_by.kind == "errors"
    assert (cause.tripped_by.error_ratio, cause.tripped_by.usual_error_ratio) == (
        pytest.approx(0.5, abs=0.1),
        0.0,
    )
    assert cause.span_id.startswith("c")
    assert "calls failed as it opened, usually 0.0%" in cause.message


def test_a_callee_that_became_slow_is_a_cause_without_a_failed_call(fill, asked):
    """No span failed; its p95 grew tenfold."""
    usual = [row for number in range(60) for row in call(-700 + number * 5, "checkout", "payment", number)]
    slow = [
        row
        for number in range(20)
        for row in call(-60 + number, "checkout", "payment", number + 100, took_ms=500)
    ]
    fill("spans", usual + slow)
    fill("breaker_transitions", [transition(-35, "checkout", "payment", "closed>open")])

    cause = asked()["payment"].cause

    assert (cause.tripped_by.kind, cause.trace_id) == ("latency", "")
    assert cause.message.startswith("checkout → payment: its p95 was 500 ms as it opened, usually 10 ms")


def test_openings_are_each_judged_from_their_own_minute(fill, asked):
    """Two open breakers at once, one young and one old."""
    rows = [row for number in range(20) for row in call(-1800 + number, "web", "old", number)]
    rows += [
        row for number in range(20) for row in call(-40 + number, "web", "young", number + 100, failed=True)
    ]
    fill("spans", rows)
    fill(
        "breaker_transitions",
        [transition(-1810, "old", "x", "closed>open"), transition(-20, "young", "y", "closed>open")],
    )
    fill("logs", [log(-1, "alive", service="old"), log(-1, "alive", service="young")])

    rows = asked()

    assert (rows["x"].blast_radius.share, rows["y"].blast_radius.share) == (0, 1)
    assert [each.requests for each in rows["x"].blast_radius.callers] == [20]
    assert [each.requests for each in rows["y"].blast_radius.callers] == [20]


def codes(row):
    """The codes of its hints."""
    return [hint.code for hint in row.hints]


def cycle(start, breaker, wait_s, *, failed_trials=0, **opened):
    """An opening with its trials, closed at last."""
    steps = [transition(start, "checkout", breaker, "closed>open", **opened)]
    when = start
    for _ in range(failed_trials):
        when += wait_s
        steps.append(transition(when, "checkout", breaker, "open>half_open"))
        steps.append(transition(when + 0.5, "checkout", breaker, "half_open>open"))
    when += wait_s
    return [
        *steps,
        transition(when, "checkout", breaker, "open>half_open"),
        transition(when + 0.5, "checkout", breaker, "half_open>closed"),
    ]


def test_a_breaker_that_never_opens_is_told_so(fill, asked):
    """Most calls to its target fail for minutes and it stays closed; one that is disabled as well; a healthy edge gives no hint."""
    rows = []
    for target, bad in (("payment", True), ("stock", True), ("mail", False)):
        for minute in range(7):
            for number in range(25):
                rows += call(
                    -600 + minute * 60 + number,
                    "checkout",
                    target,
                    hash((target, minute, number)) % 2**60,
                    failed=bad and number % 5 != 0,
                )
    fill("spans", rows)
    fill(
        "breaker_transitions",
        [
            transition(-900, "checkout", "payment", ">closed"),
            transition(-900, "checkout", "stock", "closed>disabled"),
            transition(-900, "checkout", "mail", ">closed"),
        ],
    )
    fill("logs", [log(-1, "alive")])

    rows = asked()

    assert {name: codes(row) for name, row in rows.items()} == {
        "payment": ["never_opens"],
        "stock": ["disabled"],
        "mail": [],
    }
    (hint,) = rows["payment"].hints
    assert (hint.evidence["threshold"], hint.evidence["minutes"]) == (0.5, 5)
    assert hint.evidence["error_ratio"] == pytest.approx(0.8, abs=0.05)
    assert "payment failed" in hint.message
    assert "lower its failure threshold" in hint.change


def test_openings_on_few_calls_or_on_nothing_but_failures_are_told(fill, asked):
    """Two calls are no sample; who opens only when everything fails opens too late."""
    fill("logs", [log(-1, "alive")])
    fill(
        "breaker_transitions",
        [
            step
            for number in range(4)
            for step in (
                *cycle(-80_000 + number * 900, "nervous", 30, calls=2, failure_rate=1.0),
                *cycle(-80_000 + number * 900, "late", 30, calls=50, failure_rate=1.0),
                *cycle(-80_000 + number * 900, "good", 30, calls=50, failure_rate=0.6),
            )
        ],
    )

    rows = asked()

    assert {name: codes(row) for name, row in rows.items()} == {
        "nervous": ["small_sample"],
        "late": ["threshold_100"],
        "good": [],
    }
    assert rows["nervous"].hints[0].evidence == {"opens": 4, "small_opens": 4, "calls_below": 5}


def test_trials_that_all_fail_and_waits_that_do_not_fit_are_told(fill, asked):
    """Waits far shorter than the callee needs, waits far longer; trial calls of which none ever succeeded."""
    fill("logs", [log(-1, "alive")])
    steps = [
        step
        for number in range(3)
        for step in (
            *cycle(-20_000 + number * 2000, "hasty", 5, failed_trials=12),
            *cycle(-20_000 + number * 2000, "patient", 600),
        )
    ]
    hopeless = [transition(-900, "checkout", "hopeless", "closed>open")]
    for number in range(6):
        hopeless.append(transition(-800 + number * 100, "checkout", "hopeless", "open>half_open"))
        hopeless.append(transition(-799 + number * 100, "checkout", "hopeless", "half_open>open"))
    fill("breaker_transitions", steps + hopeless)

    rows = asked()

    assert {name: codes(row) for name, row in rows.items()} == {
        "hasty": ["wait_short"],
        "patient": ["wait_long"],
        "hopeless": ["probes_fail"],
    }
    assert (rows["hasty"].hints[0].evidence["wait_s"], rows["hasty"].hints[0].evidence["trials"]) == (5, 13)
    assert rows["hopeless"].hints[0].evidence["reopens"] == 6


def test_what_was_told_two_ways_is_not_counted_twice(fill, asked):
    """A log line and a post of each opening: two openings are no three."""
    fill("logs", [log(-1, "alive")])
    fill(
        "breaker_transitions",
        [
            {**step, "source": source}
            for number in range(2)
            for step in cycle(-9000 + number * 900, "payment", 30, calls=2, failure_rate=1.0)
            for source in ("log", "post")
        ],
    )

    assert codes(asked()["payment"]) == []


def test_of_several_breakers_on_an_edge_the_one_that_protects_counts(fill, client):
    """A retry policy beside a breaker leaves its edge protected, and alone it does not; of two breakers the open one is shown."""
    fill("spans", [*call(-30, "checkout", "payment", 1), *call(-30, "checkout", "stock", 2)])
    steps = [
        ("payment", ">closed", "payment"), ("retry:payment", ">metrics_only", "payment"), ("slow-calls", "closed>open", "payment"),
        ("retry:stock", ">metrics_only", "stock"),
    ]  # fmt: skip
    fill(
        "breaker_transitions",
        [transition(-20, "checkout", name, change, target=target) for name, change, target in steps],
    )

    edges = {edge["callee"]: edge for edge in client.get("/api/v1/map").json()["data"][0]["edges"]}

    assert (edges["payment"]["protected"], edges["payment"]["breaker"]) == (
        True,
        {"name": "slow-calls", "state": "open"},
    )
    assert (edges["stock"]["protected"], edges["stock"]["breaker"]["name"]) == (False, "retry:stock")
