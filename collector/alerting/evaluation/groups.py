"""
Groups at their times: ask every due rule, several at once, then commit what changed.

A group is evaluated for the newest of its times that has passed; times that were missed (the collector was down, or slow) are left out, as Prometheus
leaves them out, and alerts' clocks go on meanwhile: they are times, not counts. What a question sees ends ``offset_s`` before that, because data comes late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.evaluation import progress, recording
from collector.alerting.evaluation.labelling import Fill, Finding, findings, labelled
from collector.alerting.evaluation.progress import Evaluated
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.evaluation.states import Step, step
from collector.alerting.kinds.asking import SAMPLES, Missing, Sample, Sources
from collector.alerting.kinds.promql import read_promql
from collector.alerting.rules import Group, Rule, RuleBook
from collector.alerting.templates import Given, fill_in
from collector.alerting.templates.functions import Row
from collector.errors import FuseboardError, StoreUnavailable
from collector.state import State

log = structlog.get_logger(__name__)

# A slow rule does not keep the groups that are ready from being committed.
_COMMIT_EVERY_S = 0.5


@dataclass(frozen=True)
class Outcome:
    """One rule, evaluated: what changed, what is to be recorded, or why it could not be."""

    rule: Rule
    step: Step = field(default_factory=Step)
    samples: Sequence[Finding] = ()
    problem: str = ""
    took_s: float = 0.0


@dataclass(frozen=True)
class Done:
    """One group, evaluated for its *slot*."""

    group: Group
    slot: datetime
    outcomes: Sequence[Outcome]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Give what people are told."""
        return tuple(change for outcome in self.outcomes for change in outcome.step.changes)

    @property
    def notes(self) -> list[Alert]:
        """Give the alerts that remember something new."""
        return [note for outcome in self.outcomes for note in outcome.step.notes]

    def write(self, tx: Connection) -> None:
        """Write all but the changes."""
        history.note(tx, self.notes)
        samples: dict[str, list[Finding]] = {}
        for outcome in self.outcomes:
            if outcome.samples:
                samples.setdefault(outcome.rule.name, []).extend(outcome.samples)
        if samples:
            recording.write(tx, [recording.recording(self.group.id, self.slot, samples)])

    def evaluated(self, at: datetime) -> Evaluated:
        """Give what is remembered of it."""
        problems = {outcome.rule.id: outcome.problem for outcome in self.outcomes if outcome.problem}
        return Evaluated(self.slot, at, sum(outcome.took_s for outcome in self.outcomes), problems)


@dataclass
class _Away:
    """Why the engine did not answer in this round: a thousand rules need not find out one by one."""

    problem: str = ""


Commit = Callable[[Sequence[Done], datetime], bool]


