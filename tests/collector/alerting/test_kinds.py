"""The other kinds of rules: what is read, what is refused, and what they find in a real engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from collector.alerting.evaluation.labelling import Fill, labelled
from collector.alerting.kinds.asking import Missing, Sources
from collector.alerting.kinds.slo import read_slo
from collector.alerting.rules import default_groups, load_groups, load_rules
from collector.alerting.rules.book import RuleBook
from collector.errors import Malformed, StoreUnavailable
from collector.query.window import sql_time
from collector.read.present import Present
from collector.read.sql import Reader
from tests.collector.read.real_store import store

__all__ = ["store"]

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TABLES = ("logs", "log_minutes", "service_minutes", "spans", "breaker_transitions")


@pytest.fixture
def ask(store, tmp_path):
    """Write one rule and ask it: ``ask(text, at)`` gives {labels: value}; ``ask.over`` what of it has ended."""

    def rule(text: str):
        path = tmp_path / "one.yaml"
        path.write_text(f"groups: [{{name: g, rules: [{{alert: A, {text}}}]}}]")
        (one,) = load_rules([str(path)])
        return one

    def run(text: str, at: datetime = AT) -> dict[tuple[tuple[str, str], ...], float]:
        samples = rule(text).asking.find(run.sources, at)
        return {tuple(sorted(sample.labels.items())): sample.value for sample in samples}

    def over(text: str, labels: dict[str, str], at: datetime) -> bool:
        one = rule(text)
        fill: Fill = lambda words, _: words  # noqa: E731
        mark = labelled(one, Sample(labels, 0), fill).fingerprint
        missing = [Missing(mark, labels, AT, AT)]
        return mark in one.asking.over(
            run.sources, at, missing, lambda sample: labelled(one, sample, fill).fingerprint
        )

    from collector.alerting.kinds.asking import Sample

    run.sources = Sources(lambda: Reader(store))
    run.over = over
    yield run
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")


def at(seconds: float) -> str:
    """Give the time that many seconds before AT as ClickHouse reads it."""
    return sql_time(int((AT - timedelta(seconds=seconds)).timestamp() * 1e9))


def test_a_search_counts_records_by_field(ask, store):
    """Beyond its threshold, in its window; an answer of nothing counts while the service speaks."""
    rows = [("checkout", "error", 10)] * 4 + [("cart", "error", 20)] * 2 + [("cart", "info", 5)]
    store.insert(
        "logs",
        [
            {"service": service, "severity": severity, "severity_number": 17 if severity == "error" else 9, "occurred_at": at(ago), "body": "x", "batch_id": "b", "line": n, "retention_days": 3000}
            for n, (service, severity, ago) in enumerate(rows)
        ],
        "kinds-logs",
    )  # fmt: skip
    rule = "search: 'severity:>=error', above: {}, within: 1m, by: [service]"

    assert ask(rule.format(3)) == {(("service", "checkout"),): 4.0}
    assert ask(rule.format(1)) == {(("service", "cart"),): 2.0, (("service", "checkout"),): 4.0}
    assert ask("search: 'severity:fatal', below: 1, within: 1m") == {(): 0.0}
    assert ask.over(rule.format(3), {"service": "checkout"}, AT)
    assert not ask.over(rule.format(3), {"service": "payment"}, AT)


def test_too_few_records_are_not_counted_where_some_wait_to_be_loaded(ask, store):
    """After an engine was away a rule that misses a word looks at the time before."""
    row = {"service": "job", "severity": "info", "severity_number": 9, "body": "done", "batch_id": "b", "line": 1, "retention_days": 3000}  # fmt: skip
    store.insert("logs", [{**row, "occurred_at": at(400)}], "kinds-few")
    rule = "search: done, below: 1, within: 5m"
    first_ns = int((AT - timedelta(seconds=350)).timestamp() * 1e9)

    now = ask(rule)
    ask.sources = Sources(lambda: Reader(store, unloaded_ns=lambda _: first_ns))

    assert (now, ask(rule)) == ({(): 0.0}, {})


def test_a_silent_service_is_found_until_it_is_heard(ask, store):
    """Twenty records within a day and none for ten minutes; a handful was a person trying."""
    rows = [{"service": "checkout", "minute": at(900)[:19], "last_at": at(850), "records": 30, "severity": "info", "env": "prod", "retention_days": 3000}]  # fmt: skip
    rows += [
        {
            "service": "once",
            "minute": at(900)[:19],
            "last_at": at(850),
            "records": 3,
            "severity": "info",
            "env": "",
            "retention_days": 3000,
        }
    ]
    store.insert("log_minutes", rows, "kinds-silent")

    assert ask("silent: for 10m") == {(("env", "prod"), ("service", "checkout")): 850.0}
    assert ask("silent: 'for 10m {service=\"cart\"}'") == {}
    assert not ask.over("silent: for 10m", {"service": "checkout", "env": "prod"}, AT)
    assert ask.over("silent: for 10m", {"service": "checkout", "env": "prod"}, AT - timedelta(seconds=840))


def test_what_gathers_is_loaded_when_a_service_seems_silent_and_not_before(ask, store):
    """Lines in the journal can only make it heard of: a look at services that speak has nothing loaded."""
    row = {"service": "checkout", "minute": at(900)[:19], "records": 30, "severity": "info", "env": "", "retention_days": 3000}  # fmt: skip
    store.insert("log_minutes", [{**row, "last_at": at(850)}], "kinds-waits")
    loaded = []

    def load(signals):
        loaded.append(sorted(signals))
        store.insert("log_minutes", [{**row, "minute": at(60)[:19], "last_at": at(10)}], "kinds-waited")

    ask.sources = Sources(lambda: Reader(store), attend=load)

    assert ask("silent: for 10m") == {}
    assert ask("silent: for 10m") == {}
    assert loaded == [["logs", "traces"]]


def test_nobody_is_silent_whose_records_may_wait_to_be_loaded(ask, store):
    """After an engine was away, or while it is slow, silence is judged as of the moment from which on records are not loaded yet."""
    row = {"service": "checkout", "minute": at(900)[:19], "records": 30, "severity": "info", "env": "", "retention_days": 3000}  # fmt: skip
    store.insert("log_minutes", [{**row, "last_at": at(850)}], "kinds-behind")
    since = {300: {}, 200: {(("env", ""), ("service", "checkout")): 650.0}, -10: {(("env", ""), ("service", "checkout")): 850.0}}  # fmt: skip

    def found(waits_since_s):
        first_ns = int((AT - timedelta(seconds=waits_since_s)).timestamp() * 1e9)
        ask.sources = Sources(lambda: Reader(store, unloaded_ns=lambda _: first_ns))
        return ask("silent: for 10m")

    assert {seconds: found(seconds) for seconds in since} == since


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("{expr: 'up == 0'}", {"metrics"}),
        ("{slo: '99% of calls succeed'}", {"traces"}),
        ("{search: error, above: 1}", {"logs"}),
        ("{fuseboard: engine down}", set()),
        ("{breaker: flapping 3 times in 10m}", set()),
    ],
)
def test_a_rule_has_loaded_what_it_reads(tmp_path, text, signals):
    """Records that nobody asks about go on gathering; transitions never do."""
    path = tmp_path / "one.yaml"
    path.write_text(f"groups: [{{name: g, rules: [{{alert: A, {text[1:-1]}}}]}}]")
    (one,) = load_rules([str(path)])

    assert one.asking.reads == signals


def test_a_budget_burns_in_both_windows(ask, store):
    """Failing calls of the last minutes and of the hour; fewer than twenty calls say nothing."""
    minutes = [{"minute": at(60 * n)[:19], "service": "checkout", "kind": "server", "calls": 100, "errors": 30, "weighted_calls": 100, "weighted_errors": 30, "retention_days": 3000} for n in range(1, 50)]  # fmt: skip
    minutes += [{"minute": at(60)[:19], "service": "cart", "kind": "server", "calls": 4, "errors": 4, "weighted_calls": 4, "weighted_errors": 4, "retention_days": 3000}]  # fmt: skip
    store.insert("service_minutes", minutes, "kinds-slo")

    assert ask("slo: 99% of calls succeed") == {(("env", ""), ("service", "checkout")): 30.0}
    assert ask("slo: 97% of calls succeed") == {(("env", ""), ("service", "checkout")): 10.0}
    assert ask("slo: 90% of calls succeed") == {}
    assert ask.over("slo: 90%", {"service": "checkout", "env": ""}, AT)
    assert not ask.over("slo: 90%", {"service": "payment", "env": ""}, AT)


def test_a_budget_of_slow_calls_burns_in_both_windows(ask, store):
    """Of a hundred calls a minute a tenth takes half a second, whether it fails or not; of few calls nothing is said."""
    for service, calls, minutes in (("checkout", 100, 49), ("cart", 4, 1)):
        store.command(
            "INSERT INTO service_minutes (minute, service, kind, calls, retention_days, duration_ns) "
            f"SELECT toDateTime('{at(0)[:19]}', 'UTC') - 60 * (1 + intDiv(number, {calls})) AS minute, '{service}', 'server', {calls}, 3000, "
            "quantilesTDigestState(0.5, 0.95, 0.99)(if(number % 10 = 3, 500e6, 100e6)) "
            f"FROM numbers({calls * minutes}) GROUP BY minute"
        )
    key = (("env", ""), ("service", "checkout"))

    def burn(text):
        found = ask(f"slo: {text}")
        assert found.keys() <= {key}
        return found.get(key)

    assert burn("99.5% of calls are faster than 300ms") == pytest.approx(20, rel=0.1)
    assert burn("99% of requests faster than 300ms") == pytest.approx(10, rel=0.1)
    assert burn("98% of calls are faster than 300ms") is None
    assert burn("99% of calls are faster than 600ms") is None
    assert burn("99% of calls are faster than 50ms") == 100
    assert burn("'99% of calls are faster than 50ms {service=\"cart\"}'") is None
    assert ask.over("slo: 99% of calls are faster than 1s", {"service": "checkout", "env": ""}, AT)
    assert not ask.over("slo: 99% of calls are faster than 1s", {"service": "payment", "env": ""}, AT)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("99% of calls are faster than 0ms", "1ms to 1h, not 0ms"),
        ("99% of calls are faster than 2h", "1ms to 1h, not 2h"),
        ("99% of calls are faster than quick", "expected something like"),
        ("99% of calls are faster than 300", "expected something like"),
        ("80% of calls are faster than 300ms", "at least 83.3 %"),
        ("100% of calls are faster than 300ms", "between 0 and 99.999"),
    ],
)
def test_a_latency_objective_that_makes_no_sense_is_refused(text, problem):
    """With what would: a duration with its unit, an objective whose budget can burn."""
    with pytest.raises(ValueError, match=problem):
        read_slo(text)


@pytest.mark.parametrize("kept", [False, True], ids=["asked", "kept"])
def test_a_breaker_flaps_and_sticks(ask, store, kept):
    """Three openings in ten minutes of one instance; half open for a minute; from the tables and from memory."""
    states = ["closed", "open", "closed", "open", "closed", "open", "half_open"]
    rows = [
        {"service": "checkout", "breaker": "payment", "target": "payment", "instance": "i", "at": at(300 - 30 * n), "from_state": before, "to_state": after, "observed_at": at(300 - 30 * n), "retention_days": 3000}
        for n, (before, after) in enumerate(zip(["", *states], states, strict=False))
    ]  # fmt: skip
    store.insert("breaker_transitions", rows, "kinds-breakers")
    labels = (("breaker", "payment"), ("env", ""), ("service", "checkout"), ("target", "payment"))
    now = [AT]
    if kept:
        present = Present(store, lambda: int(now[0].timestamp() * 1e9))
        ask.sources = Sources(lambda: Reader(store), states=present.states)

    assert ask("breaker: flapping") == {labels: 3.0}
    assert ask("breaker: flapping 4 times in 10m") == {}
    assert ask("breaker: stuck for 1m") == {labels: 120.0}
    assert ask("breaker: stuck for 3m") == {}
    assert ask.over("breaker: flapping", dict(labels), AT)
    now[0] += timedelta(hours=1)
    assert not ask.over("breaker: flapping", dict(labels), now[0])


def test_a_statement_gives_an_alert_per_row(ask, store):
    """Columns are labels, one is the value."""
    ask.sources = Sources(lambda: Reader(store), sql=store.query)

    found = ask("sql: \"SELECT 'a' AS name, 2 AS n UNION ALL SELECT 'b', 3\", value: n")

    assert found == {(("name", "a"),): 2.0, (("name", "b"),): 3.0}
    with pytest.raises(Exception, match="no column 'value'"):
        ask("sql: SELECT 1 AS n")


def test_our_own_trouble_needs_no_engine(ask):
    """Asked of memory: a dead engine is an alert itself."""

    def dead() -> Reader:
        raise StoreUnavailable("connection refused")

    told = {"engine": {"state": "down"}, "journal": {"bytes": 80, "max_bytes": 100, "oldest_waiting_s": 400}}
    ask.sources = Sources(dead, own=lambda: told)

    assert ask("fuseboard: engine down") == {(): 1.0}
    assert ask("fuseboard: journal above 0.7") == {(): 0.8}
    assert ask("fuseboard: journal above 0.9") == {}
    assert ask("fuseboard: loading stuck") == {(): 400.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("search: 'a:[', above: 1", "search: "),
        ("search: a", "give either 'above' or 'below'"),
        ("search: a, above: 1, below: 2", "give either 'above' or 'below'"),
        ("search: a, above: 1, within: 8d", "not between 1s and 7d"),
        ("sql: ''", "the statement is empty"),
        ("breaker: flapping often", "expected something like: flapping 3 times in 10m"),
        ("breaker: flapping 1 times in 1m", "at least 2 times"),
        ("breaker: 'stuck {pod=\"x\"}'", "stuck breakers have no label 'pod'"),
        ("bulkhead: full", "expected something like: saturated above 0.9"),
        ("bulkhead: saturated above 90", "at most 1"),
        ("silent: for 1s", "from 1m to 7d"),
        ("slo: 100% of calls succeed", "between 0 and 99.999"),
        ("slo: most calls succeed", "expected something like: 99.9%"),
        ("fuseboard: unwell", "known: engine down"),
        ("fuseboard: journal", "give the share"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_line(tmp_path, text, says):
    """File, line, and what would be right."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"groups:\n  - name: g\n    rules:\n      - {{alert: A, {text}}}\n")

    with pytest.raises(Malformed) as wrong:
        load_groups([str(path)])
    assert wrong.value.message.startswith(f"{path}:4: groups.0.rules.0.")
    assert says in wrong.value.message


