"""The page of one breaker: evidence one click away, time lines that tell the truth."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.api import Section
from dashboards.pages.lanes import lanes, swimlanes
from dashboards.pages.page import changes
from dashboards.pages.tile import tile, tripped_by
from dashboards.window import Window
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import TRACE, breaker

WINDOW = Window("", "", "", datetime(2026, 11, 22, 3, tzinfo=UTC), datetime(2026, 11, 22, 4, tzinfo=UTC))


def change(at: str, old: str, new: str) -> dict[str, str]:
    """Give a transition of instance i."""
    return {"at": at, "from": old, "to": new, "instance": "i"}


def test_from_the_tile_to_the_failing_span_and_its_logs() -> None:
    """Board → breaker → first failing span and the logs of every service on that trace: each one link."""
    app = pages_over("shop")
    (tile,) = read(app, "/breakers").page.having(data_testid="breaker-tile-checkout-payment")
    assert tile.attributes["data-state"] == "open"
    link = next(a.attributes["href"] for a in tile.tags("a") if a.text == "payment")

    page = read(app, link).page

    (trace,) = page.having(data_testid="cause-trace")
    (logs,) = page.having(data_testid="cause-logs")
    path, _, fragment = trace.attributes["href"].partition("#")
    assert path.startswith(f"/traces/{TRACE}?")
    (span,) = read(app, path).page.having(id=fragment)
    assert span.attributes["data-first-failure"] == "true"
    assert span.attributes["data-service"] == "payment"
    assert f"query=trace_id%3A{TRACE}" in logs.attributes["href"]
    assert "start=2026-11-22T02%3A55" in logs.attributes["href"]
    assert read(app, logs.attributes["href"]).page.having(data_testid="log-row")


def test_a_time_line_shows_what_was_before_the_first_transition() -> None:
    """Before it opened at a quarter past, it was what the transition came from."""
    (lane,) = lanes((change("2026-11-22T03:15:00Z", "closed", "open"),), (), WINDOW)

    assert [(each.state, each.x, each.width) for each in lane.stretches] == [
        ("closed", 0, 25),
        ("open", 25, 75),
    ]


def test_transitions_outside_the_range_set_its_edges() -> None:
    """A change before the range decides how it begins; one after it is not drawn."""
    before, after = (
        change("2026-11-22T02:00:00Z", "closed", "open"),
        change("2026-11-22T05:00:00Z", "open", "closed"),
    )

    (lane,) = lanes((after, before), (), WINDOW)

    assert [(each.state, each.x, each.width) for each in lane.stretches] == [("open", 0, 100)]


def test_an_instance_without_transitions_is_in_its_present_state() -> None:
    """An instance nothing happened to is drawn as it is; a state nobody knows is unknown, never closed."""
    made = lanes((), ({"instance": "i", "state": "closed"}, {"instance": "j", "state": None}), WINDOW)

    assert [[stretch.state for stretch in lane.stretches] for lane in made] == [["closed"], ["unknown"]]


def test_while_the_spans_are_on_their_way_the_trace_is_linked_already() -> None:
    """Without a cause, the transition's own trace id leads to the trace and to its logs."""
    made = tile({**breaker("checkout", "payment"), "cause": None}, WINDOW)

    assert made.cause is not None
    assert made.cause.service == ""
    assert made.cause.trace_url.startswith(f"/traces/{TRACE}?")
    assert f"query=trace_id%3A{TRACE}" in made.cause.logs_url
    assert tile({**breaker("gateway", "catalog"), "trace_id": TRACE}, WINDOW).cause is None


def test_starts_of_processes_are_no_transitions_worth_a_row() -> None:
    """Closed → closed says that a breaker exists; the newest real changes are not pushed out by it."""
    started, opened = (
        change("2026-11-22T03:00:00Z", "closed", "closed"),
        change("2026-11-22T03:01:00Z", "closed", "open"),
    )

    assert changes(Section((started, opened, started)), 2).rows == (opened,)


