"""
Rule files -> groups, checked.

::

    groups:
      - name: checkout
        interval: 30s
        rules:
          - alert: ManyErrors
            expr: 'sum by (service) (rate(errors_total[5m])) > 5'
            for: 2m
            labels: {severity: page}
            annotations:
              summary: "{{ $labels.service }}: {{ $value | humanize }} errors a second"
          - alert: BreakerOpen
            breaker: 'open for 15s {env="demo"}'

A rule's identity is its kind, group, name and labels, and of a breaker's whom it watches: changing its expression, duration or words keeps living
alerts. Of several with one identity (Prometheus allows them) each is known by its place among them, too.
Source: Prometheus documentation, "Alerting rules", "Recording rules".
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from collector.alerting.expression import parse_duration_s, parse_expression
from collector.alerting.kinds import read_asking
from collector.alerting.rules.fields import KINDS, FileFields, GroupFields, RuleFields, written
from collector.alerting.rules.rule import Group, Rule
from collector.alerting.rules.wording import check_wording
from collector.alerting.rules.yamlfile import YamlFile, read_yaml
from collector.errors import Malformed

Place = tuple[str | int, ...]


def load_groups(patterns: Sequence[str]) -> tuple[Group, ...]:
    """
    Read every group of every file.

    Args:
        patterns: Paths, or globs (``rules/*.yaml``) in the order of their names.

    Raises:
        Malformed: With file, line, place and the value that is wrong (``bad_rule``).
    """
    known: Counter[str] = Counter()
    return tuple(group for path in paths(patterns) for group in _groups(read_yaml(path), known))


def read_groups(path: Path, name: str) -> tuple[Group, ...]:
    """Read one file of ours, called *name*."""
    return tuple(_groups(replace(read_yaml(path), name=name), Counter()))


def load_rules(patterns: Sequence[str]) -> tuple[Rule, ...]:
    """Read every rule of every file, as `load_groups`."""
    return tuple(rule for group in load_groups(patterns) for rule in group.rules)


def paths(patterns: Sequence[str]) -> Iterator[Path]:
    """
    Give the files that *patterns* name.

    Raises:
        Malformed: A glob matches none.
    """
    for pattern in patterns:
        named = [pattern] if not glob.has_magic(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not named:
            raise Malformed("bad_rule", f"rule_files: {pattern!r} matches no file", "rule_files")
        yield from map(Path, named)


def _groups(file: YamlFile, known: Counter[str]) -> Iterator[Group]:
    names: set[str] = set()
    for index, fields in enumerate(_validated(file).groups):
        place: Place = ("groups", index)
        if fields.name in names:
            raise file.error((*place, "name"), f"group {fields.name!r} is there twice")
        names.add(fields.name)
        yield Group(
            name=fields.name,
            file=file.name,
            rules=tuple(
                _rule(file, (*place, "rules", number), fields, rule, known)
                for number, rule in enumerate(fields.rules)
            ),
            interval_s=_interval_s(file, place, fields),
            offset_s=_duration_s(file, (*place, "query_offset"), fields.query_offset),
            limit=fields.limit,
        )


def _interval_s(file: YamlFile, place: Place, fields: GroupFields) -> float | None:
    interval_s = _duration_s(file, (*place, "interval"), fields.interval)
    if interval_s is not None and interval_s < 1:
        raise file.error((*place, "interval"), f"at least 1s, got {fields.interval!r}")
    return interval_s


def _validated(file: YamlFile) -> FileFields:
    try:
        return FileFields.model_validate(file.data)
    except ValidationError as error:
        # A misspelt field also leaves its own field missing: name the misspelling.
        errors = error.errors(include_url=False)
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        location = tuple(first["loc"])
        sentence = first["msg"]
        if first["type"] == "extra_forbidden":
            sentence = f"unknown field; known here: {', '.join(written(_model_at(location)))}"
        raise file.error(location, f"{sentence}, got {first['input']!r}") from error


def _model_at(location: Place) -> type[BaseModel]:
    """Give the model of the mapping that holds *location*: file, group (groups.0.x) or rule."""
    if len(location) == 1:
        return FileFields
    return GroupFields if len(location) == 3 else RuleFields


def _rule(file: YamlFile, place: Place, group: GroupFields, fields: RuleFields, known: Counter[str]) -> Rule:
    kind, name = _kind(file, place, fields), fields.alert or fields.record or ""
    if fields.record:
        _check_record(file, place, fields)
    labels = {**group.labels, **fields.labels}
    check_wording(file, place, fields, labels, kind)
    read = _breaker if kind == "breaker" else _asked
    rule = read(file, place, group.name, fields, "record" if fields.record else kind, name, labels)
    count = known[rule.id]
    known[rule.id] += 1
    if not count:
        return rule
    if rule.asking is None:
        raise file.error(
            place, f"rule {name!r} is there twice (same group, matchers and labels): give one another label"
        )
    return _numbered(rule, count)


def _numbered(rule: Rule, count: int) -> Rule:
    return replace(rule, id=_digest(rule.id, count))


def _kind(file: YamlFile, place: Place, fields: RuleFields) -> str:
    if (fields.alert is None) == (fields.record is None):
        raise file.error(place, "a rule has either 'alert' or 'record'")
    if len(fields.kinds) != 1:
        had = " and ".join(fields.kinds) or "none"
        raise file.error(place, f"a rule has one of {', '.join(KINDS)}, got {had}")
    return fields.kinds[0]


def _check_record(file: YamlFile, place: Place, fields: RuleFields) -> None:
    """Refuse what only alerts have."""
    if fields.kinds != ("expr",):
        raise file.error(place, f"'record' needs 'expr', got {fields.kinds[0]!r}")
    for name in ("for", "keep_firing_for", "annotations"):
        if fields.model_fields_set & {name, f"{name}_"}:
            raise file.error((*place, name), "a recording rule has none")


def _breaker(
    file: YamlFile,
    place: Place,
    group: str,
    fields: RuleFields,
    kind: str,
    name: str,
    labels: Mapping[str, str],
) -> Rule:
    text = fields.breaker or ""
    if text.strip().startswith(("flapping", "stuck")):
        return _asked(file, place, group, fields, kind, name, labels)
    try:
        expression = parse_expression(text)
    except ValueError as error:
        raise file.error((*place, "breaker"), f"{error}, got {text!r}") from error
    watched = sorted((m.label, m.operator, m.value) for m in expression.matchers)
    return Rule(
        id=_digest("breaker", group, name, watched, labels),
        name=name,
        group=group,
        expr=text.strip(),
        for_s=expression.for_s,
        matchers=expression.matchers,
        labels=labels,
        annotations=fields.annotations,
        file=file.name,
        line=file.line(place),
    )


def _asked(
    file: YamlFile,
    place: Place,
    group: str,
    fields: RuleFields,
    kind: str,
    name: str,
    labels: Mapping[str, str],
) -> Rule:
    key = fields.kinds[0]
    try:
        asking, said_for_s = read_asking(key, fields)
    except ValueError as error:
        raise file.error((*place, key), f"{error}, got {getattr(fields, key)!r}") from error
    return Rule(
        id=_digest(kind, group, name, labels),
        name=name,
        group=group,
        expr=str(getattr(fields, key)).strip(),
        for_s=_duration_s(file, (*place, "for"), fields.for_) or said_for_s,
        matchers=(),
        labels=labels,
        annotations=fields.annotations,
        kind=kind,
        keep_firing_for_s=_duration_s(file, (*place, "keep_firing_for"), fields.keep_firing_for) or 0.0,
        file=file.name,
        line=file.line(place),
        asking=asking,
    )


def _duration_s(file: YamlFile, place: Place, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return 0.0 if text.strip() == "0" else parse_duration_s(text.strip())
    except ValueError as error:
        raise file.error(place, str(error)) from error


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()[:16]
