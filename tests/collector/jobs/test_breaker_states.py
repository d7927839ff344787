"""Transitions out of recorded expositions, loaded through the real mapping into the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.jobs.breaker_states import BREAKER_STATES
from collector.journal.envelope import Head
from collector.query.window import SECOND_NS, sql_time
from collector.read.breaker_metrics import WAYS

INTERVAL_S = 15
EXPOSITIONS = Path(__file__).parent / "expositions"
STATES = ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")


def resilience4j(state, *, not_permitted=0, failure_rate=-1.0, calls=10):
    """What resilience4j-micrometer exposes of one breaker."""
    states = "".join(
        f'resilience4j_circuitbreaker_state{{name="payment",state="{each}",}} {float(each == state)}\n'
        for each in STATES
    )
    return f"""# HELP resilience4j_circuitbreaker_state The states of the circuit breaker
# TYPE resilience4j_circuitbreaker_state gauge
{states}# TYPE resilience4j_circuitbreaker_not_permitted_calls counter
resilience4j_circuitbreaker_not_permitted_calls_total{{kind="not_permitted",name="payment",}} {float(not_permitted)}
# TYPE resilience4j_circuitbreaker_failure_rate gauge
resilience4j_circuitbreaker_failure_rate{{name="payment",}} {failure_rate}
# TYPE resilience4j_circuitbreaker_buffered_calls gauge
resilience4j_circuitbreaker_buffered_calls{{kind="failed",name="payment",}} {calls / 2}
resilience4j_circuitbreaker_buffered_calls{{kind="successful",name="payment",}} {calls / 2}
"""


def polly(opened=None, half_opened=None, closed=None):
    """Polly's counter as OpenTelemetry's Prometheus exporter writes it; a counter appears with its first event."""
    counts = {"OnCircuitOpened": opened, "OnCircuitHalfOpened": half_opened, "OnCircuitClosed": closed}
    return "# TYPE resilience_polly_strategy_events_total counter\n" + "".join(
        f'resilience_polly_strategy_events_total{{event_name="{event}",event_severity="Error",pipeline_name="pay",strategy_name="breaker"}} {count}\n'
        for event, count in counts.items() if count is not None
    ) + "up 1\n"  # fmt: skip


def opossum(**counts):
    """opossum-prometheus."""
    return "# HELP circuit A count of all circuit' events\n# TYPE circuit counter\n" + "".join(
        f'circuit{{name="charge",event="{event}"}} {count}\n' for event, count in counts.items()
    )


@pytest.fixture
def seen(warehouse, now_ns):
    """Load expositions a scrape apart, run the windows of the job over them, and read what came of it."""

    def see(*texts, windows=1):
        base_ns = now_ns - 600 * SECOND_NS
        for number, text in enumerate(texts):
            at_ns = base_ns + number * INTERVAL_S * SECOND_NS
            head = Head(
                "b",
                at_ns,
                at_ns=at_ns,
                resource={
                    "service.name": "checkout",
                    "service.instance.id": "c1",
                    "deployment.environment.name": "demo",
                },
            )
            if text is not None:
                warehouse.load("exposition", (head, text.encode()))
        step = len(texts) * INTERVAL_S // windows + 1
        (statement,) = BREAKER_STATES.statements
        ways = "[" + ", ".join(str(tuple(way)) for way in WAYS) + "]"
        for window in range(windows):
            start = base_ns + window * step * SECOND_NS
            warehouse.run(
                statement.sql,
                {"start": sql_time(start), "end": sql_time(start + step * SECOND_NS), "ways": ways},
            )
        return warehouse.rows(f"""SELECT from_state, to_state, breaker, target, instance, service, env, not_permitted, failure_rate, calls, interval_ms, derived, source, reason,
                                  intDiv(toUnixTimestamp64Milli(at) - {base_ns // 10**6}, 1000) AS after_s FROM breaker_transitions ORDER BY at""")

    return see


def changes(rows):
    """(from, to, seconds after the first sample)."""
    return [(row["from_state"], row["to_state"], row["after_s"]) for row in rows]


def test_a_state_that_differs_from_the_sample_before_is_a_transition(seen):
    """With its breaker, instance, interval and what the other metrics of that scrape say."""
    rows = seen(
        resilience4j("closed"), resilience4j("closed"), resilience4j("open", not_permitted=7, failure_rate=60.0),
        resilience4j("half_open", not_permitted=9), resilience4j("closed", not_permitted=9),
    )  # fmt: skip

    assert changes(rows) == [
        ("", "closed", 0),
        ("closed", "open", 30),
        ("open", "half_open", 45),
        ("half_open", "closed", 60),
    ]
    opened = rows[1]
    assert (opened["service"], opened["env"], opened["breaker"], opened["instance"]) == (
        "checkout",
        "demo",
        "payment",
        "c1",
    )
    assert (opened["interval_ms"], opened["derived"], opened["source"]) == (15000, True, "metric")
    assert (int(opened["not_permitted"]), opened["failure_rate"], int(opened["calls"])) == (7, 0.6, 10)


def test_windows_that_adjoin_tell_each_change_once(seen):
    """The first look of a later window is compared with the last one before it."""
    texts = [
        resilience4j(state)
        for state in ("closed", "closed", "open", "open", "half_open", "open", "closed", "closed")
    ]

    assert changes(seen(*texts, windows=4)) == [
        ("", "closed", 0), ("closed", "open", 30), ("open", "half_open", 60), ("half_open", "open", 75), ("open", "closed", 90),
    ]  # fmt: skip


def test_an_opening_between_two_samples_is_betrayed_by_its_counter(seen):
    """Closed both times, but calls were turned away: open in between, a third of the interval from each."""
    rows = seen(
        resilience4j("closed"),
        resilience4j("closed", not_permitted=12),
        resilience4j("closed", not_permitted=12),
    )

    assert changes(rows) == [("", "closed", 0), ("closed", "open", 5), ("open", "closed", 10)]
    assert int(rows[1]["not_permitted"]) == 12


def test_a_restarted_process_is_not_an_opening(seen):
    """A counter that fell began anew: what it has now was turned away since, and nothing of what was before counts."""
    rows = seen(resilience4j("closed", not_permitted=100), resilience4j("closed", not_permitted=0))

    assert changes(rows) == [("", "closed", 0)]


def test_a_missed_scrape_changes_nothing_but_the_interval(seen):
    """The look before the gap is the one before."""
    rows = seen(resilience4j("closed"), None, resilience4j("open"))

    assert [(row["to_state"], row["interval_ms"]) for row in rows] == [("closed", 0), ("open", 30000)]


def test_polly_only_counts_its_changes(seen):
    """Counters that appear or grow are changes; a whole cycle between two samples ends closed."""
    rows = seen(
        polly(),
        polly(opened=1),
        polly(opened=1, half_opened=1),
        polly(opened=2, half_opened=2, closed=1),
        polly(opened=3, half_opened=3, closed=2),
    )

    assert [row["to_state"] for row in rows] == [
        "open",
        "half_open",
        "open",
        "half_open",
        "closed",
        "open",
        "half_open",
        "closed",
    ]
    assert {row["breaker"] for row in rows} == {"pay/breaker"}


def test_opossum_counts_events_by_name(seen):
    """open, halfOpen, close; rejects are calls that were not permitted."""
    rows = seen(
        opossum(fire=1, open=0, close=0, reject=0),
        opossum(fire=9, open=1, close=0, reject=4),
        opossum(fire=20, open=1, halfOpen=1, close=1, reject=4),
    )

    assert int(rows[0]["not_permitted"]) == 4
    assert [row["to_state"] for row in rows] == ["open", "half_open", "closed"]


@pytest.mark.parametrize("path", sorted(EXPOSITIONS.glob("*.prom")), ids=lambda path: path.stem)
def test_each_library_is_understood_as_it_exposes_itself(seen, path):
    """A file per library: what it is, the breaker's name, the states that its looks (scrapes) tell, one after the other."""
    head, *looks = path.read_text().split("# look\n")
    told = dict(line[2:].split(": ", 1) for line in head.splitlines())

    rows = seen(*looks)

    assert [row["to_state"] for row in rows] == told["states"].split()
    assert {(row["breaker"], row["target"]) for row in rows} == {(told["breaker"], told.get("target", ""))}


def test_ejections_between_two_samples_are_counted(seen):
    """Envoy ejected and took back within one interval: open in between, and the reason says by what it is known."""
    name = '{envoy_cluster_name="payment"}'
    active, enforced = (
        "envoy_cluster_outlier_detection_ejections_active",
        "envoy_cluster_outlier_detection_ejections_enforced_total",
    )
    rows = seen(*(f"{active}{name} 0\n{enforced}{name} {count}\n" for count in (3, 5)))

    assert changes(rows) == [("", "closed", 0), ("closed", "open", 5), ("open", "closed", 10)]
    assert rows[1]["reason"] == "it opened 2 times between two samples 15 s apart"


@pytest.mark.parametrize(
    ("metric", "values", "breaker", "target", "expected"),
    [
        ('gobreaker_state{name="pay"}', (0, 2, 1, 0), "pay", "", ["closed", "open", "half_open", "closed"]),
        ('hystrix_circuit_breaker_open{group="g",key="Charge"}', (0, 1, 0), "Charge", "", ["closed", "open", "closed"]),
        ('hystrix_command_is_circuit_breaker_open{command_group="g",command_name="Charge"}', (0, 1), "Charge", "", ["closed", "open"]),
        ('envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="outbound|8080||payment.shop.svc.cluster.local"}', (0, 2, 0),
         "outbound|8080||payment.shop.svc.cluster.local", "payment", ["closed", "open", "closed"]),
        ('circuit_breaker_state{name="x",state="open"}', (1,), "x", "", ["open"]),
    ],
)  # fmt: skip
def test_other_libraries_have_other_words(seen, metric, values, breaker, target, expected):
    """Numbers, flags, labels: each as its own source has it."""
    rows = seen(*(f"{metric} {value}\n" for value in values))

    assert [row["to_state"] for row in rows] == expected
    assert {(row["breaker"], row["target"]) for row in rows} == {(breaker, target)}


def test_what_is_no_state_is_nothing(seen):
    """NaN, states nobody knows, breakers without a name."""
    rows = seen(
        'circuit_breaker_state{name="x",state="melted"} 1\n',
        "gobreaker_state 2\n",
        'gobreaker_state{name="y"} NaN\n',
        'gobreaker_state{name="z"} 77\n',
    )

    assert rows == []
