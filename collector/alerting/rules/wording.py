"""Labels and annotations of a rule, checked when its file is read: nobody finds a broken sentence at 3 a.m."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collector.alerting.expression import LABEL_NAME, SUBJECT_LABELS
from collector.alerting.rules.fields import RuleFields
from collector.alerting.rules.yamlfile import YamlFile
from collector.alerting.templates import check_template

METRIC_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
# instance is a label one can match on; an alert is about a breaker with all its instances.
ALERT_LABELS = tuple(label for label in SUBJECT_LABELS if label != "instance")

Place = tuple[str | int, ...]


def check_wording(
    file: YamlFile, place: Place, fields: RuleFields, labels: Mapping[str, str], kind: str
) -> None:
    """
    Check names and templates.

    Raises:
        Malformed: With file, line, place and the value that is wrong.
    """
    if fields.record and not METRIC_NAME.fullmatch(fields.record):
        raise file.error((*place, "record"), f"{fields.record!r} is not a metric name")
    # A breaker's labels are known beforehand; those of other kinds are what the answer has.
    own = SUBJECT_LABELS if kind == "breaker" else ()
    for name, text in labels.items():
        _check_label(file, (*place, "labels", name), name, text, kind, own)
    known = (*ALERT_LABELS, *labels) if kind == "breaker" else None
    for name, text in fields.annotations.items():
        _check_name(file, (*place, "annotations", name), name)
        _check_text(file, (*place, "annotations", name), text, known)


def _check_label(file: YamlFile, place: Place, name: str, text: str, kind: str, own: tuple[str, ...]) -> None:
    _check_name(file, place, name)
    if name == "__name__":
        raise file.error(place, "the name of what is recorded is its 'record'")
    if name in own:
        raise file.error(place, f"the breaker itself gives the label {name!r}; choose another name")
    # Labels are part of what a breaker's alert is: they may not change with its value.
    _check_text(file, place, text, ALERT_LABELS if kind == "breaker" else None, value=kind != "breaker")


def _check_name(file: YamlFile, place: Place, name: str) -> None:
    if not LABEL_NAME.fullmatch(name):
        raise file.error(place, f"{name!r} is not a label name: letters, digits, '_', not a digit first")


def _check_text(
    file: YamlFile, place: Place, text: str, labels: tuple[str, ...] | None, *, value: bool = True
) -> None:
    try:
        check_template(text, labels, value=value)
    except ValueError as error:
        raise file.error(place, f"{error}, got {text!r}") from error
