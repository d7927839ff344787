"""
Flap damping: an alert that comes and goes is told once as flapping, and its end when it has been quiet.

An alert (a rule's subject, over its episodes) *flaps* from its `FLAPS`-th firing within ten minutes on, until it has neither fired nor resolved for ten
minutes. While it flaps its ends are not told: its next firing takes the place of the one before in every group, nobody is told anew, and
repeats go on. What was told ends for good when it is quiet. The firing that makes it flap is told, with the annotation ``flapping``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.routing import store
from collector.state.tables import alerts, flaps, held_alerts

FLAPS = 3
WINDOW = timedelta(minutes=10)
QUIET = timedelta(minutes=10)
ANNOTATION = f"fired {FLAPS} times within {WINDOW // timedelta(minutes=1)} minutes; its end is told when it was quiet for {QUIET // timedelta(minutes=1)} minutes"

Subject = tuple[str, str]  # rule id, fingerprint


@dataclass(frozen=True)
class Flap:
    """One subject: when it fired lately, since when it flaps, the end that was not told."""

    fired: tuple[float, ...] = ()
    flapping_since: datetime | None = None
    ended_id: str | None = None


def damp(tx: Connection, changes: Sequence[Change], now: datetime, *, routed: bool) -> list[Change]:
    """
    Keep back what is only flapping.

    Args:
        tx: In which *changes* were applied.
        changes: Of this round.
        now: Aware.
        routed: Whether groups remember what was told; else `held_alerts` what was not.

    Returns:
        The changes to be told, and the ends of alerts that have been quiet.
    """
    quiet = _quiet(tx, now)
    subjects = [_subject(change.alert) for change in changes if change.kind in ("firing", "resolved")]
    known = _load(tx, subjects)
    passed: list[Change] = []
    for change in changes:
        if change.kind == "firing":
            passed += _fired(tx, change, known, now)
        elif change.kind == "resolved":
            passed += _resolved(tx, change, known, routed=routed)
        else:
            passed.append(change)
    _save(tx, {subject: known[subject] for subject in subjects if subject in known}, now)
    return [*passed, *quiet]


def flapping(tx: Connection) -> set[Subject]:
    """Give the subjects that flap now."""
    query = select(flaps.c.rule_id, flaps.c.fingerprint).where(flaps.c.flapping_since.is_not(None))
    return {(row.rule_id, row.fingerprint) for row in tx.execute(query)}


def _fired(tx: Connection, change: Change, known: dict[Subject, Flap], now: datetime) -> list[Change]:
    subject, alert = _subject(change.alert), change.alert
    flap = known.get(subject, Flap())
    since = (now - WINDOW).timestamp()
    fired = (*(at for at in flap.fired if at > since), now.timestamp())
    begins = flap.flapping_since is None and len(fired) >= FLAPS
    known[subject] = Flap(fired, now if begins else flap.flapping_since)
    if flap.ended_id is not None:
        store.rename(tx, flap.ended_id, alert.id)
        return []
    if not begins:
        return [change]
    annotated = replace(alert, annotations={**alert.annotations, "flapping": ANNOTATION})
    tx.execute(update(alerts).where(alerts.c.id == alert.id).values(annotations=annotated.annotations))
    return [replace(change, alert=annotated)]


def _resolved(tx: Connection, change: Change, known: dict[Subject, Flap], *, routed: bool) -> list[Change]:
    subject = _subject(change.alert)
    flap = known.get(subject)
    if flap is None or flap.flapping_since is None or not _was_told(tx, change.alert.id, routed=routed):
        return [change]
    known[subject] = replace(flap, ended_id=change.alert.id)
    return []


def _was_told(tx: Connection, alert_id: str, *, routed: bool) -> bool:
    if routed:
        return bool(store.of_alerts(tx, [alert_id], ("told",)))
    query = select(held_alerts.c.alert_id).where(held_alerts.c.alert_id == alert_id)
    return tx.execute(query).first() is None


def _quiet(tx: Connection, now: datetime) -> list[Change]:
    """Forget the subjects that have been quiet; give the ends that are told now."""
    over = flaps.c.quiet_at <= now
    ended = [one for one in tx.execute(select(flaps.c.ended_id).where(over)).scalars() if one]
    tx.execute(delete(flaps).where(over))
    return [Change("resolved", alert) for alert in history.by_ids(tx, ended)]


def _load(tx: Connection, subjects: Iterable[Subject]) -> dict[Subject, Flap]:
    found: dict[Subject, Flap] = {}
    for some in store.chunks({fingerprint for _, fingerprint in subjects}):
        for row in tx.execute(select(flaps).where(flaps.c.fingerprint.in_(some))):
            found[row.rule_id, row.fingerprint] = Flap(tuple(row.fired), row.flapping_since, row.ended_id)
    return found


def _save(tx: Connection, known: Mapping[Subject, Flap], now: datetime) -> None:
    rows = [
        {
            "rule_id": rule_id,
            "fingerprint": fingerprint,
            "fired": list(flap.fired),
            "flapping_since": flap.flapping_since,
            "ended_id": flap.ended_id,
            "quiet_at": now + QUIET,
        }
        for (rule_id, fingerprint), flap in known.items()
    ]
    if rows:
        mine = (flaps.c.rule_id == bindparam("its_rule"), flaps.c.fingerprint == bindparam("its_print"))
        keys = [{"its_rule": rule_id, "its_print": fingerprint} for rule_id, fingerprint in known]
        tx.execute(delete(flaps).where(*mine), keys)
        tx.execute(insert(flaps), rows)


def _subject(alert: Alert) -> Subject:
    return alert.rule_id, alert.fingerprint
