"""``rules`` and ``alerts``: our own alerting in Prometheus' shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collector.alerting.history import AlertsWanted
from collector.api.prometheus.answers import Said, said
from collector.api.prometheus.form import Form
from collector.api.prometheus.parts import PrometheusParts
from collector.errors import QueryError
from collector.read.sql import Reader

# Go's zero time: not evaluated, or all the time.
_NEVER = "0001-01-01T00:00:00Z"
# Prometheus tells of all.
_ALL = AlertsWanted(limit=100_000)
_LIVING = frozenset({"pending", "firing"})


def alerts(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``alerts``: those pending and firing."""
    del reader, form
    return said({"alerts": [_alert(alert) for alert in _living(parts)]})


def rules(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``rules``: all groups with their rules, narrowed by ``type``, ``rule_name[]``, ``rule_group[]``, ``file[]``."""
    del reader
    kind = form.text("type").lower()
    if kind not in {"", "alert", "record"}:
        raise QueryError("bad_parameter", f'invalid parameter "type": not supported value "{kind[:100]}"', "type")  # fmt: skip
    living: dict[str, list[Mapping[str, Any]]] = {}
    for alert in () if form.flag("exclude_alerts") else _living(parts):
        living.setdefault(str(alert["rule_id"]), []).append(alert)
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for rule in parts.alerts.rules():
        if kind in {"", _type(rule)} and _wanted(form, rule):
            home = (str(rule.get("file", "")), str(rule.get("group", "")))
            groups.setdefault(home, []).append(rule)
    return said({"groups": [_group(file, name, told, living) for (file, name), told in groups.items()]})


def _living(parts: PrometheusParts) -> Iterable[Mapping[str, Any]]:
    return (alert for alert in parts.alerts.alerts(_ALL) if alert["state"] in _LIVING)


def _wanted(form: Form, rule: Mapping[str, Any]) -> bool:
    chosen = {"rule_name[]": "name", "rule_group[]": "group", "file[]": "file"}
    return all(
        not form.texts(param) or str(rule.get(key, "")) in form.texts(param) for param, key in chosen.items()
    )


def _type(rule: Mapping[str, Any]) -> str:
    return "record" if rule.get("kind") == "record" else "alert"


def _group(
    file: str, name: str, told: Sequence[Mapping[str, Any]], living: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    evaluated = max((str(rule.get("last_evaluation") or "") for rule in told), default="")
    return {
        "name": name,
        "file": file,
        "rules": [_rule(rule, living.get(str(rule["id"]), ())) for rule in told],
        "interval": told[0].get("interval_s", 1),
        "limit": told[0].get("limit", 0),
        "evaluationTime": round(sum(rule.get("evaluation_s", 0) for rule in told), 6),
        "lastEvaluation": evaluated or _NEVER,
    }


def _rule(rule: Mapping[str, Any], living: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = {
        "labels": dict(rule.get("labels") or {}),
        "health": rule.get("health", "ok"),
        "evaluationTime": rule.get("evaluation_s", 0),
        "lastEvaluation": rule.get("last_evaluation") or _NEVER,
        **({"lastError": rule["last_error"]} if rule.get("last_error") else {}),
    }
    if _type(rule) == "record":
        return {"name": rule["name"], "query": rule["expr"], **last, "type": "recording"}
    return {
        "state": rule["state"],
        "name": rule["name"],
        "query": rule["expr"],
        "duration": rule["for_s"],
        "keepFiringFor": rule.get("keep_firing_for_s", 0),
        "annotations": dict(rule.get("annotations") or {}),
        "alerts": [_alert(alert) for alert in living],
        **last,
        "type": "alerting",
    }


def _alert(alert: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "labels": {"alertname": alert["rule"], **alert["labels"]},
        "annotations": dict(alert.get("annotations") or {}),
        "state": alert["state"],
        "activeAt": alert["since"],
        "value": _value(float(alert["value"])),
    }


def _value(value: float) -> str:
    """Write *value* with an exponent and the fewest digits that read back as the same number."""
    texts = (f"{value:.{digits}e}" for digits in range(17))
    return next(text for text in texts if float(text) == value or text == f"{value:.16e}")
