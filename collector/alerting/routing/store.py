"""Groups and their alerts in ``state/``; every function works inside a caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from collector.alerting.routing.group import Group, MemberState
from collector.state.tables import alert_groups, group_alerts, planning

# Of variables in one statement SQLite takes 32,766; this is far below and few statements still.
_CHUNK = 2000


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Give *ids* in lists short enough for one statement."""
    every = list(ids)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


def due(tx: Connection, now: datetime) -> list[str]:
    """Give the keys of groups to be looked at now."""
    return list(tx.execute(select(alert_groups.c.key).where(alert_groups.c.due_at <= now)).scalars())


def of_alerts(
    tx: Connection, alert_ids: Iterable[str], states: Sequence[MemberState]
) -> list[tuple[str, str]]:
    """Give (group, alert) for *alert_ids* in *states*."""
    table = group_alerts.c
    found: list[tuple[str, str]] = []
    for some in chunks(alert_ids):
        query = select(table.group_key, table.alert_id).where(
            table.alert_id.in_(some), table.state.in_(states)
        )
        found += [(row.group_key, row.alert_id) for row in tx.execute(query)]
    return found


def held(tx: Connection) -> list[tuple[str, str]]:
    """Give (group, alert) of all that are held."""
    table = group_alerts.c
    query = select(table.group_key, table.alert_id).where(table.state == "held")
    return [(row.group_key, row.alert_id) for row in tx.execute(query)]


def load(tx: Connection, keys: Iterable[str] | None = None) -> dict[str, Group]:
    """Give groups by key, with their members; None = every group."""
    if keys is None:
        keys = tx.execute(select(alert_groups.c.key)).scalars().all()
    found: dict[str, Group] = {}
    for some in chunks(keys):
        members: dict[str, dict[str, MemberState]] = defaultdict(dict)
        for row in tx.execute(select(group_alerts).where(group_alerts.c.group_key.in_(some))):
            members[row.group_key][row.alert_id] = row.state
        for row in tx.execute(select(alert_groups).where(alert_groups.c.key.in_(some))):
            receivers = None if row.receivers is None else tuple(row.receivers)
            found[row.key] = Group(
                row.key,
                row.route,
                receivers,
                row.labels,
                row.began_at,
                row.told_at,
                row.told,
                members[row.key],
            )
    return found


def save(
    tx: Connection,
    before: Mapping[str, Group],
    groups: Iterable[Group],
    due_at: Mapping[str, datetime | None],
) -> None:
    """
    Write *groups*; those without members are deleted.

    Args:
        tx: Of the round.
        groups: All that may have changed.
        before: The groups as they stand in the state, by key; absent = new.
        due_at: By key.
    """
    kept = [group for group in groups if group.members]
    gone = [group.key for group in groups if not group.members and group.key in before]
    for some in chunks(gone):
        tx.execute(delete(alert_groups).where(alert_groups.c.key.in_(some)))
    new = [_row(group, due_at[group.key]) for group in kept if group.key not in before]
    if new:
        tx.execute(insert(alert_groups), new)
    moved = [
        {"its_key": group.key, "told_at": group.told_at, "told": group.told, "due_at": due_at[group.key]}
        for group in kept
        if group.key in before
    ]
    if moved:
        tx.execute(update(alert_groups).where(alert_groups.c.key == bindparam("its_key")), moved)
    _save_members(tx, before, kept)


def forget_all(tx: Connection) -> None:
    """Delete every group."""
    tx.execute(delete(group_alerts))
    tx.execute(delete(alert_groups))


def rename(tx: Connection, old_id: str, new_id: str) -> None:
    """Let the alert *new_id* take the place of *old_id* in every group that was told of it."""
    mine = (group_alerts.c.alert_id == old_id, group_alerts.c.state == "told")
    tx.execute(update(group_alerts).where(*mine).values(alert_id=new_id))


def remembered(tx: Connection, name: str) -> str | None:
    """Give what planning remembers under *name*."""
    return tx.execute(select(planning.c.value).where(planning.c.name == name)).scalar_one_or_none()


def remember(tx: Connection, name: str, value: str) -> None:
    """Remember *value* under *name*."""
    tx.execute(delete(planning).where(planning.c.name == name))
    tx.execute(insert(planning).values(name=name, value=value))


def _save_members(tx: Connection, before: Mapping[str, Group], groups: Iterable[Group]) -> None:
    added, changed, removed = [], [], []
    for group in groups:
        known = before[group.key].members if group.key in before else {}
        for alert_id, state in group.members.items():
            if alert_id not in known:
                added.append({"group_key": group.key, "alert_id": alert_id, "state": state})
            elif known[alert_id] != state:
                changed.append({"its_key": group.key, "its_alert": alert_id, "state": state})
        removed += [{"its_key": group.key, "its_alert": one} for one in known if one not in group.members]
    mine = (
        group_alerts.c.group_key == bindparam("its_key"),
        group_alerts.c.alert_id == bindparam("its_alert"),
    )
    if added:
        tx.execute(insert(group_alerts), added)
    if changed:
        tx.execute(update(group_alerts).where(*mine), changed)
    if removed:
        tx.execute(delete(group_alerts).where(*mine), removed)


def _row(group: Group, due_at: datetime | None) -> dict[str, object]:
    return {
        "key": group.key,
        "route": group.route,
        "receivers": None if group.receivers is None else list(group.receivers),
        "labels": dict(group.labels),
        "began_at": group.began_at,
        "told_at": group.told_at,
        "told": group.told,
        "due_at": due_at,
    }
