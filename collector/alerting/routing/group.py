r"""
The clock of one group. Pure.

::

    new ----told----> told ----resolves----> ended ----told----> (gone)
      \--muted--> held --not muted--> new

A group is *due* when it has something new to say and ``group_wait`` is over since its first alert (or, once it was told, ``group_interval`` since
then); and again ``repeat_interval`` after it was told. Alerts that resolve before they were told are forgotten: nobody knew of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from collector.alerting.routing.route import Timers

MemberState = Literal["new", "held", "told", "ended"]
# What is muted when it should be repeated is looked at again after this long.
LOOK_AGAIN = timedelta(seconds=60)


@dataclass(frozen=True)
class Group:
    """
    Alerts that are told together.

    Attributes:
        key: Of route, receivers and labels.
        receivers: None = every one that asks for the type.
        told_at: When it was told last, None = never; *told* counts.
        members: Alert id -> what this group did with it.
    """

    key: str
    route: str
    receivers: tuple[str, ...] | None
    labels: Mapping[str, str]
    began_at: datetime
    told_at: datetime | None = None
    told: int = 0
    members: Mapping[str, MemberState] = field(default_factory=dict)

    def due_at(self, timers: Timers, now: datetime) -> datetime | None:
        """Give when it has to be looked at next, None = not before something changes."""
        states = set(self.members.values())
        if states & {"new", "ended"}:
            if self.told_at is None:
                return max(now, self.began_at + timedelta(seconds=timers.group_wait_s))
            return max(now, self.told_at + timedelta(seconds=timers.group_interval_s))
        if "told" in states and self.told_at is not None:
            return max(now, self.told_at + timedelta(seconds=timers.repeat_interval_s))
        return None


@dataclass(frozen=True)
class Notification:
    """What is told: ids of alerts that are new, that fire as they did, that ended; *number* counts per group."""

    number: int
    new: tuple[str, ...]
    firing: tuple[str, ...]
    ended: tuple[str, ...]


def tell(
    group: Group, timers: Timers, muted: Collection[str], quiet: Collection[str], now: datetime
) -> tuple[Group, Notification | None]:
    """
    Look at a group that is due.

    Args:
        group: As it is.
        timers: Of its route.
        muted: Members that nobody is told of now.
        quiet: Members whose incident is acknowledged: they are not repeated.
        now: Aware.

    Returns:
        The group as it is from now on, and what is told, if anything.
    """
    new = [one for one, state in group.members.items() if state == "new" and one not in muted]
    told = [one for one, state in group.members.items() if state == "told"]
    ended = [one for one, state in group.members.items() if state == "ended"]
    shown = [one for one in told if one not in muted]
    repeated = (
        not new and not ended and _repeats(group, timers, [one for one in shown if one not in quiet], now)
    )
    members: dict[str, MemberState] = {
        one: "held" if state == "new" and one in muted else state for one, state in group.members.items()
    }
    if not (new or ended or repeated):
        return _with(group, members), None
    for one in new:
        members[one] = "told"
    for one in ended:
        del members[one]
    notification = Notification(group.told + 1, tuple(new), tuple(shown), tuple(ended))
    return _with(group, members, told_at=now, told=group.told + 1), notification


def _repeats(group: Group, timers: Timers, firing: Collection[str], now: datetime) -> bool:
    since = group.told_at
    return bool(firing) and since is not None and now >= since + timedelta(seconds=timers.repeat_interval_s)


def _with(
    group: Group, members: Mapping[str, MemberState], told_at: datetime | None = None, told: int | None = None
) -> Group:
    return replace(
        group,
        told_at=told_at or group.told_at,
        told=group.told if told is None else told,
        members=members,
    )
