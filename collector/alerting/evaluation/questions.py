"""
The questions of the rules that are due: several at a time, and expressions that can be evaluated here together.

Of those the values that they ask of the store are brought by a few statements for all (``read/leaves.py``). Where that is too much at a time it is done in
halves; what cannot be brought for a rule at all, a selector of too many series, a pattern that is none, that rule asks by itself, and is told why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from collector.alerting.evaluate import Alert
from collector.alerting.evaluation.labelling import Fill, Finding, findings, labelled
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.evaluation.states import Step, step
from collector.alerting.kinds.asking import SAMPLES, Missing, Sample, Sources, milliseconds
from collector.alerting.kinds.promql import Promql, read_promql
from collector.alerting.rules import Group, Rule
from collector.alerting.templates import Given, fill_in
from collector.alerting.templates.functions import Row
from collector.errors import FuseboardError, QueryError, StoreUnavailable
from collector.read.leaves import Asked, Leaves, TooMany, bring

log = structlog.get_logger(__name__)

# Rules whose leaves are brought together; the groups among them are committed when they are done.
_TOGETHER = 1_000


@dataclass(frozen=True)
class Outcome:
    """One rule, evaluated: what changed, what is to be recorded, or why it could not be."""

    rule: Rule
    step: Step = field(default_factory=Step)
    samples: Sequence[Finding] = ()
    problem: str = ""
    took_s: float = 0.0


@dataclass(frozen=True)
class Question:
    """
    A rule that is due.

    Attributes:
        rule: Which.
        living: Its alerts by fingerprint.
        limit: Of its group.
        slot: The time it is evaluated for.
        at: The time it looks at.
    """

    rule: Rule
    living: Mapping[str, Alert]
    limit: int
    slot: datetime
    at: datetime

    @property
    def asked(self) -> Asked | None:
        """Give what it asks of the store, if it can be evaluated here."""
        asking = self.rule.asking
        if not isinstance(asking, Promql) or asking.plan is None:
            return None
        return Asked(asking.plan, milliseconds(self.at))


@dataclass
class _Away:
    """Why the engine did not answer in this round: a thousand rules need not find out one by one."""

    problem: str = ""


Waiting = tuple[Question, Asked, "Future[Outcome]"]


class Questions:
    """
    Asks rules; used by one thread.

    Args:
        settings: Bounds.
        sources: Where they ask.
    """

    def __init__(self, settings: GroupSettings, sources: Sources) -> None:
        self._settings = settings
        self._sources = sources
        self._pool = ThreadPoolExecutor(settings.at_once, thread_name_prefix="alerting-rule")

    def begin(
        self, due: Sequence[tuple[Group, datetime]], living: Mapping[str, Mapping[str, Alert]]
    ) -> list[tuple[Group, datetime, list[Future[Outcome]]]]:
        """Begin to ask all rules of *due*, whose *living* alerts are known by rule and fingerprint."""
        away = _Away()
        waiting: list[Waiting] = []
        begun = [
            (group, slot, [self._begun(self._question(rule, group, slot, living), waiting, away) for rule in group.asked])
            for group, slot in due
        ]  # fmt: skip
        for start in range(0, len(waiting), _TOGETHER):
            self._share(waiting[start : start + _TOGETHER], away)
        return begun

    def stop(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _question(
        self, rule: Rule, group: Group, slot: datetime, living: Mapping[str, Mapping[str, Alert]]
    ) -> Question:
        offset_s = self._settings.offset_s if group.offset_s is None else group.offset_s
        return Question(rule, living.get(rule.id, {}), group.limit, slot, slot - timedelta(seconds=offset_s))

    def _begun(self, question: Question, waiting: list[Waiting], away: _Away) -> Future[Outcome]:
        """Begin to evaluate a rule; what asks no engine does not wait behind what does, what can be shared is put to *waiting*."""
        if question.rule.kind == "fuseboard":
            done: Future[Outcome] = Future()
            done.set_result(self._outcome(question, self._sources, _Away()))
            return done
        asked = question.asked
        if asked is None:
            return self._pool.submit(self._outcome, question, self._sources, away)
        later: Future[Outcome] = Future()
        waiting.append((question, asked, later))
        return later

    def _share(self, waiting: Sequence[Waiting], away: _Away) -> None:
        """Evaluate *waiting* in one task; what it leaves open when it ends, because we stop, is cancelled."""
        task = self._pool.submit(self._together, waiting, away)
        task.add_done_callback(lambda _: [future.cancel() for *_, future in waiting])

    def _together(self, waiting: Sequence[Waiting], away: _Away) -> None:
        for some, leaves, took_s in self._brought(waiting, away):
            sources = replace(self._sources, leaves=leaves)
            for question, asked, future in some:
                if leaves is not None and leaves.has(asked):
                    outcome = self._outcome(question, sources, away)
                    future.set_result(replace(outcome, took_s=outcome.took_s + took_s))
                else:
                    self._alone(question, future, away)

    def _alone(self, question: Question, future: Future[Outcome], away: _Away) -> None:
        """Let a rule ask by itself, beside the others."""
        future.set_running_or_notify_cancel()
        asked = self._pool.submit(self._outcome, question, self._sources, away)
        asked.add_done_callback(
            lambda done: future.set_result(
                Outcome(question.rule, problem="the collector is stopping")
                if done.cancelled()
                else done.result()
            )
        )

    def _brought(
        self, waiting: Sequence[Waiting], away: _Away
    ) -> Iterator[tuple[Sequence[Waiting], Leaves | None, float]]:
        """Bring the leaves of *waiting*, in halves where it is too much; ``None`` = they cannot be brought. Give what it took per rule, too."""
        began = time.monotonic()
        try:
            leaves = bring(self._sources.reader(), [asked for _, asked, _ in waiting])
        except (TooMany, QueryError):
            if len(waiting) == 1:
                yield waiting, None, 0.0
                return
            half = len(waiting) // 2
            yield from self._brought(waiting[:half], away)
            yield from self._brought(waiting[half:], away)
        except FuseboardError as error:
            if isinstance(error, StoreUnavailable):
                away.problem = error.message
            yield waiting, None, 0.0
        except Exception:
            log.exception("rules_not_brought", rules=len(waiting))
            yield waiting, None, 0.0
        else:
            yield waiting, leaves, (time.monotonic() - began) / len(waiting)

    def _outcome(self, question: Question, sources: Sources, away: _Away) -> Outcome:
        began, rule = time.monotonic(), question.rule
        try:
            if away.problem:
                return Outcome(rule, problem=away.problem)
            outcome = self._asked(question, sources)
        except FuseboardError as error:
            if isinstance(error, StoreUnavailable):
                away.problem = error.message
            outcome = Outcome(rule, problem=error.message)
        except Exception as error:
            log.exception("rule_failed", rule=rule.name, group=rule.group)
            outcome = Outcome(rule, problem=f"{type(error).__name__}: {error}")
        return replace(outcome, took_s=time.monotonic() - began)

    def _asked(self, question: Question, sources: Sources) -> Outcome:
        rule, at, living = question.rule, question.at, question.living
        assert rule.asking is not None
        fill = self._filler(at)
        found = findings(rule, rule.asking.find(sources, at), fill, question.limit)
        if rule.kind == "record":
            return Outcome(rule, samples=tuple(found.values()))
        missing = [_missing(rule, alert) for mark, alert in living.items() if mark not in found]
        over: frozenset[str] = frozenset()
        if missing:
            over = rule.asking.over(
                sources, at, missing, lambda sample: labelled(rule, sample, fill).fingerprint
            )
        silence_s = self._settings.silence_s
        return Outcome(
            rule, step(rule, living, found, over, question.slot, silence_s, _annotator(rule, fill))
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
