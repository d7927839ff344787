"""Silences as the API asks for them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert
from collector.alerting.matching import LabelMatcher, Matchers
from collector.alerting.silences import store
from collector.alerting.silences.schedule import Schedule
from collector.alerting.silences.silence import Silence, check
from collector.alerting.timestamps import rfc3339
from collector.errors import Conflict, Malformed, NotFound
from collector.state import State

# Of the alerts a silence is about, shown with it.
ALERTS_SHOWN = 100


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for; *starts_at* None = now, or as it was; *id* "" = a new one."""

    matchers: Matchers
    created_by: str
    comment: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    schedule: Schedule | None = None
    id: str = ""

    def silence(self, old: Silence | None, now: datetime) -> Silence:
        """Give the silence it makes, in place of *old*."""
        return Silence(
            id=old.id if old else secrets.token_hex(8),
            matchers=self.matchers,
            starts_at=self.starts_at or (old.starts_at if old else now),
            ends_at=self.ends_at,
            created_by=self.created_by.strip(),
            comment=self.comment.strip(),
            created_at=old.created_at if old else now,
            updated_at=now,
            schedule=self.schedule,
        )


class Silences:
    """
    Lists, puts and ends silences.

    Args:
        state: Where they are kept.
        clock: Current time, aware.
    """

    def __init__(self, state: State, clock: Callable[[], datetime]) -> None:
        self._state = state
        self._clock = clock

    def all(self) -> list[dict[str, Any]]:
        """Give active, pending and lately ended ones, in this order, each with the living alerts it is about."""
        now = self._clock()
        with self._state.read() as tx:
            found, alerts = store.shown(tx, now), history.living(tx)
        order = {"active": 0, "pending": 1, "expired": 2}
        rows = [_row(silence, alerts, now) for silence in found]
        return sorted(rows, key=lambda row: order[row["state"]])

    def one(self, silence_id: str) -> dict[str, Any]:
        """
        Give one.

        Raises:
            NotFound: There is none with this id.
        """
        now = self._clock()
        with self._state.read() as tx:
            found = store.find(tx, silence_id)
            if found is None:
                raise _unknown(silence_id)
            return _row(found, history.living(tx), now)

    def put(self, wanted: Wanted) -> dict[str, Any]:
        """
        Make a silence, or change the one that *wanted* names.

        Raises:
            Malformed: ``bad_silence``: a field is missing or makes no sense.
            NotFound: No silence has this id.
            Conflict: It has ended (``silence_expired``), or there are too many (``too_many_silences``).
        """
        now = self._clock()
        with self._state.write() as tx:
            new = wanted.silence(_changed(tx, wanted.id, now), now)
            _checked(new, now)
            store.write(tx, new)
            return _row(new, history.living(tx), now)

    def preview(self, matchers: Matchers) -> list[dict[str, Any]]:
        """
        Give the living alerts that a silence with *matchers* would be about.

        Raises:
            Malformed: ``bad_silence``.
        """
        now = self._clock()
        trial = Silence("", matchers, now, None, "-", "-", now, now, Schedule(start="00:00", end="24:00"))
        _checked(trial, now)
        with self._state.read() as tx:
            alerts = history.living(tx)
        return [_alert(alert) for alert in alerts if trial.silences(alert.matchable)]

    def end(self, silence_id: str) -> dict[str, Any]:
        """
        End one now; one that has ended stays as it is.

        Raises:
            NotFound: There is none with this id.
        """
        now = self._clock()
        with self._state.write() as tx:
            if store.find(tx, silence_id) is None:
                raise _unknown(silence_id)
            store.end(tx, silence_id, now)
            found = store.find(tx, silence_id)
            assert found is not None
            return _row(found, history.living(tx), now)


def _changed(tx: Connection, silence_id: str, now: datetime) -> Silence | None:
    """Give the silence that is to be changed, None for a new one."""
    if not silence_id:
        if store.count_living(tx, now) >= store.LIVING_MOST:
            raise Conflict("too_many_silences", f"there are {store.LIVING_MOST} silences: end some first")
        return None
    old = store.find(tx, silence_id)
    if old is None:
        raise _unknown(silence_id)
    if old.ends_at is not None and old.ends_at <= now:
        raise Conflict("silence_expired", f"silence {silence_id} has ended: make a new one", "id")
    return old


def _checked(silence: Silence, now: datetime) -> None:
    try:
        check(silence, now)
    except ValueError as error:
        field, _, sentence = str(error).partition(": ")
        raise Malformed("bad_silence", f"{field}: {sentence}", field) from error


def _unknown(silence_id: str) -> NotFound:
    return NotFound("unknown_silence", f"no silence has the id {silence_id[:100]!r}", "id")


def _row(silence: Silence, alerts: list[Alert], now: datetime) -> dict[str, Any]:
    about = [alert for alert in alerts if silence.silences(alert.matchable)]
    following = silence.schedule.next(now) if silence.schedule else None
    until = silence.quiet_until(now)
    return {
        "id": silence.id,
        "state": silence.standing(now),
        "matchers": [_matcher(each) for each in silence.matchers],
        "text": ", ".join(str(each) for each in silence.matchers),
        "starts_at": rfc3339(silence.starts_at),
        "ends_at": silence.ends_at and rfc3339(silence.ends_at),
        "schedule": silence.schedule.row() if silence.schedule else None,
        "until": until and rfc3339(until),
        "next_at": following and rfc3339(following.start),
        "created_by": silence.created_by,
        "comment": silence.comment,
        "created_at": rfc3339(silence.created_at),
        "updated_at": rfc3339(silence.updated_at),
        "alerts": [_alert(alert) for alert in about[:ALERTS_SHOWN]],
        "alerts_count": len(about),
    }


def _matcher(matcher: LabelMatcher) -> Mapping[str, Any]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "is_regex": matcher.operator in ("=~", "!~"),
        "is_equal": matcher.operator in ("=", "=~"),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {"id": alert.id, "rule": alert.rule, "state": alert.state, "labels": dict(alert.labels)}
