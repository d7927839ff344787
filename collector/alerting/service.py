"""
The component: one thread evaluates, one thread per receiver delivers.

Threads because every step waits (for ClickHouse, the disk, a receiver) and none computes. They
share nothing but the state database and a wake-up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from collector.alerting import answers, standing
from collector.alerting.courier import Courier
from collector.alerting.deliveries import Deliveries, Wanted
from collector.alerting.dispatch import Dispatcher
from collector.alerting.evaluation.groups import Done, GroupEvaluator
from collector.alerting.evaluation.recording import Recorder, RecordingDoor
from collector.alerting.evaluator import LEASE, LEASE_S, Evaluator, Round
from collector.alerting.guard import Egress, Resolve, resolve_host
from collector.alerting.heartbeat import Heartbeat
from collector.alerting.history import AlertsWanted
from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.hands import Hands
from collector.alerting.incidents.investigator import Investigator
from collector.alerting.incidents.service import Incidents
from collector.alerting.incidents.witness import Witness
from collector.alerting.inputs import BreakerStates
from collector.alerting.kinds.asking import ANYTHING, Sources
from collector.alerting.marks import marked
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.noise import noisiest
from collector.alerting.plan import nobody_on_call
from collector.alerting.rules import RuleBook, default_groups
from collector.alerting.settings import AlertingSettings, Receiver
from collector.alerting.silences.service import Silences
from collector.errors import FuseboardError, Unavailable
from collector.read.sql import Reader
from collector.state import State, lease

log = structlog.get_logger(__name__)

# How late a retry may be; a new event wakes its couriers at once.
POLL_S = 0.5
# How late a group may be evaluated.
ASK_S = 0.5
# How soon a changed rule file is noticed.
LOOK_S = 2.0
GAUGE_S = 10.0
# How often it is looked whether a predecessor left samples of recording rules.
RECORD_S = 10.0
# Without a finished round for this long (and three intervals) evaluation is reported as stuck.
STUCK_S = 15.0
# The same for the rules that ask: a question may take its time, and several take turns.
ASKING_STUCK_S = 120.0


@dataclass(frozen=True)
class AlertingHealth:
    """*ok* and else why not: ``(code, sentence)``; ``engine_unavailable`` means alerts keep their state."""

    ok: bool
    reasons: tuple[tuple[str, str], ...]


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
        self._groups = GroupEvaluator(
            settings.groups, self.book, state, sources or Sources(_nothing_to_ask), self._commit
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
        self._receivers = {receiver.name: receiver for receiver in settings.receivers}
        self._reread = threading.Event()
        self._looked = time.monotonic()
        self._recorder = Recorder(state, lambda tx, now: lease.held(tx, LEASE, holder, now))
        self._registered = False
        with suppress(Unavailable):  # a PostgreSQL that is away is told by `State`; each round tries again
            self._register()
        self.silences = Silences(state, clock)
        self.incidents = self._build_incidents(sources)
        self._stop, self._heard = threading.Event(), threading.Event()
        self._wakes = tuple(threading.Event() for _ in self._couriers)
        self._heartbeat = self._make_heartbeat()
        self._threads: list[threading.Thread] = []
        self._finished = self._asked = time.monotonic()
        self._holds = False
        self._gauged = -GAUGE_S
        self._recorded = -RECORD_S
        self._problem: tuple[str, str] | None = None

    def _build_incidents(self, sources: Sources | None) -> Incidents:
        def leads(tx: Connection, now: datetime) -> bool:
            return lease.hold(tx, LEASE, self._holder, now, LEASE_S)

        url = self._settings.public_url
        investigator = (
            Investigator(
                self._state,
                Witness(sources.reader),
                self._evaluator.planner,
                leads,
                partial(sources.attend, ANYTHING),
            )
            if sources
            else None
        )
        return Incidents(
            Answers(self._state, url),
            Hands(self._state, self._settings.receivers, url, self._clock),
            investigator,
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

    def _make_heartbeat(self) -> Heartbeat | None:
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
        """Start the threads; what a killed predecessor left pending is sent first."""
        self._finished = self._asked = time.monotonic()
        self._threads = [
            threading.Thread(target=self._evaluate_forever, name="alerting-evaluate", daemon=True),
            threading.Thread(target=self._ask_forever, name="alerting-ask", daemon=True),
        ]
        for courier, wake in zip(self._couriers, self._wakes, strict=True):
            name = f"alerting-deliver-{courier.receiver.name}"
            thread = threading.Thread(
                target=self._deliver_forever, args=(courier, wake), name=name, daemon=True
            )
            self._threads.append(thread)
        if self._heartbeat is not None:
            beating = (self._heartbeat,)
            self._threads.append(
                threading.Thread(
                    target=self._beat_forever, args=beating, name="alerting-heartbeat", daemon=True
                )
            )
        for thread in self._threads:
            thread.start()
        self.incidents.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """
        Stop within *timeout_s* and give the lease back.

        An attempt still waiting for its receiver is left behind: it is pending, and repeated by
        the next start under the same ``webhook-id``.
        """
        self._stop.set()
        self._heard.set()
        self._groups.stop()
        for wake in self._wakes:
            wake.set()
        until = time.monotonic() + timeout_s
        self.incidents.stop(timeout_s)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if all(not thread.is_alive() for thread in self._threads):
            self._release()

    def round(self) -> Round:
        """Evaluate once, now, and all groups that are due; for one-shot use, not beside start()."""
        done = self._tick()
        if done.outcome != "no_lease":
            self.ask_due()
        return done

    def record_due(self) -> int:
        """Send what recording rules brought; give the number of groups' samples that are acknowledged."""
        return self._recorder.send_all(self._clock())

    def ask_due(self) -> int:
        """Evaluate the groups that are due; give their number."""
        count = self._groups.round(self._clock())
        self._asked = time.monotonic()
        return count

    def _tick(self) -> Round:
        """Look at the breakers; what a thread does every ``interval_s``."""
        begun = time.monotonic()
        self._register()
        try:
            done = self._evaluator.round(self._clock())
        except Exception:
            self._metrics.evaluations.labels(outcome="error").inc()
            raise
        self._metrics.evaluations.labels(outcome=done.outcome).inc()
        self._metrics.evaluation_seconds.observe(time.monotonic() - begun)
        self._finished = time.monotonic()
        self._holds = done.outcome == "done"
        self._note("engine_unavailable" if done.outcome == "engine_unavailable" else "", done.problem)
        self._wake(done)
        self._gauge()
        return done

    def _tick_unless_at_rest(self) -> None:
        """Look at the breakers; go on only if there is something to decide."""
        if self._holds and self._problem is None and self._evaluator.rests(self._clock()):
            self._metrics.evaluations.labels(outcome="done").inc()
            self._finished = time.monotonic()
            self._gauge()
        else:
            self._tick()

    def _gauge(self) -> None:
        """Show how receivers stand, every some seconds."""
        if time.monotonic() - self._gauged < GAUGE_S:
            return
        self._gauged = time.monotonic()
        now = self._clock()
        with self._state.read() as tx:
            pending = answers.pending_by_receiver(tx)
            for name in self._receivers:
                stands = standing.read(tx, name)
                up = stands.disabled_at is None and stands.breaker(now) == "closed"
                self._metrics.receiver_up.labels(receiver=name).set(up)
                self._metrics.deliveries_pending.labels(receiver=name).set(pending.get(name, 0))

    def _wake(self, done: Round) -> None:
        if done.written:
            for wake in self._wakes:
                wake.set()

    def _commit(self, done: Sequence[Done], now: datetime) -> bool:
        brought = self._evaluator.commit(done, now)
        self._wake(brought)
        return brought.outcome == "done"

    def evaluates(self) -> bool:
        """Whether the whole of evaluation works now: breakers looked at, rules that ask asked, the lease held."""
        silent_s = time.monotonic() - self._finished
        asking_s = time.monotonic() - self._asked
        return (
            self._holds
            and self._problem is None
            and silent_s <= max(STUCK_S, 3 * self._settings.interval_s)
            and asking_s <= ASKING_STUCK_S
        )

    def deliver_due(self) -> int:
        """Attempt every delivery that is due, now; give the number of attempts. For one-shot use, not beside start()."""
        return sum(courier.deliver_due() for courier in self._couriers)

    def health(self) -> AlertingHealth:
        """Say whether alerts are evaluated and delivered."""
        reasons = [self._problem] if self._problem else []
        if self.book.problem:
            reasons.append(
                ("bad_rule", f"the rules in force are older than their files: {self.book.problem}")
            )
        if self._recorder.trouble:
            reasons.append(("recording_waits", self._recorder.trouble))
        silent_s = time.monotonic() - self._finished
        if self._threads and silent_s > max(STUCK_S, 3 * self._settings.interval_s):
            reasons.append(("evaluation_stuck", f"no round has finished for {silent_s:.0f} s"))
        try:
            with self._state.read() as tx:
                disabled = standing.disabled(tx)
        except Unavailable as error:
            return AlertingHealth(ok=False, reasons=(*reasons, (error.code, error.message)))
        known = [name for name in self._receivers if name in disabled]
        reasons.extend(("receiver_disabled", f"{name}: {disabled[name]}") for name in known)
        return AlertingHealth(ok=not reasons, reasons=tuple(reasons))

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
                self._groups.values,
            )
            return marked(tx, found, self._evaluator.planner, now)

    def rules(self) -> list[dict[str, Any]]:
        """Answer ``/api/v1/rules``."""
        with self._state.read() as tx:
            return answers.rules(tx, self.book.rules, self._settings.groups, self._groups.took)

    def noise(self, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Answer ``/api/v1/alerts/noise``: the rules that fired most without acknowledgement."""
        with self._state.read() as tx:
            return noisiest(tx, since, until, limit)

    def deliveries(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest deliveries, newest first."""
        return self.sent.find(Wanted(limit=limit))

    def _register(self) -> None:
        """Have a row for each receiver; once is enough."""
        if not self._registered:
            with self._state.write() as tx:
                for receiver in self._settings.receivers:
                    standing.register(tx, receiver)
            self._registered = True

    def _release(self) -> None:
        """Give the lease back; if the state refuses, it ends by itself in seconds."""
        try:
            with self._state.write() as tx:
                lease.release(tx, LEASE, self._holder)
        except Unavailable as error:
            log.warning("alerting_lease_kept", code=error.code, error=error.message)

    def hear(self) -> None:
        """Hear that there are new transitions in the tables: they are looked at now, not at the next interval."""
        self._heard.set()

    def _evaluate_forever(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            if self._heard.wait(max(0.0, due - time.monotonic())):
                self._heard.clear()
                due = time.monotonic()
                if self._stop.is_set():
                    return
            due = max(due + self._settings.interval_s, time.monotonic())
            try:
                self._tick_unless_at_rest()
            except Exception as error:  # noqa: BLE001 - the round after this one may succeed; nothing was committed
                self._failed("alerting_round_failed", error)

    def reread_rules(self) -> None:
        """Read the rule files again, soon; if one is wrong the rules stay as they are, and health says why."""
        self._reread.set()

    def _look_at_files(self) -> None:
        if self._reread.is_set():
            self._reread.clear()
            self.book.reread()
        elif time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            self.book.reread_if_changed()

    def _ask_forever(self) -> None:
        while not self._stop.wait(ASK_S):
            try:
                self._look_at_files()
                self._record_after(self.ask_due())
            except Exception as error:  # noqa: BLE001 - what was not committed is asked again
                self._failed("alerting_groups_failed", error)

    def _record_after(self, groups: int) -> None:
        """Send what *groups* brought, what was not taken, and now and then what somebody else left."""
        now = time.monotonic()
        if groups or self._recorder.trouble or now - self._recorded >= RECORD_S:
            self._recorded = now
            self.record_due()

    def _beat_forever(self, heartbeat: Heartbeat) -> None:
        pause_s = min(heartbeat.settings.interval_s, POLL_S + self._settings.interval_s)
        while not self._stop.wait(pause_s):
            try:
                pause_s = heartbeat.beat()
            except Exception as error:  # noqa: BLE001 - silence is what it says when something is wrong
                pause_s = heartbeat.settings.interval_s
                self._failed("alerting_heartbeat_failed", error)

    def _deliver_forever(self, courier: Courier, wake: threading.Event) -> None:
        while not self._stop.is_set():
            wake.clear()
            try:
                courier.deliver_due(stopping=self._stop.is_set)
            except Exception as error:  # noqa: BLE001 - the row is still pending and is tried again
                self._failed("alerting_delivery_failed", error)
            wake.wait(POLL_S)

    def _failed(self, event: str, error: Exception) -> None:
        """Tell it; a stack trace only for what is a bug."""
        code = error.code if isinstance(error, FuseboardError) else "internal"
        self._note(code, str(error))
        log.error(event, code=code, error=str(error), exc_info=not isinstance(error, FuseboardError))

    def _note(self, code: str, sentence: str) -> None:
        if code and (self._problem is None or self._problem[0] != code):
            log.warning("alerting_troubled", code=code, error=sentence)
        self._problem = (code, sentence) if code else None
