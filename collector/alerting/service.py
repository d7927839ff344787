"""
The component: what its parts are, and what others may ask of it.

Rounds evaluate (``rounds.py``), couriers deliver, threads run both (``threads.py``); ``pulse.py`` knows how it goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from collector.alerting import answers
from collector.alerting.courier import Courier
from collector.alerting.deliveries import Deliveries, Wanted
from collector.alerting.dispatch import Dispatcher
from collector.alerting.evaluation.groups import GroupEvaluator
from collector.alerting.evaluation.recording import Recorder, RecordingDoor
from collector.alerting.evaluator import LEASE, LEASE_S, Evaluator, Round
from collector.alerting.guard import Egress, Resolve, resolve_host
from collector.alerting.heartbeat import Heartbeat
from collector.alerting.history import AlertsWanted
from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.hands import Hands
from collector.alerting.incidents.service import Incidents, investigating
from collector.alerting.inputs import BreakerStates
from collector.alerting.kinds.asking import Sources
from collector.alerting.marks import marked
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.noise import noisiest
from collector.alerting.plan import nobody_on_call
from collector.alerting.pulse import AlertingHealth, Pulse, Reason
from collector.alerting.roster import Roster
from collector.alerting.rounds import Rounds
from collector.alerting.rules import RuleBook, default_groups
from collector.alerting.rules.watch import Watch
from collector.alerting.settings import AlertingSettings, Receiver
from collector.alerting.silences.service import Silences
from collector.alerting.threads import Threads
from collector.errors import Unavailable
from collector.read.sql import Reader
from collector.state import State, lease

log = structlog.get_logger(__name__)


def _nothing_to_ask() -> Reader:
    raise Unavailable("engine_unavailable", "there is no ClickHouse here")


def utc_now() -> datetime:
    """Give the current time, aware."""
    return datetime.now(UTC)


class Alerting:
    """
    Alerts from rules to delivered webhooks, durable in *state*.

    Args:
        settings: Rule files, receivers, interval, public URL, egress.
        state: Open; closed by its owner after :meth:`stop`.
        breakers: The current states, asked once per interval.
        registry: Where the metrics are declared.
        holder: This collector's name in the lease: the same after a restart, another on another
            collector.
        sources: Where rules that ask do so; ``None`` = nowhere.
        clock: Current time, aware.
        resolve: Host and port to addresses.
        on_call: Gives service -> its receiver, as the catalogue says.

    Raises:
        Malformed: A rule file is wrong: file, line, value.

    Attributes:
        silences: Silences and maintenance windows.
        incidents: Alerts with one root.
    """

    def __init__(
        self,
        settings: AlertingSettings,
        *,
        state: State,
        breakers: BreakerStates,
        registry: CollectorRegistry,
        holder: str,
        sources: Sources | None = None,
        clock: Callable[[], datetime] = utc_now,
        resolve: Resolve = resolve_host,
        on_call: Callable[[], Mapping[str, str]] = nobody_on_call,
    ) -> None:
        self._settings = settings
        self._state = state
        self._holder = holder
        self._clock = clock
        self.book = RuleBook(settings.rule_files, default_groups() if settings.default_rules else ())
        self._metrics = AlertingMetrics(registry)
        self._evaluator = Evaluator(
            settings,
            self.book,
            state=state,
            breakers=breakers,
            holder=holder,
            metrics=self._metrics,
            on_call=on_call,
        )
        self._dispatch = Dispatcher(Egress(settings.egress_allow, resolve))
        self.sent = Deliveries(
            settings.receivers,
            state=state,
            dispatch=self._dispatch,
            public_url=settings.public_url,
            clock=clock,
            heartbeat=settings.heartbeat,
        )
        self._couriers = tuple(map(self._courier, settings.receivers))
        self._pulse = Pulse(settings.interval_s)
        self._threads = Threads(self._couriers, self._pulse, settings.interval_s)
        self._roster = Roster(settings.receivers, state, self._metrics, clock)
        with suppress(Unavailable):  # a PostgreSQL that is away is told by `State`; each round tries again
            self._roster.register()
        self._recorder = Recorder(state, lambda tx, now: lease.held(tx, LEASE, holder, now))
        self._rounds = self._build_rounds(sources or Sources(_nothing_to_ask))
        self._watch = Watch(self.book)
        self.silences = Silences(state, clock)
        self.incidents = self._build_incidents(sources)
        self._heartbeat = self._build_heartbeat()

    def _build_rounds(self, sources: Sources) -> Rounds:
        return Rounds(
            self._evaluator,
            lambda commit: GroupEvaluator(self._settings.groups, self.book, self._state, sources, commit),
            self._recorder,
            self._roster,
            pulse=self._pulse,
            metrics=self._metrics,
            clock=self._clock,
            wake=self._threads.wake,
        )

    def _build_incidents(self, sources: Sources | None) -> Incidents:
        def leads(tx: Connection, now: datetime) -> bool:
            return lease.hold(tx, LEASE, self._holder, now, LEASE_S)

        url = self._settings.public_url
        return Incidents(
            Answers(self._state, url),
            Hands(self._state, self._settings.receivers, url, self._clock),
            investigating(self._state, sources, self._evaluator.planner, leads),
        )

    def _courier(self, receiver: Receiver) -> Courier:
        return Courier(
            receiver,
            state=self._state,
            dispatch=self._dispatch,
            holder=self._holder,
            metrics=self._metrics,
            clock=self._clock,
            public_url=self._settings.public_url,
        )

    def listen(self, host: str, port: int, secret: str) -> None:
        """Say where we listen, and with which key, for what recording rules send."""
        inside = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._recorder.door = RecordingDoor(inside, port, secret)

    def _build_heartbeat(self) -> Heartbeat | None:
        if self._settings.heartbeat is None:
            return None
        return Heartbeat(
            self._settings.heartbeat,
            state=self._state,
            dispatch=self._dispatch,
            metrics=self._metrics,
            clock=self._clock,
            public_url=self._settings.public_url,
            alive=self.evaluates,
        )

    def start(self) -> None:
        """Start the threads."""
        self._pulse.begin()
        self._threads.start(self._rounds, self._watch, self._heartbeat)
        self.incidents.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """
        Stop within *timeout_s* and give the lease back.

        An attempt still waiting for its receiver is left behind: it is pending, and repeated by
        the next start under the same ``webhook-id``.
        """
        self._threads.tell_to_stop()
        self._rounds.groups.stop()
        until = time.monotonic() + timeout_s
        self.incidents.stop(timeout_s)
        if self._threads.join(until):
            self._release()

    def _release(self) -> None:
        """Give the lease back; if the state refuses, it ends by itself in seconds."""
        try:
            with self._state.write() as tx:
                lease.release(tx, LEASE, self._holder)
        except Unavailable as error:
            log.warning("alerting_lease_kept", code=error.code, error=error.message)

    def hear(self) -> None:
        """Hear that there are new transitions in the tables: they are looked at now, not at the next interval."""
        self._threads.hear()

    def reread_rules(self) -> None:
        """Read the rule files again; if one is wrong the rules stay as they are, and health says why."""
        self._watch.reread_soon()
        self._threads.reread()

    def round(self) -> Round:
        """Evaluate once, now, and all groups that are due; for one-shot use, not beside start()."""
        done = self.look()
        if done.outcome != "no_lease":
            self.ask_due()
        return done

    def look(self) -> Round:
        """Look at the breakers once, now; for one-shot use."""
        return self._rounds.tick()

    def ask_due(self) -> int:
        """Evaluate the groups that are due; give their number. For one-shot use."""
        return self._rounds.ask_due()

    def record_due(self) -> int:
        """Send what recording rules brought; give the number of groups' samples that are acknowledged."""
        return self._rounds.record_due()

    def deliver_due(self) -> int:
        """Attempt every delivery that is due, now; give the number of attempts. For one-shot use, not beside start()."""
        return sum(courier.deliver_due() for courier in self._couriers)

    def evaluates(self) -> bool:
        """Whether the whole of evaluation works now: breakers looked at, rules that ask asked, the lease held."""
        return self._pulse.well

    def health(self) -> AlertingHealth:
        """Say whether alerts are evaluated and delivered."""
        reasons = list(self._troubles())
        try:
            disabled = self._roster.disabled()
        except Unavailable as error:
            return AlertingHealth(ok=False, reasons=(*reasons, (error.code, error.message)))
        reasons.extend(("receiver_disabled", f"{name}: {why}") for name, why in disabled.items())
        return AlertingHealth(ok=not reasons, reasons=tuple(reasons))

    def _troubles(self) -> Iterator[Reason]:
        """Give what is wrong with evaluating."""
        if self._pulse.problem:
            yield self._pulse.problem
        if self.book.problem:
            yield "bad_rule", f"the rules in force are older than their files: {self.book.problem}"
        if self._recorder.trouble:
            yield "recording_waits", self._recorder.trouble
        if self._threads.started and self._pulse.stuck:
            yield self._pulse.stuck

    def alerts(self, wanted: AlertsWanted | None = None) -> list[dict[str, Any]]:
        """Answer ``/api/v1/alerts``: firing, pending, resolved within a day, or what is *wanted*."""
        now = self._clock()
        with self._state.read() as tx:
            found = answers.alerts(
                tx,
                wanted or AlertsWanted(),
                now,
                self._settings.public_url,
                self.book.rules,
                self._rounds.groups.values,
            )
            return marked(tx, found, self._evaluator.planner, now)

    def rules(self) -> list[dict[str, Any]]:
        """Answer ``/api/v1/rules``."""
        with self._state.read() as tx:
            groups = self._rounds.groups
            return answers.rules(tx, self.book.rules, self._settings.groups, groups.took, groups.evaluated)

    def noise(self, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Answer ``/api/v1/alerts/noise``: the rules that fired most without acknowledgement."""
        with self._state.read() as tx:
            return noisiest(tx, since, until, limit)

    def deliveries(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest deliveries, newest first."""
        return self.sent.find(Wanted(limit=limit))