class GroupEvaluator:
    """
    Evaluates the groups that are due, one round per call; used by one thread.

    Args:
        settings: Intervals and bounds.
        book: The rules.
        state: Where alerts stand.
        sources: Where rules ask.
        commit: Writes what is done, in one transaction; False: another collector holds the lease.
    """

    def __init__(
        self, settings: GroupSettings, book: RuleBook, state: State, sources: Sources, commit: Commit
    ) -> None:
        self._settings = settings
        self._book = book
        self._state = state
        self._sources = sources
        self._commit = commit
        self._pool = ThreadPoolExecutor(settings.at_once, thread_name_prefix="alerting-rule")
        self._slots: dict[str, datetime] = {}
        self.values: dict[str, float] = {}
        self.took: dict[str, float] = {}

    def round(self, now: datetime) -> int:
        """
        Evaluate what is due; give the number of groups.

        Raises:
            Unavailable: The state database refused; what was not committed is evaluated again.
        """
        groups = [group for group in self._book.rules.asked if self._due(group, self._slots, now)]
        if not groups:
            return 0
        with self._state.read() as tx:
            self._slots.update((group, evaluated.slot) for group, evaluated in progress.last(tx).items())
            due = [(group, slot) for group in groups if (slot := self._due(group, self._slots, now))]
            if not due:
                return 0
            living = history.living(tx, [rule.id for group, _ in due for rule in group.asked])
        self._attend(due)
        by_rule: dict[str, dict[str, Alert]] = {}
        for alert in living:
            by_rule.setdefault(alert.rule_id, {})[alert.fingerprint] = alert
        for done in self._evaluated(due, by_rule):
            if not self._commit(done, now):
                break
            self._remember(done)
        return len(due)

    def _attend(self, due: Sequence[tuple[Group, datetime]]) -> None:
        """Have loaded what the rules of *due* read, and nothing else."""
        asked = (rule.asking for group, _ in due for rule in group.asked)
        signals = frozenset(signal for asking in asked if asking is not None for signal in asking.reads)
        if signals:
            self._sources.attend(signals)

    def stop(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _due(self, group: Group, last: Mapping[str, datetime], now: datetime) -> datetime | None:
        slot = group.slot(now, self._settings.interval_s)
        known = last.get(group.id)
        return slot if known is None or known < slot else None

    def _evaluated(
        self, due: Sequence[tuple[Group, datetime]], living: Mapping[str, Mapping[str, Alert]]
    ) -> Iterator[list[Done]]:
        """Ask all rules of *due*; give the groups as they are done, some at a time."""
        away = _Away()
        asked = [
            (group, slot, [self._begun(rule, living.get(rule.id, {}), group, slot, away) for rule in group.asked])
            for group, slot in due
        ]  # fmt: skip
        while asked:
            wait([future for _, _, futures in asked for future in futures], timeout=_COMMIT_EVERY_S)
            ready = [one for one in asked if all(future.done() for future in one[2])]
            asked = [one for one in asked if one not in ready]
            if ready:
                yield [Done(group, slot, _results(futures)) for group, slot, futures in ready]

    def _begun(
        self, rule: Rule, living: Mapping[str, Alert], group: Group, slot: datetime, away: _Away
    ) -> Future[Outcome]:
        """Begin to evaluate *rule*; what asks no engine does not wait behind what does."""
        if rule.kind != "fuseboard":
            return self._pool.submit(self._outcome, rule, living, group, slot, away)
        done: Future[Outcome] = Future()
        done.set_result(self._outcome(rule, living, group, slot, _Away()))
        return done

    def _outcome(
        self, rule: Rule, living: Mapping[str, Alert], group: Group, slot: datetime, away: _Away
    ) -> Outcome:
        began = time.monotonic()
        try:
            if away.problem:
                return Outcome(rule, problem=away.problem)
            outcome = self._asked(rule, living, group, slot)
        except FuseboardError as error:
            if isinstance(error, StoreUnavailable):
                away.problem = error.message
            outcome = Outcome(rule, problem=error.message)
        except Exception as error:
            log.exception("rule_failed", rule=rule.name, group=rule.group)
            outcome = Outcome(rule, problem=f"{type(error).__name__}: {error}")
        return replace(outcome, took_s=time.monotonic() - began)

    def _asked(self, rule: Rule, living: Mapping[str, Alert], group: Group, slot: datetime) -> Outcome:
        assert rule.asking is not None
        offset_s = self._settings.offset_s if group.offset_s is None else group.offset_s
        at = slot - timedelta(seconds=offset_s)
        fill = self._filler(at)
        found = findings(rule, rule.asking.find(self._sources, at), fill, group.limit)
        if rule.kind == "record":
            return Outcome(rule, samples=tuple(found.values()))
        missing = [_missing(rule, alert) for mark, alert in living.items() if mark not in found]
        over: frozenset[str] = frozenset()
        if missing:
            over = rule.asking.over(
                self._sources, at, missing, lambda sample: labelled(rule, sample, fill).fingerprint
            )
        return Outcome(
            rule, step(rule, living, found, over, slot, self._settings.silence_s, _annotator(rule, fill))
        )

    def _filler(self, at: datetime) -> Fill:
        settings = self._settings

        def ask(text: str) -> list[Row]:
            self._sources.attend(SAMPLES)
            try:
                return [Row(*sample) for sample in read_promql(text).find(self._sources, at)]
            except FuseboardError as error:
                raise ValueError(error.message) from error

        def fill(text: str, sample: Sample) -> str:
            given = Given(
                sample.labels,
                sample.value,
                settings.external_labels,
                settings.external_url,
                ask,
                at.timestamp(),
            )
            return fill_in(text, given)

        return fill

    def _remember(self, done: Sequence[Done]) -> None:
        """Keep the values of living alerts: they change at every evaluation, which is no reason to write them."""
        self._slots.update((one.group.id, one.slot) for one in done)
        for outcome in (outcome for one in done for outcome in one.outcomes):
            self.took[outcome.rule.id] = outcome.took_s
            self.values.update(outcome.step.values)
            for change in outcome.step.changes:
                if change.kind in {"resolved", "dropped"}:
                    self.values.pop(change.alert.id, None)


def _results(futures: Sequence[Future[Outcome]]) -> list[Outcome]:
    return [future.result() for future in futures]


def _missing(rule: Rule, alert: Alert) -> Missing:
    """Leave the labels that the rule itself gave: no series has them."""
    own = {"alertname", *rule.labels}
    labels = {name: value for name, value in alert.labels.items() if name not in own}
    return Missing(alert.fingerprint, labels, alert.pending_since, alert.missing_since)


def _annotator(rule: Rule, fill: Fill) -> Callable[[Finding], dict[str, str]]:
    """Fill annotations with the labels of the sample, as Prometheus does."""

    def annotate(finding: Finding) -> dict[str, str]:
        return {name: fill(text, finding.sample) for name, text in rule.annotations.items()}

    return annotate
