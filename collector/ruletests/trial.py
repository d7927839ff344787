"""
One test: its series in an engine, its rules at every step, and what came of it beside what was expected.

Each rule is asked once for all steps, in the order of the file, and what is recorded is there before the next: a rule sees what those above it record at
the same time, and nothing of those below it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import promql_parser as pp

from collector.alerting.evaluate import Alert
from collector.alerting.evaluation.labelling import METRIC_NAME, Fill, Finding, findings, labelled
from collector.alerting.evaluation.states import step as take_step
from collector.alerting.expression import parse_duration_s
from collector.alerting.kinds.asking import Missing, Sample, Sources
from collector.alerting.kinds.promql import Promql, read_promql
from collector.alerting.rules import Group, Rule
from collector.alerting.templates import Given, fill_in
from collector.alerting.templates.functions import Row
from collector.errors import FuseboardError, QueryError
from collector.query.promql.grid import sql_ms
from collector.query.promql.syntax import parse
from collector.read.metrics import instant, range_query
from collector.read.sql import Reader
from collector.ruletests.file import AlertTest, ExpressionTest, Test
from collector.ruletests.notation import read_values
from collector.store.client import Store

# Prometheus' testutil compares values to one part in a million.
_CLOSE = 1e-6
_KEPT_DAYS = 30_000
_SERVICE = ("service_name", "service", "job")


@dataclass(frozen=True)
class Failure:
    """What was expected and what came; *title* says of what."""

    title: str
    expected: Sequence[str]
    got: Sequence[str]


@dataclass
class Trial:
    """
    A test being tried.

    Args:
        store: An engine's, with the schema, without samples.
        groups: The rules.
        test: What is tried.
        interval_s: Seconds between evaluations of a group that does not say.
    """

    store: Store
    groups: Sequence[Group]
    test: Test
    interval_s: float
    _series: int = 0
    _firing: dict[str, list[tuple[datetime, list[tuple[Mapping[str, str], Mapping[str, str]]]]]] = field(
        default_factory=dict
    )

    def failures(self) -> list[Failure]:
        """
        Try it; give what is not as expected.

        Raises:
            FuseboardError: A rule or an expression cannot be evaluated.
            ValueError: The test itself is wrong.
        """
        for table in ("metric_series", "metric_samples"):
            self.store.command(f"TRUNCATE TABLE {table}")
        self._fill()
        for group in self.groups:
            self._evaluate(group)
        found = [failure for one in self.test.alert_rule_test or () for failure in self._alerts(one)]
        return found + [failure for one in self.test.promql_expr_test or () for failure in self._answer(one)]

    def _fill(self) -> None:
        step_ms = round(parse_duration_s(self.test.interval) * 1000)
        for one in self.test.input_series or ():
            values = [
                (number * step_ms, value)
                for number, value in enumerate(read_values(one.values))
                if value is not None
            ]
            if values:
                self._insert(read_labels(one.series), values)

    def _insert(self, labels: Mapping[str, str], samples: Sequence[tuple[int, float]]) -> None:
        self._series += 1
        name = labels.get(METRIC_NAME, "")
        rest = {key: value for key, value in labels.items() if key != METRIC_NAME}
        row = {
            "series_id": self._series,
            "name": name,
            "type": "unknown",
            "unit": "",
            "temporality": "",
            "service": next((labels[key] for key in _SERVICE if labels.get(key)), ""),
            "env": labels.get("env", ""),
            "labels": rest,
            "help": "",
            "original_name": name,
            "first_seen": sql_ms(min(at for at, _ in samples)),
            "last_seen": sql_ms(max(at for at, _ in samples)),
        }
        self.store.insert("metric_series", [row], f"trial-{id(self)}-{self._series}")
        # a stale marker is a NaN of its own bits, which no text format carries
        values = ",".join(
            f"({self._series}, {at}, {struct.unpack('<Q', struct.pack('<d', value))[0]})"
            for at, value in samples
        )
        self.store.command(
            "INSERT INTO metric_samples (series_id, at, value, retention_days) SELECT c1, fromUnixTimestamp64Milli(c2, 'UTC'), "
            f"reinterpretAsFloat64(c3), {_KEPT_DAYS} FROM VALUES('c1 UInt64, c2 Int64, c3 UInt64', {values})"
        )

    def _evaluate(self, group: Group) -> None:
        steps = self._steps(group)
        for rule in group.rules:
            if not isinstance(rule.asking, Promql):
                continue
            by_step = self._asked(rule.asking, steps)
            if rule.kind == "record":
                self._record(rule, group, by_step)
            else:
                self._fire(rule, group, by_step)

    def _steps(self, group: Group) -> list[int]:
        """Give the times of *group*, in ms: from 0 to the last that anything is expected at."""
        times = [one.eval_time for one in self.test.alert_rule_test or ()]
        times += [one.eval_time for one in self.test.promql_expr_test or ()]
        last_ms = max((_ms(text) for text in times), default=0)
        return list(range(0, last_ms + 1, round((group.interval_s or self.interval_s) * 1000)))

    def _asked(self, asking: Promql, steps: Sequence[int]) -> dict[int, list[Sample]]:
        found: dict[int, list[Sample]] = {at: [] for at in steps}
        gap = steps[1] - steps[0] if len(steps) > 1 else 1000
        answer = range_query(Reader(self.store), asking.text, steps[0], steps[-1], gap)
        for series in answer.series:
            for at, value in series.points:
                found[at].append(Sample(series.labels, value))
        return found

    def _record(self, rule: Rule, group: Group, by_step: Mapping[int, Sequence[Sample]]) -> None:
        series: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
        for at, samples in by_step.items():
            found = findings(rule, samples, self._filler(at), group.limit)
            for finding in found.values():
                key = tuple(sorted({METRIC_NAME: rule.name, **finding.labels}.items()))
                series.setdefault(key, []).append((at, finding.sample.value))
        for key, values in series.items():
            self._insert(dict(key), values)

    def _fire(self, rule: Rule, group: Group, by_step: Mapping[int, Sequence[Sample]]) -> None:
        living: dict[str, Alert] = {}
        words: dict[str, Mapping[str, str]] = {}
        history = self._firing.setdefault(rule.name, [])
        for at, samples in by_step.items():
            fill = self._filler(at)
            found = findings(rule, samples, fill, group.limit)
            slot = _at(at)
            over = self._over(rule, living, found, fill, slot)
            taken = take_step(rule, living, found, over, slot, 0.0, _annotator(rule, fill))
            _apply(living, taken.changes, taken.notes)
            annotate = _annotator(rule, fill)
            words.update({mark: annotate(finding) for mark, finding in found.items()})
            firing = [
                (alert.labels, words[mark]) for mark, alert in living.items() if alert.state == "firing"
            ]
            history.append((slot, firing))

    def _over(
        self,
        rule: Rule,
        living: Mapping[str, Alert],
        found: Mapping[str, Finding],
        fill: Fill,
        at: datetime,
    ) -> frozenset[str]:
        missing = [
            Missing(mark, alert.labels, alert.pending_since, alert.missing_since)
            for mark, alert in living.items()
            if mark not in found
        ]
        if not missing or rule.asking is None:
            return frozenset()
        own = {"alertname", *rule.labels}
        narrowed = [
            Missing(
                one.fingerprint, {k: v for k, v in one.labels.items() if k not in own}, one.began, one.since
            )
            for one in missing
        ]
        sources = Sources(lambda: Reader(self.store))
        return rule.asking.over(
            sources, at, narrowed, lambda sample: labelled(rule, sample, fill).fingerprint
        )

    def _filler(self, at_ms: int) -> Fill:
        def ask(text: str) -> list[Row]:
            try:
                return [
                    Row(*sample)
                    for sample in read_promql(text).find(Sources(lambda: Reader(self.store)), _at(at_ms))
                ]
            except FuseboardError as error:
                raise ValueError(error.message) from error

        def fill(text: str, sample: Sample) -> str:
            external = self.test.external_labels or {}
            given = Given(sample.labels, sample.value, external, self.test.external_url, ask, at_ms / 1000)
            return fill_in(text, given)

        return fill

    def _alerts(self, one: AlertTest) -> Iterator[Failure]:
        if one.alertname not in self._firing:
            known = {rule.name: rule.kind for group in self.groups for rule in group.rules}
            kind = known.get(one.alertname)
            what = f"is a '{kind}:' rule; only 'expr:' is tried here" if kind else "is not in the rule files"
            raise ValueError(f"alertname {one.alertname!r} {what}")
        at = _at(_ms(one.eval_time))
        seen = [firing for slot, firing in self._firing[one.alertname] if slot <= at]
        got = sorted(_alert_text(labels, notes) for labels, notes in (seen[-1] if seen else ()))
        expected = sorted(
            _alert_text({**(alert.exp_labels or {}), "alertname": one.alertname}, alert.exp_annotations or {})
            for alert in one.exp_alerts or ()
        )
        if got != expected:
            yield Failure(f"alertname: {one.alertname}, time: {one.eval_time}", expected, got)

    def _answer(self, one: ExpressionTest) -> Iterator[Failure]:
        answer = instant(Reader(self.store), one.expr, _ms(one.eval_time))
        got = sorted(
            (_labels_text(series.labels), series.points[0][1]) for series in answer.series if series.points
        )
        expected = sorted(
            (_labels_text(read_labels(each.labels)), each.value) for each in one.exp_samples or ()
        )
        same = len(got) == len(expected) and all(
            mine[0] == theirs[0] and _close(mine[1], theirs[1])
            for mine, theirs in zip(got, expected, strict=False)
        )
        if not same:
            yield Failure(
                f'expr: "{one.expr}", time: {one.eval_time}',
                [f"{labels} {value!r}" for labels, value in expected],
                [f"{labels} {value!r}" for labels, value in got],
            )


def read_labels(text: str) -> dict[str, str]:
    """
    Read a series as it is written, ``name{label="value"}`` or ``{}``.

    Raises:
        ValueError: It is none.
    """
    if text.strip() in {"", "{}"}:
        return {}
    try:
        tree: Any = parse(text)
    except QueryError as error:
        raise ValueError(f"series {text!r}: {error.message}") from error
    if not isinstance(tree, pp.VectorSelector) or any(
        each.op != pp.MatchOp.Equal for each in tree.matchers.matchers
    ):
        raise ValueError(f'series {text!r}: write name{{label="value"}}')
    labels = {each.name: each.value for each in tree.matchers.matchers}
    return labels | ({METRIC_NAME: tree.name} if tree.name else {})


def _apply(living: dict[str, Alert], changes: Sequence[Any], notes: Sequence[Alert]) -> None:
    for change in changes:
        if change.kind in {"pending", "firing"}:
            living[change.alert.fingerprint] = change.alert
        else:
            living.pop(change.alert.fingerprint, None)
    living.update({alert.fingerprint: alert for alert in notes})


def _annotator(rule: Rule, fill: Fill) -> Callable[[Finding], dict[str, str]]:
    return lambda finding: {name: fill(text, finding.sample) for name, text in rule.annotations.items()}


def _ms(text: str) -> int:
    return 0 if text.strip() in {"0", ""} else round(parse_duration_s(text.strip()) * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _close(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=_CLOSE, abs_tol=1e-12)


def _labels_text(labels: Mapping[str, str]) -> str:
    rest = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != METRIC_NAME)
    return f"{labels.get(METRIC_NAME, '')}{{{rest}}}"


def _alert_text(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    return f"Labels:{_labels_text(labels)} Annotations:{_labels_text(annotations)}"
