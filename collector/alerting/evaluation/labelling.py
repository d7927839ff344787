"""From a sample to the alert it would make: labels, name, fingerprint. Source: Prometheus rules/alerting.go, Eval."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from collector.alerting.kinds.asking import Sample
from collector.alerting.rules.rule import Rule
from collector.errors import QueryUnanswerable

ALERT_NAME, METRIC_NAME = "alertname", "__name__"


@dataclass(frozen=True, slots=True)
class Finding:
    """A label set whose condition holds: *sample* as it was answered, *labels* as the alert has them."""

    fingerprint: str
    labels: Mapping[str, str]
    sample: Sample


Fill = Callable[[str, Sample], str]


def labelled(rule: Rule, sample: Sample, fill: Fill) -> Finding:
    """
    Give the alert's labels: the sample's, then the rule's, filled; without empty ones.

    Args:
        rule: Whose labels win.
        sample: As answered.
        fill: Fills a template.
    """
    own = {name: fill(text, sample) if "{{" in text else text for name, text in rule.labels.items()}
    every = {**sample.labels, **own, **({} if rule.kind == "record" else {ALERT_NAME: rule.name})}
    labels = {name: value for name, value in every.items() if value and name != METRIC_NAME}
    return Finding(fingerprint(labels), labels, sample)


def findings(rule: Rule, samples: Sequence[Sample], fill: Fill, limit: int) -> dict[str, Finding]:
    """
    Give the findings by fingerprint.

    Raises:
        QueryUnanswerable: More than *limit* (0 = any), or two of the same labels.
    """
    if limit and len(samples) > limit:
        raise QueryUnanswerable(
            "rule_limit", f"the rule yields {len(samples)} alerts, its group's limit is {limit}"
        )
    found: dict[str, Finding] = {}
    for sample in samples:
        finding = labelled(rule, sample, fill)
        if finding.fingerprint in found:
            raise QueryUnanswerable(
                "same_labels",
                f"two results have the same labels {dict(finding.labels)} once the rule's are applied; keep a label that differs",
            )
        found[finding.fingerprint] = finding
    return found


def fingerprint(labels: Mapping[str, str]) -> str:
    """Give the name of a label set: 16 hex digits."""
    text = json.dumps(sorted(labels.items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