def test_breakers_of_many_services_share_one_axis() -> None:
    """A lane is as bad as the worst instance at each moment; a breaker that did not change has none."""
    told = [
        {
            **change("2026-11-22T03:15:00Z", "closed", "open"),
            "service": "checkout",
            "env": "demo",
            "breaker": "payment",
        },
        {
            **change("2026-11-22T03:30:00Z", "closed", "open"),
            "service": "checkout",
            "env": "demo",
            "breaker": "payment",
            "instance": "j",
        },
        {
            **change("2026-11-22T03:45:00Z", "open", "closed"),
            "service": "checkout",
            "env": "demo",
            "breaker": "payment",
        },
        {
            **change("2026-11-22T03:20:00Z", "closed", "closed"),
            "service": "cart",
            "env": "demo",
            "breaker": "catalog",
        },
    ]

    (lane,) = swimlanes(told, [], WINDOW)

    assert (lane.service, [each.name for each in lane.lanes]) == ("checkout", ["payment"])
    assert [(each.state, each.x, each.width) for each in lane.lanes[0].stretches] == [
        ("closed", 0, 25),
        ("open", 25, 75),
    ]


def test_the_board_of_one_service() -> None:
    """A link from a service shows only its breakers, and the way back to all."""
    page = read(pages_over("shop"), "/breakers?service=checkout").page

    assert page.having(data_testid="swimlanes")
    assert "all breakers" in page.text


def test_what_tripped_it_is_said_in_numbers() -> None:
    """Errors by their share, latency by its p95, each beside what is usual; nothing where nothing was unusual."""
    errors = {"kind": "errors", "calls": 1240, "error_ratio": 0.62, "usual_error_ratio": None}
    slow = {"kind": "latency", "p95_ms": 4200.0, "usual_p95_ms": 90.0}

    assert tripped_by(errors) == "62 % of 1,240 calls failed as it opened"
    assert tripped_by(slow) == "p95 was 4.2 s as it opened, usually 90 ms"
    assert [tripped_by(each) for each in (None, "x", {"kind": "unknown"})] == ["", "", ""]


def test_a_cause_without_a_span_is_a_sentence() -> None:
    """Only what tripped it is known: no trace is offered, no service blamed."""
    told = {
        "service": "checkout",
        "trace_id": "",
        "message": "checkout → payment: its p95 was 4200 ms as it opened, usually 90 ms",
        "tripped_by": {"kind": "latency", "p95_ms": 4200.0, "usual_p95_ms": 90.0},
    }

    made = tile({**breaker("checkout", "payment"), "cause": told}, WINDOW)

    assert made.cause is not None
    assert (made.cause.trace_url, made.cause.logs_url) == ("", "")
    assert made.cause.sentence == told["message"]


def test_the_board_leads_to_a_breakers_hints() -> None:
    """Its tile counts them, and the link opens where they are explained."""
    app = pages_over("shop")
    (link,) = read(app, "/breakers").page.having(data_testid="tile-hints")
    path, _, fragment = link.attributes["href"].partition("#")

    page = read(app, path).page

    assert page.having(id=fragment)
    (hint,) = page.having(data_testid="breaker-hint")
    assert hint.attributes["data-code"] == "wait_short"


def test_evidence_is_written_with_its_units() -> None:
    """Seconds as durations, ratios as percentages, the rest as numbers; what is no evidence is none."""
    evidence = {"wait_s": 90, "error_ratio": 0.4, "threshold": 0.5, "opens_1h": 3, "small_opens": 12}
    row = {**breaker("cart", "catalog"), "hints": [{"code": "x", "evidence": evidence}, {"evidence": "y"}]}

    first, second = tile(row, WINDOW).hints

    assert first.evidence == (
        ("wait", "1 min 30 s"),
        ("error ratio", "40 %"),
        ("threshold", "50 %"),
        ("opens, 1 h", "3"),
        ("small opens", "12"),
    )
    assert second.evidence == ()
