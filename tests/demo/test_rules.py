"""The alert rule that comes with the shop."""

from __future__ import annotations

from pathlib import Path

import yaml

import demo


def test_the_rule_pages_when_a_breaker_stays_open() -> None:
    """One group, one rule, in the shape of a Prometheus rule file."""
    text = (Path(demo.__file__).parent / "rules.yaml").read_text()

    (group,) = yaml.safe_load(text)["groups"]
    (rule,) = group["rules"]
    assert (group["name"], rule["alert"], rule["breaker"]) == ("demo", "BreakerOpen", "open for 15s")
    assert rule["labels"] == {"severity": "page"}
    assert rule["annotations"]["summary"]