def test_default_rules_step_aside_for_ones_own(tmp_path):
    """A rule about open breakers replaces the default one, and no other."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "groups: [{name: g, rules: [{alert: Mine, breaker: open for 5s}, {alert: B, slo: 99.9%}]}]"
    )

    book = RuleBook([str(path)], default_groups())

    names = [rule.name for rule in book.rules.all]
    assert {"Mine", "BreakerFlapping", "FuseboardEngineDown", "ServiceSilent"} <= set(names)
    assert not {"BreakerOpen", "ErrorBudgetBurn"} & set(names)


def test_a_changed_file_is_read_again_and_a_broken_one_is_not_taken(tmp_path):
    """By time and size; what is wrong is kept for whoever asks, and forgotten once it is mended."""
    path = tmp_path / "rules.yaml"
    text = "groups: [{name: g, rules: [{alert: %s, expr: up == 0}]}]"
    path.write_text(text % "One")
    book = RuleBook([str(path)])
    assert not book.reread_if_changed()

    path.write_text(text % "Another")
    assert book.reread_if_changed()
    assert [rule.name for rule in book.rules.all] == ["Another"]
    path.write_text("groups: [")
    assert not book.reread_if_changed()
    assert [rule.name for rule in book.rules.all] == ["Another"]
    assert str(path) in book.problem
    path.unlink()
    assert not book.reread_if_changed()
    path.write_text(text % "Third one")
    assert book.reread_if_changed()
    assert book.problem is None
