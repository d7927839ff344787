"""Rounds: breakers looked at, groups asked, samples of recording rules sent; each as one call of a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from collector.alerting.evaluation.groups import Commit, Done, GroupEvaluator
from collector.alerting.evaluation.recording import Recorder
from collector.alerting.evaluator import Evaluator, Round
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.pulse import Pulse
from collector.alerting.roster import Roster

# How often it is looked whether a predecessor left samples of recording rules.
RECORD_S = 10.0


class Rounds:
    """
    What is evaluated, and told to go out.

    Args:
        evaluator: Of breakers' states; commits for all.
        groups: Makes, of what commits, the evaluator of the rules that ask.
        recorder: Sends samples.
        roster: The receivers.
        pulse: Is told how it goes.
        metrics: Counts rounds.
        clock: Current time, aware.
        wake: Called when there is something to deliver.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        groups: Callable[[Commit], GroupEvaluator],
        recorder: Recorder,
        roster: Roster,
        *,
        pulse: Pulse,
        metrics: AlertingMetrics,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._evaluator = evaluator
        self.groups = groups(self._commit)
        self._recorder = recorder
        self._roster = roster
        self._pulse = pulse
        self._metrics = metrics
        self._clock = clock
        self._wake_up = wake
        self._recorded = -RECORD_S

    def tick(self) -> Round:
        """Look at the breakers; what a thread does every ``interval_s``."""
        begun = time.monotonic()
        self._roster.register()
        try:
            done = self._evaluator.round(self._clock())
        except Exception:
            self._metrics.evaluations.labels(outcome="error").inc()
            raise
        self._metrics.evaluations.labels(outcome=done.outcome).inc()
        self._metrics.evaluation_seconds.observe(time.monotonic() - begun)
        self._pulse.looked()
        self._pulse.holds = done.outcome == "done"
        self._pulse.note("engine_unavailable" if done.outcome == "engine_unavailable" else "", done.problem)
        self._wake(done)
        self._roster.gauge()
        return done

    def tick_unless_at_rest(self) -> None:
        """Look at the breakers; go on only if there is something to decide."""
        if self._pulse.holds and self._pulse.problem is None and self._evaluator.rests(self._clock()):
            self._metrics.evaluations.labels(outcome="done").inc()
            self._pulse.looked()
            self._roster.gauge()
        else:
            self.tick()

    def ask_due(self) -> int:
        """Evaluate the groups that are due; give their number."""
        count = self.groups.round(self._clock())
        self._pulse.asked()
        return count

    def asks_in_s(self) -> float:
        """Give the seconds until there is something to ask, or to send once more; 0 = there is now."""
        return 0.0 if self._recorder.trouble else self.groups.wait_s(self._clock())

    def record_due(self) -> int:
        """Send what recording rules brought; give the number of groups' samples that are acknowledged."""
        return self._recorder.send_all(self._clock())

    def ask_and_record(self) -> None:
        """Evaluate the groups that are due; send what they brought, what was not taken, and now and then what somebody else left."""
        groups, now = self.ask_due(), time.monotonic()
        if groups or self._recorder.trouble or now - self._recorded >= RECORD_S:
            self._recorded = now
            self.record_due()

    def _commit(self, done: Sequence[Done], now: datetime) -> bool:
        brought = self._evaluator.commit(done, now)
        self._wake(brought)
        return brought.outcome == "done"

    def _wake(self, done: Round) -> None:
        if done.written:
            self._wake_up()
