"""What ``/api/v1/alerts`` answers: of which rule, and all that the model names."""

from __future__ import annotations

import pytest

from collector.alerting.history import AlertsWanted
from collector.api.v1.alerts import Alert, AlertsAsked

TWO = """\
groups:
  - name: breakers
    rules:
      - alert: Open
        breaker: 'open for 0s {env="demo"}'
      - alert: OpenLong
        breaker: 'open for 60s {env="demo"}'
"""


@pytest.fixture
def alerting(start, rule_file, breakers):
    """One breaker is open: an alert of one rule fires, another's is pending."""
    rule_file.write_text(TWO)
    breakers.set()
    alerting = start()
    alerting.round()
    return alerting


def test_alerts_are_asked_for_by_rule(alerting):
    """Living ones and those that ended, of that rule alone; an unknown rule has none."""
    ids = {rule["name"]: rule["id"] for rule in alerting.rules()}

    def of(rule_id: str, **more: str) -> list[tuple[str, str]]:
        found = alerting.alerts(AlertsWanted(rule_id=rule_id, **more))
        return [(one["rule"], one["state"]) for one in found]

    assert of(ids["Open"]) == [("Open", "firing")]
    assert of(ids["OpenLong"]) == [("OpenLong", "pending")]
    assert of(ids["Open"], state="pending") == []
    assert of(ids["Open"], state="resolved") == []
    assert of("nobody") == []
    assert len(of("")) == 2


def test_the_rule_of_a_request_is_what_is_wanted():
    """The parameter is called as the field is."""
    assert AlertsAsked(rule_id="r1", state="resolved").wanted(0).rule_id == "r1"


def test_an_alert_has_what_its_model_names(alerting):
    """Every field that is answered stands in the OpenAPI, and every one there is answered."""
    (one, *_) = alerting.alerts()

    assert set(one) == set(Alert.model_fields)
    Alert.model_validate(one)
