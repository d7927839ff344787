"""
Another tree of routes than last time: groups are made anew, and who was told of what is carried over.

Nobody is told again of what they were told, nobody misses the end of it: an alert that every receiver of its new group knows joins as told, an
alert that ended meanwhile joins as ended. The repeat clock goes on from the last time that somebody was told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.routing import store
from collector.alerting.routing.dispatch import Dispatch
from collector.alerting.routing.group import Group, MemberState
from collector.state.tables import held_alerts

_NAME = "tree"
_EVERYBODY = "*"


@dataclass(frozen=True)
class _Said:
    """Receivers (``*`` = everybody) that know that an alert fires, and since when."""

    receivers: frozenset[str]
    at: datetime


def adopt(tx: Connection, dispatch: Dispatch, firing: Sequence[Alert], now: datetime) -> list[Change]:
    """
    Make the groups fit the tree, if it is another than the one they were made by.

    Args:
        tx: Of the round.
        dispatch: With the new tree.
        firing: Alerts that fired before this round and still do.
        now: Aware.

    Returns:
        What is to be told directly now that there are no routes: ends of alerts that groups had not told yet.
    """
    signature = dispatch.tree.signature
    known = store.remembered(tx, _NAME) or ""
    if signature == known:
        return []
    said = _said(store.load(tx)) if known else _said_directly(tx, firing, now)
    store.forget_all(tx)
    store.remember(tx, _NAME, signature)
    living = {alert.id for alert in firing}
    ended = history.by_ids(tx, [one for one in said if one not in living])
    if dispatch.tree:
        tx.execute(delete(held_alerts))
        _regroup(tx, dispatch, [*firing, *ended], said, now)
        return []
    unsaid = [{"alert_id": alert.id, "since": now} for alert in firing if alert.id not in said]
    if unsaid:
        tx.execute(insert(held_alerts), unsaid)
    return [Change("resolved", alert) for alert in ended if alert.state == "resolved"]


def _said(groups: Mapping[str, Group]) -> dict[str, _Said]:
    receivers: dict[str, set[str]] = defaultdict(set)
    at: dict[str, datetime] = {}
    for group in groups.values():
        for one, state in group.members.items():
            if state in ("told", "ended") and group.told_at is not None:
                receivers[one] |= set(group.receivers or (_EVERYBODY,))
                at[one] = max(group.told_at, at.get(one, group.told_at))
    return {one: _Said(frozenset(names), at[one]) for one, names in receivers.items()}


def _said_directly(tx: Connection, firing: Sequence[Alert], now: datetime) -> dict[str, _Said]:
    held = set(tx.execute(select(held_alerts.c.alert_id)).scalars())
    return {alert.id: _Said(frozenset((_EVERYBODY,)), now) for alert in firing if alert.id not in held}


def _regroup(
    tx: Connection, dispatch: Dispatch, alerts: Sequence[Alert], said: Mapping[str, _Said], now: datetime
) -> None:
    by_id = {alert.id: alert for alert in alerts}
    routes = dispatch.tree.by_id()
    groups, due_at = [], {}
    for group in dispatch.place(alerts, now).values():
        members = {one: _state(by_id[one], group, said.get(one)) for one in group.members}
        told = [said[one].at for one, state in members.items() if state in ("told", "ended")]
        made = replace(
            group,
            members={one: state for one, state in members.items() if state is not None},
            told_at=max(told, default=None),
            told=1 if told else 0,
        )
        groups.append(made)
        due_at[made.key] = made.due_at(routes[made.route].timers, now)
    store.save(tx, {}, groups, due_at)


def _state(alert: Alert, group: Group, said: _Said | None) -> MemberState | None:
    """Give what a new group did with *alert*; None = it has nothing to do with it."""
    knows = said is not None and (
        _EVERYBODY in said.receivers
        or (group.receivers is not None and said.receivers.issuperset(group.receivers))
    )
    if alert.state == "resolved":
        return "ended" if knows else None
    return "told" if knows else "new"
