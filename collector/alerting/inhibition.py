"""
Label inhibition: while a *source* alert fires, *targets* that agree with it in some labels are not told. Pure.

``equal`` labels are compared as text, absent ones as "". An alert that meets both sides of a rule is not inhibited by
another that does: two such alerts would silence each other. Source: Alertmanager documentation, "Inhibition-related settings".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.alerting.evaluate import Alert
from collector.alerting.matching import Matchers, all_match


@dataclass(frozen=True)
class InhibitRule:
    """``[[inhibit]]``."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()

    def key(self, alert: Alert) -> tuple[str, ...]:
        """Give the values that have to be equal."""
        return tuple(alert.matchable.get(name, "") for name in self.equal)


class Inhibition:
    """
    The rules over the alerts that fire now.

    Args:
        rules: Of the settings.
        firing: All firing alerts.
    """

    def __init__(self, rules: Sequence[InhibitRule], firing: Sequence[Alert]) -> None:
        self._rules = [(rule, _sources(rule, firing)) for rule in rules]

    def inhibiting(self, alert: Alert) -> tuple[str, ...]:
        """Give the ids of the alerts that inhibit *alert*, one per rule."""
        found = (_inhibits(rule, sources, alert) for rule, sources in self._rules)
        return tuple(dict.fromkeys(source for source in found if source))


# Equal values -> the first source that is no target, and the first that is.
_Sources = dict[tuple[str, ...], dict[bool, str]]


def _sources(rule: InhibitRule, firing: Sequence[Alert]) -> _Sources:
    sources: _Sources = {}
    for alert in firing:
        if all_match(rule.source, alert.matchable):
            both = all_match(rule.target, alert.matchable)
            sources.setdefault(rule.key(alert), {}).setdefault(both, alert.id)
    return sources


def _inhibits(rule: InhibitRule, sources: _Sources, alert: Alert) -> str | None:
    if not all_match(rule.target, alert.matchable):
        return None
    found = sources.get(rule.key(alert), {})
    if all_match(rule.source, alert.matchable):
        return found.get(False)
    return found.get(False) or found.get(True)
