"""
Groups at their times: ask every due rule, several at once, then commit what changed.

A group is evaluated for the newest of its times that has passed; times that were missed (the collector was down, or slow) are left out, as Prometheus
leaves them out, and alerts' clocks go on meanwhile: they are times, not counts. What a question sees ends ``offset_s`` before that, because data comes late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.evaluation import progress, recording
from collector.alerting.evaluation.labelling import Finding
from collector.alerting.evaluation.progress import Evaluated
from collector.alerting.evaluation.questions import Outcome, Questions
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.kinds.asking import Sources
from collector.alerting.rules import Group, RuleBook
from collector.state import State

# A slow rule does not keep the groups that are ready from being committed.
_COMMIT_EVERY_S = 0.5


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
    def brings(self) -> bool:
        """Whether there is anything to write but that it was evaluated."""
        return any(outcome.step.changes or outcome.step.notes or outcome.samples for outcome in self.outcomes)

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
        self._questions = Questions(settings, sources)
        self._slots: dict[str, datetime] = {}
        self.values: dict[str, float] = {}
        self.took: dict[str, float] = {}
        self.evaluated: dict[str, Evaluated] = {}

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
            self._hear(progress.last(tx))
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
            self._remember(done, now)
        return len(due)

    def _attend(self, due: Sequence[tuple[Group, datetime]]) -> None:
        """Have loaded what the rules of *due* read, and nothing else."""
        asked = (rule.asking for group, _ in due for rule in group.asked)
        signals = frozenset(signal for asking in asked if asking is not None for signal in asking.reads)
        if signals:
            self._sources.attend(signals)

    def wait_s(self, now: datetime) -> float:
        """Give the seconds until a group is due; 0 = one is."""
        default_s = self._settings.interval_s
        return min(
            (
                0.0
                if self._due(group, self._slots, now)
                else (group.interval_s or default_s) - (now - group.slot(now, default_s)).total_seconds()
                for group in self._book.rules.asked
            ),
            default=math.inf,
        )

    def stop(self) -> None:
        """Ask nothing more."""
        self._questions.stop()

    def _due(self, group: Group, last: Mapping[str, datetime], now: datetime) -> datetime | None:
        slot = group.slot(now, self._settings.interval_s)
        known = last.get(group.id)
        return slot if known is None or known < slot else None

    def _evaluated(
        self, due: Sequence[tuple[Group, datetime]], living: Mapping[str, Mapping[str, Alert]]
    ) -> Iterator[list[Done]]:
        """Ask all rules of *due*; give the groups as they are done, some at a time."""
        asked = self._questions.begin(due, living)
        while asked:
            wait([future for _, _, futures in asked for future in futures], timeout=_COMMIT_EVERY_S)
            ready = [one for one in asked if all(future.done() for future in one[2])]
            asked = [one for one in asked if one not in ready]
            if ready:
                yield [Done(group, slot, _results(futures)) for group, slot, futures in ready]

    def _hear(self, written: Mapping[str, Evaluated]) -> None:
        """Take what another collector has evaluated since; what we have may not be written down yet."""
        for group, evaluated in written.items():
            self._slots[group] = max(evaluated.slot, self._slots.get(group, evaluated.slot))

    def _remember(self, done: Sequence[Done], at: datetime) -> None:
        """Keep the values of living alerts: they change at every evaluation, which is no reason to write them."""
        self._slots.update((one.group.id, one.slot) for one in done)
        self.evaluated.update((one.group.id, one.evaluated(at)) for one in done)
        for outcome in (outcome for one in done for outcome in one.outcomes):
            self.took[outcome.rule.id] = outcome.took_s
            self.values.update(outcome.step.values)
            for change in outcome.step.changes:
                if change.kind in {"resolved", "dropped"}:
                    self.values.pop(change.alert.id, None)


def _results(futures: Sequence[Future[Outcome]]) -> list[Outcome]:
    return [future.result() for future in futures]
