"""
Rule files: Prometheus' shape, with ``breaker:`` where Prometheus has ``expr:``.

::

    groups:
      - name: breakers
        rules:
          - alert: BreakerOpen
            breaker: 'open for 15s {env="demo"}'
            labels: {severity: page}
            annotations:
              summary: "{{ $labels.service }} has lost {{ $labels.target }} for {{ $value }} s"

A rule's identity is its group, name, matchers and labels: changing its duration or its words keeps
living alerts, changing whom it watches begins anew. Two rules with one identity are an error.
Source: Prometheus documentation, "Alerting rules".
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collector.alerting.expression import SUBJECT_LABELS, BreakerExpression, Matcher, parse_expression
from collector.alerting.rulefile import YamlFile, read_yaml
from collector.alerting.templates import check_template
from collector.errors import Malformed

LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# instance is a label one can match on; an alert is about a breaker with all its instances.
ALERT_LABELS = tuple(label for label in SUBJECT_LABELS if label != "instance")


@dataclass(frozen=True)
class Rule:
    """One checked rule."""

    id: str
    name: str
    group: str
    expr: str
    for_s: float
    matchers: tuple[Matcher, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    kind: str = "breaker"

    @property
    def severity(self) -> str:
        """The label of that name, "" if none."""
        return self.labels.get("severity", "")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class _RuleModel(_Strict):
    alert: str = Field(min_length=1)
    breaker: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _GroupModel(_Strict):
    name: str = Field(min_length=1)
    rules: list[_RuleModel]


class _FileModel(_Strict):
    groups: list[_GroupModel]


def load_rules(patterns: Sequence[str]) -> tuple[Rule, ...]:
    """
    Read every rule of every file.

    Args:
        patterns: Paths, or globs (``rules/*.yaml``) in the order of their names.

    Raises:
        Malformed: With file, line, place and the value that is wrong (``bad_rule``).
    """
    rules: dict[str, Rule] = {}
    for path in _paths(patterns):
        file = read_yaml(path)
        for place, rule in _rules(file):
            if rule.id in rules:
                raise file.error(
                    place,
                    f"rule {rule.name!r} is there twice (same group, matchers and labels): give one another label",
                )
            rules[rule.id] = rule
    return tuple(rules.values())


def _paths(patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        paths = [pattern] if not glob.has_magic(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not paths:
            raise Malformed("bad_rule", f"rule_files: {pattern!r} matches no file", "rule_files")
        yield from map(Path, paths)


def _rules(file: YamlFile) -> Iterator[tuple[tuple[str | int, ...], Rule]]:
    for group_index, group in enumerate(_validated(file).groups):
        for rule_index, model in enumerate(group.rules):
            place = ("groups", group_index, "rules", rule_index)
            yield place, _rule(file, place, group.name, model)


def _validated(file: YamlFile) -> _FileModel:
    try:
        return _FileModel.model_validate(file.data)
    except ValidationError as error:
        # A misspelt field also leaves its own field missing: name the misspelling.
        errors = error.errors(include_url=False)
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        location = tuple(first["loc"])
        sentence = first["msg"]
        if first["type"] == "extra_forbidden":
            sentence = f"unknown field; known here: {', '.join(_known_fields(location))}"
        raise file.error(location, f"{sentence}, got {first['input']!r}") from error


def _known_fields(location: tuple[str | int, ...]) -> tuple[str, ...]:
    """Give the fields of the mapping that holds *location*: file, group (groups.0.x) or rule."""
    if len(location) == 1:
        return tuple(_FileModel.model_fields)
    return tuple(_GroupModel.model_fields if len(location) == 3 else _RuleModel.model_fields)


def _rule(file: YamlFile, place: tuple[str | int, ...], group: str, model: _RuleModel) -> Rule:
    try:
        expression = parse_expression(model.breaker)
    except ValueError as error:
        raise file.error((*place, "breaker"), f"{error}, got {model.breaker!r}") from error
    for name, text in model.labels.items():
        _check_label(file, (*place, "labels", name), name, text)
    for name, text in model.annotations.items():
        _check_text(file, (*place, "annotations", name), text, (*ALERT_LABELS, *model.labels))
    return Rule(
        id=_identity(group, model, expression),
        name=model.alert,
        group=group,
        expr=model.breaker.strip(),
        for_s=expression.for_s,
        matchers=expression.matchers,
        labels=model.labels,
        annotations=model.annotations,
    )


def _check_label(file: YamlFile, place: tuple[str | int, ...], name: str, text: str) -> None:
    if not LABEL_NAME.fullmatch(name):
        raise file.error(place, f"{name!r} is not a label name: letters, digits, '_', not a digit first")
    if name in SUBJECT_LABELS:
        raise file.error(place, f"the breaker itself gives the label {name!r}; choose another name")
    # Labels are part of what an alert is: they may not change with its value.
    _check_text(file, place, text, ALERT_LABELS, value=False)


def _check_text(
    file: YamlFile, place: tuple[str | int, ...], text: str, labels: Sequence[str], *, value: bool = True
) -> None:
    try:
        check_template(text, labels, value=value)
    except ValueError as error:
        raise file.error(place, f"{error}, got {text!r}") from error


def _identity(group: str, model: _RuleModel, expression: BreakerExpression) -> str:
    watched = sorted((m.label, m.operator, m.value) for m in expression.matchers)
    text = json.dumps(["breaker", group, model.alert, watched, model.labels], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
