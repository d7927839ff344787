"""The rules that are there from the first day, but for those that step aside for a user's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from collector.alerting.rules.load import read_groups
from collector.alerting.rules.rule import Group, Rule

_FILE = Path(__file__).with_name("default.yaml")
NAME = "default rules"


def default_groups() -> tuple[Group, ...]:
    """Read them."""
    return read_groups(_FILE, NAME)


def beside(default: Sequence[Group], own: Iterable[Group]) -> tuple[Group, ...]:
    """Give the *default* groups without the rules about which some of *own* is, too."""
    taken = {topic for group in own for rule in group.rules if (topic := _topic(rule))}
    left = (
        replace(group, rules=tuple(rule for rule in group.rules if _topic(rule) not in taken))
        for group in default
    )
    return tuple(group for group in left if group.rules)


def _topic(rule: Rule) -> tuple[str, str] | None:
    """Say what a rule is about; ``None``: what an expression is about, only its author knows."""
    if rule.kind == "breaker":
        return rule.kind, rule.expr.split()[0]
    if rule.kind == "fuseboard":
        return rule.kind, rule.expr
    return (rule.kind, "") if rule.kind in {"silent", "slo", "bulkhead"} else None
