"""What is shown with an alert besides itself: who silences it, what inhibits it, whether it flaps, its incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from collector.alerting import history
from collector.alerting.flapping import flapping
from collector.alerting.incidents import store
from collector.alerting.muting import Muted
from collector.alerting.plan import Planner
from collector.state.tables import alerts as alerts_table


def marked(
    tx: Connection, rows: Sequence[Mapping[str, Any]], planner: Planner, now: datetime
) -> list[dict[str, Any]]:
    """
    Give *rows* (as answers.py makes them) with ``silenced_by``, ``inhibited_by``, ``folded``, ``flapping`` and ``incident``.

    ``inhibited_by`` are ids of alerts; ``folded`` says which root an alert belongs to, by which evidence.
    """
    firing = [alert for alert in history.living(tx) if alert.state == "firing"]
    muting, folding = planner.muted(tx, firing, now), planner.folding(tx, firing, now)
    by_id = {alert.id: alert for alert in firing}
    flaps = _flapping_ids(tx, rows)
    incidents = store.of_alerts(tx, [row["id"] for row in rows])
    marks = []
    for row in rows:
        alert = by_id.get(row["id"])
        muted = muting.of(alert) if alert else Muted()
        fold = folding.fold(alert) if alert else None
        marks.append(
            {
                **row,
                "silenced_by": list(muted.silenced_by),
                "inhibited_by": list(muted.inhibited_by),
                "folded": {"service": fold.root[0], "env": fold.root[1], "evidence": list(fold.evidence)}
                if fold and fold.evidence
                else None,
                "flapping": row["id"] in flaps,
                "incident": next(iter(incidents.get(row["id"], ())), None),
            }
        )
    return marks


def _flapping_ids(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    subjects = flapping(tx)
    if not subjects:
        return set()
    table = alerts_table.c
    query = select(table.id, table.rule_id, table.fingerprint).where(
        table.id.in_([row["id"] for row in rows])
    )
    return {row.id for row in tx.execute(query) if (row.rule_id, row.fingerprint) in subjects}
