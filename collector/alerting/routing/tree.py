"""``[[route]]`` and ``[[inhibit]]`` as they stand in the settings -> the tree and the rules; every mistake named by its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collector.alerting.expression import parse_duration_s
from collector.alerting.inhibition import InhibitRule
from collector.alerting.matching import NAME, Matchers, parse_matchers
from collector.alerting.routing.route import CATALOGUE, EVERY_LABEL, Route, Timers, Tree, digest
from collector.alerting.silences.schedule import Schedule, parse_schedule
from collector.errors import Malformed

ROUTES_MOST = 1000
DEPTH_MOST = 10

_ROOT = Route("", None)


def build_tree(routes: Sequence[Mapping[str, Any]], receivers: Iterable[str]) -> Tree:
    """
    Build the tree.

    Args:
        routes: ``{match, matchers, receiver, receivers, continue, group_by, group_wait, group_interval, repeat_interval, mute, routes}``;
            absent or None = from the parent.
        receivers: Names that are configured.

    Raises:
        Malformed: ``bad_setting``, with place and value.
    """
    known = frozenset(receivers)
    tree = Tree(_children(routes, _ROOT, "route", known, depth=1))
    count = sum(1 for top in tree.routes for _ in top.every())
    if count > ROUTES_MOST:
        raise _bad("route", f"{count} routes, at most {ROUTES_MOST}")
    return tree


def build_inhibitions(rules: Sequence[Mapping[str, Any]]) -> tuple[InhibitRule, ...]:
    """
    Build the rules.

    Args:
        rules: ``{source, target, equal}``.

    Raises:
        Malformed: ``bad_setting``, with place and value.
    """
    return tuple(_inhibition(rule, f"inhibit[{number}]") for number, rule in enumerate(rules))


def _inhibition(rule: Mapping[str, Any], place: str) -> InhibitRule:
    source = _matchers(rule.get("source") or "", (), f"{place}.source")
    target = _matchers(rule.get("target") or "", (), f"{place}.target")
    if not source or not target:
        raise _bad(place, 'give source and target, matchers like severity="page"')
    return InhibitRule(source, target, _names(rule.get("equal") or (), f"{place}.equal"))


def _children(
    routes: Sequence[Mapping[str, Any]], parent: Route, place: str, known: frozenset[str], *, depth: int
) -> tuple[Route, ...]:
    if depth > DEPTH_MOST:
        raise _bad(place, f"routes are nested deeper than {DEPTH_MOST}")
    built: list[Route] = []
    for number, fields in enumerate(routes):
        same = [each.matchers for each in built]
        built.append(_route(fields, parent, same, f"{place}[{number}]", known, depth))
    return tuple(built)


def _route(
    fields: Mapping[str, Any],
    parent: Route,
    before: Sequence[Matchers],
    place: str,
    known: frozenset[str],
    depth: int,
) -> Route:
    matchers = _matchers(fields.get("match") or "", fields.get("matchers") or (), place)
    own = _receivers(fields, place, known)
    made = Route(
        # Of two siblings with the same matchers the second has a number.
        id=digest(f"{parent.id}/{','.join(map(str, matchers))}/{before.count(matchers)}"),
        receivers=own or parent.receivers,
        matchers=matchers,
        fallback=parent.fallback if _only_catalogue(own or parent.receivers) else own or parent.fallback,
        group_by=_group_by(fields, parent, place),
        timers=_timers(fields, parent.timers, place),
        mute=_windows(fields.get("mute") or (), f"{place}.mute") or parent.mute,
        go_on=bool(fields.get("continue")),
    )
    routes = _children(fields.get("routes") or (), made, f"{place}.routes", known, depth=depth + 1)
    return Route(**{**vars(made), "routes": routes})


def _only_catalogue(receivers: tuple[str, ...] | None) -> bool:
    return receivers is not None and set(receivers) == {CATALOGUE}


def _receivers(fields: Mapping[str, Any], place: str, known: frozenset[str]) -> tuple[str, ...] | None:
    names = [*([fields["receiver"]] if fields.get("receiver") else []), *(fields.get("receivers") or ())]
    for name in names:
        if name not in known and name != CATALOGUE:
            raise _bad(
                f"{place}.receiver",
                f"{name!r} is no receiver; there are: {', '.join(sorted(known)) or 'none'}, and {CATALOGUE!r}",
            )
    return tuple(dict.fromkeys(names)) or None


def _group_by(fields: Mapping[str, Any], parent: Route, place: str) -> tuple[str, ...]:
    if fields.get("group_by") is None:
        return parent.group_by
    return _names(fields["group_by"], f"{place}.group_by")


def _names(names: Iterable[str], place: str) -> tuple[str, ...]:
    for name in names:
        if name != EVERY_LABEL and not NAME.fullmatch(name):
            raise _bad(place, f"{name!r} is not a label name")
    return tuple(names)


def _timers(fields: Mapping[str, Any], parent: Timers, place: str) -> Timers:
    timers = Timers(
        group_wait_s=_seconds(fields, "group_wait", parent.group_wait_s, place),
        group_interval_s=_seconds(fields, "group_interval", parent.group_interval_s, place),
        repeat_interval_s=_seconds(fields, "repeat_interval", parent.repeat_interval_s, place),
    )
    if timers.repeat_interval_s < 60:
        raise _bad(
            f"{place}.repeat_interval",
            f"{timers.repeat_interval_s:g} s: at least 60 s, or receivers stop reading",
        )
    return timers


def _seconds(fields: Mapping[str, Any], name: str, inherited: float, place: str) -> float:
    value = fields.get(name)
    if value is None:
        return inherited
    try:
        seconds = float(value) if isinstance(value, int | float) else parse_duration_s(str(value))
    except ValueError as error:
        raise _bad(f"{place}.{name}", str(error)) from error
    if not 0 <= seconds <= 31 * 86400:
        raise _bad(f"{place}.{name}", f"{value!r}: 0 to 31 days")
    return seconds


def _matchers(text: str, more: Iterable[str], place: str) -> Matchers:
    try:
        return (*parse_matchers(text), *(each for part in more for each in parse_matchers(part)))
    except ValueError as error:
        raise _bad(f"{place}.match", str(error)) from error


def _windows(windows: Iterable[Mapping[str, Any]], place: str) -> tuple[Schedule, ...]:
    try:
        return tuple(parse_schedule(fields) for fields in windows)
    except ValueError as error:
        raise _bad(place, str(error)) from error


def _bad(place: str, sentence: str) -> Malformed:
    return Malformed("bad_setting", f"{place}: {sentence}", place)
