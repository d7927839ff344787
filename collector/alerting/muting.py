"""Who is not told of a firing alert, and why: silences, label inhibition, topology. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.alerting.evaluate import Alert
from collector.alerting.inhibition import Inhibition, InhibitRule
from collector.alerting.silences.silence import Silence, silencing
from collector.alerting.topology import Folding


@dataclass(frozen=True)
class Muted:
    """Why nobody is told of an alert; all empty = it is told."""

    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    """Ids of the alerts that make it needless: by an ``[[inhibit]]`` rule, or because their dependency explains it."""

    def __bool__(self) -> bool:
        return bool(self.silenced_by or self.inhibited_by)


class Muting:
    """
    Says of any firing alert whether it is muted now.

    Args:
        silences: The active ones.
        rules: ``[[inhibit]]``.
        firing: All firing alerts.
        folding: Where alerts belong (topology.py); None = topology mutes nothing.
    """

    def __init__(
        self,
        silences: Sequence[Silence],
        rules: Sequence[InhibitRule],
        firing: Sequence[Alert],
        folding: Folding | None,
    ) -> None:
        self._silences = silences
        self._inhibition = Inhibition(rules, firing) if rules else None
        self._folding = folding
        self._known: dict[str, Muted] = {}

    def of(self, alert: Alert) -> Muted:
        """Give why *alert* is muted, if it is."""
        if alert.id not in self._known:
            self._known[alert.id] = self._of(alert)
        return self._known[alert.id]

    def _of(self, alert: Alert) -> Muted:
        silenced = tuple(silencing(self._silences, alert.matchable))
        inhibited = self._inhibition.inhibiting(alert) if self._inhibition else ()
        lead = self._folding.lead(alert.id) if self._folding else None
        return Muted(silenced, (*inhibited, lead) if lead and lead not in inhibited else inhibited)
