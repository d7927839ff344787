"""One round of routing: what changed goes into its groups, and groups that are due become events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.events import Event, GroupTold, group_event
from collector.alerting.incidents.step import Standing
from collector.alerting.muting import Muting
from collector.alerting.routing import store
from collector.alerting.routing.group import LOOK_AGAIN, Group, MemberState, tell
from collector.alerting.routing.route import CATALOGUE, UNROUTED, Route, Tree, digest

OnCall = Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Dispatch:
    """
    Routes one round's changes.

    Attributes:
        tree: The routes.
        on_call: Gives service -> name of the receiver that the catalogue gives it; asked once per round.
        public_url: Base of links.
    """

    tree: Tree
    on_call: OnCall
    public_url: str

    def plan(
        self,
        tx: Connection,
        changes: Sequence[Change],
        firing: Sequence[Alert],
        muting: Muting,
        incidents: Standing,
        now: datetime,
    ) -> list[Event]:
        """Say what is told, and move the clocks of the groups."""
        alerts = {alert.id: alert for alert in firing}
        started = [change.alert for change in changes if change.kind == "firing"]
        ended = {change.alert.id: change.alert for change in changes if change.kind == "resolved"}
        placed = self.place(started, now)
        freed = [(key, one) for key, one in store.held(tx) if one in alerts and not muting.of(alerts[one])]
        leaving = store.of_alerts(tx, ended, ("new", "held", "told"))
        touched = {*placed, *(key for key, _ in freed), *(key for key, _ in leaving)}
        before = store.load(tx, touched | set(store.due(tx, now)))
        groups = _joined(before, placed, alerts, muting)
        for key, one in freed:
            groups[key] = replace(groups[key], members={**groups[key].members, one: "new"})
        groups = _left(groups, leaving)
        return self._tell(tx, before, groups, _Known(tx, {**alerts, **ended}, muting, incidents), now)

    def place(self, alerts: Sequence[Alert], now: datetime) -> dict[str, Group]:
        """Give the groups that *alerts* belong to, by key, all as new members."""
        on_call = self.on_call() if alerts and self.tree.asks_catalogue else {}
        groups: dict[str, Group] = {}
        members: dict[str, dict[str, MemberState]] = {}
        for alert in alerts:
            for route in self.tree.take(alert.matchable):
                group = _group(route, alert, on_call, now)
                groups.setdefault(group.key, group)
                members.setdefault(group.key, {})[alert.id] = "new"
        return {key: replace(group, members=members[key]) for key, group in groups.items()}

    def _tell(
        self,
        tx: Connection,
        before: Mapping[str, Group],
        groups: Mapping[str, Group],
        known: _Known,
        now: datetime,
    ) -> list[Event]:
        routes = self.tree.by_id()
        events: list[Event] = []
        after: list[Group] = []
        due_at: dict[str, datetime | None] = {}
        for group in groups.values():
            route = routes.get(group.route, UNROUTED)
            at = group.due_at(route.timers, now)
            quiet_until = route.muted_until(now)
            if at is not None and at <= now and quiet_until is None:
                told, event = self._look(group, route, known, now)
                events += [event] if event else []
                at = told.due_at(route.timers, now)
                at = max(at, now + LOOK_AGAIN) if at and not event else at
            else:
                told = group
                at = max(at, quiet_until) if at and quiet_until else at
            after.append(told)
            due_at[told.key] = at
        store.save(tx, before, after, due_at)
        return events

    def _look(self, group: Group, route: Route, known: _Known, now: datetime) -> tuple[Group, Event | None]:
        group = known.without_strays(group)
        muted = {
            one for one, state in group.members.items() if state in ("new", "told") and known.is_muted(one)
        }
        after, notification = tell(group, route.timers, muted, known.incidents.acknowledged, now)
        if notification is None:
            return after, None
        told = GroupTold(
            key=group.key,
            labels=group.labels,
            receivers=group.receivers,
            number=notification.number,
            firing=tuple(
                _firing(alert)
                for some in (notification.new, notification.firing)
                for alert in sorted((known.alerts[one] for one in some), key=_order)
            ),
            ended=tuple(sorted((known.alerts[one] for one in notification.ended), key=_order)),
            incident=known.incident(notification.new + notification.firing + notification.ended),
        )
        return after, group_event(told, now, self.public_url)


@dataclass(frozen=True)
class _Known:
    """The alerts of this round, and of the past those that somebody asks for."""

    tx: Connection
    alerts: dict[str, Alert]
    muting: Muting
    incidents: Standing

    def without_strays(self, group: Group) -> Group:
        """Load the group's alerts that do not live any more; those that history has forgotten leave."""
        missing = [one for one in group.members if one not in self.alerts]
        if not missing:
            return group
        self.alerts.update({alert.id: alert for alert in history.by_ids(self.tx, missing)})
        return replace(group, members={one: at for one, at in group.members.items() if one in self.alerts})

    def is_muted(self, alert_id: str) -> bool:
        """Whether nobody is told of it now."""
        return bool(self.muting.of(self.alerts[alert_id]))

    def incident(self, alert_ids: Iterable[str]) -> str | None:
        """Give the incident of the first of them that belongs to one."""
        return next((self.incidents.of[one] for one in alert_ids if one in self.incidents.of), None)


def _group(route: Route, alert: Alert, on_call: Mapping[str, str], now: datetime) -> Group:
    receivers = _receivers(route, on_call.get(alert.labels.get("service", "")))
    labels = route.group_labels(alert.matchable)
    key = digest(json.dumps([route.id, receivers, labels], sort_keys=True))
    return Group(key, route.id, receivers, labels, now)


def _receivers(route: Route, on_call: str | None) -> tuple[str, ...] | None:
    if route.receivers is None or CATALOGUE not in route.receivers:
        return route.receivers
    names = (on_call if name == CATALOGUE else name for name in route.receivers)
    return tuple(dict.fromkeys(name for name in names if name)) or route.fallback


def _firing(alert: Alert) -> Alert:
    """Give an alert that flaps as firing: its end is not told yet."""
    return alert if alert.state == "firing" else replace(alert, state="firing", resolved_at=None)


def _order(alert: Alert) -> tuple[float, list[str]]:
    """Let the longest firing come first; of those that began together, by their labels."""
    return (alert.fired_at or alert.pending_since).timestamp(), sorted(alert.labels.values())


def _joined(
    before: Mapping[str, Group], placed: Mapping[str, Group], alerts: Mapping[str, Alert], muting: Muting
) -> dict[str, Group]:
    """Give the groups of *before* and *placed* together; who is muted joins as held."""
    groups = dict(before)
    for key, group in placed.items():
        joining: dict[str, MemberState] = {
            one: "held" if muting.of(alerts[one]) else "new" for one in group.members
        }
        known = groups.get(key, group)
        old = known.members if key in groups else {}
        groups[key] = replace(known, members={**joining, **old})
    return groups


def _left(groups: dict[str, Group], leaving: Sequence[tuple[str, str]]) -> dict[str, Group]:
    """Give *groups* after the alerts of *leaving* (group, alert) have resolved."""
    members = {key: dict(groups[key].members) for key, _ in leaving}
    for key, one in leaving:
        if members[key].get(one) == "told":
            members[key][one] = "ended"
        else:
            members[key].pop(one, None)
    return {key: replace(group, members=members.get(key, group.members)) for key, group in groups.items()}
