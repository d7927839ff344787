"""
Deploys as those who deploy tell them: markers, kept in `state/`, merged with what telemetry shows by ``read/deploys.py``.

Telemetry knows when a version was first seen; only who deploys knows the commit, who did it, and that a version seen before came back (a rollback).
A marker is told once: an ``Idempotency-Key`` names it, and without one the same version of the same service within ten minutes is the same deploy.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy import Row as SqlRow

from collector.errors import Conflict
from collector.state import State
from collector.state.tables import deploy_markers as markers

# A system of hundreds of services that are deployed ten times a day keeps a month; the oldest go first.
MARKERS_MOST = 100_000
_AT_ONCE = 1000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
# A pipeline that did not hear our answer tries again within this.
SAME_WITHIN = timedelta(minutes=10)
# Read for one answer, newest first.
ASKED_MOST = 5000


@dataclass(frozen=True, slots=True)
class Deploy:
    """
    A version that somebody brought to an environment; texts are "" when not told.

    Attributes:
        env: "" = the service's only one, or all of them.
        at: Aware.
        by: Who, or which pipeline.
        url: Of the run that did it: http or https.
    """

    service: str
    version: str
    env: str
    at: datetime
    by: str = ""
    commit: str = ""
    url: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A deploy as it is kept, under an id."""

    id: str
    deploy: Deploy

    def row(self) -> dict[str, Any]:
        """Give its fields, the time as ``at_ns``: nanoseconds since the epoch."""
        fields = asdict(self.deploy)
        return {"id": self.id, "at_ns": (fields.pop("at") - _EPOCH) // _MICROSECOND * 1000, **fields}


class Deploys:
    """
    The markers.

    Args:
        state: Where they are kept.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, deploy: Deploy, told: object, key: str = "") -> tuple[Marker, bool]:
        """
        Keep a marker once.

        Args:
            deploy: What is kept.
            told: The request as it was sent, JSON: what a repeat under *key* must equal.
            key: Names the request; "" = its service, env, version and commit do, for ten minutes.

        Returns:
            The marker, and whether it was there already.

        Raises:
            Conflict: ``idempotency_mismatch``: *key* was used for another deploy.
        """
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        with self._state.write() as tx:
            known = _by_key(tx, key, digest) if key else _again(tx, deploy)
            if known is not None:
                return _marker(known), True
            identifier = secrets.token_hex(8)
            now = datetime.now(UTC)
            tx.execute(insert(markers).values(id=identifier, told_as=key or identifier, digest=digest, received_at=now, **_columns(deploy)))  # fmt: skip
            _bounded(tx)
        return Marker(identifier, deploy), False

    def between(self, start: datetime, end: datetime, env: str = "", service: str = "") -> Sequence[Marker]:
        """Return the markers of ``[start, end)``, newest first, at most 5,000; *env* also finds those that name none."""
        wanted = select(markers).where(markers.c.at >= start, markers.c.at < end)
        if env:
            wanted = wanted.where(markers.c.env.in_(("", env)))
        if service:
            wanted = wanted.where(markers.c.service == service)
        with self._state.read() as tx:
            rows = tx.execute(wanted.order_by(markers.c.at.desc(), markers.c.id).limit(ASKED_MOST)).all()
        return [_marker(row) for row in rows]


def _by_key(tx: Connection, key: str, digest: str) -> SqlRow[tuple[object, ...]] | None:
    row = tx.execute(select(markers).where(markers.c.told_as == key)).one_or_none()
    if row is not None and row.digest != digest:
        raise Conflict(
            "idempotency_mismatch", "this Idempotency-Key was used for another deploy", "Idempotency-Key"
        )
    return row


def _again(tx: Connection, deploy: Deploy) -> SqlRow[tuple[object, ...]] | None:
    same = select(markers).where(
        markers.c.service == deploy.service,
        markers.c.env == deploy.env,
        markers.c.version == deploy.version,
        markers.c.commit_id == deploy.commit,
        markers.c.at > deploy.at - SAME_WITHIN,
        markers.c.at < deploy.at + SAME_WITHIN,
    )
    return tx.execute(same.order_by(markers.c.at.desc()).limit(1)).one_or_none()


def _bounded(tx: Connection) -> None:
    """Make room, many at once."""
    if tx.execute(select(func.count()).select_from(markers)).scalar_one() <= MARKERS_MOST:
        return
    oldest = select(markers.c.id).order_by(markers.c.at).limit(_AT_ONCE)
    tx.execute(delete(markers).where(markers.c.id.in_(oldest)))


def _columns(deploy: Deploy) -> dict[str, object]:
    fields = asdict(deploy)
    named = {"told_by": fields.pop("by"), "commit_id": fields.pop("commit")}
    return {**fields, **named}


def _marker(row: SqlRow[tuple[object, ...]]) -> Marker:
    told = row._mapping  # noqa: SLF001 - SQLAlchemy's own name for it
    deploy = Deploy(
        told["service"], told["version"], told["env"], told["at"], told["told_by"], told["commit_id"], told["url"], told["description"],
    )  # fmt: skip
    return Marker(told["id"], deploy)
