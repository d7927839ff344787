"""Which rules fire without anybody taking it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from collector.alerting import history
from collector.alerting.evaluate import Alert, Change
from collector.alerting.noise import noisiest
from collector.state import State
from collector.state.tables import incident_alerts, incidents
from tests.collector.alerting.conftest import START


@pytest.fixture
def state(state_url):
    """Open a new state."""
    made = State(state_url)
    yield made
    made.close()


def alert(number: int, rule: str, fired_at: datetime, minutes: float | None) -> Alert:
    """Give an alert that lasted so long; None = it still fires."""
    ended = minutes is not None
    return Alert(
        id=f"{rule}-{number}",
        rule_id=rule,
        rule=rule.title(),
        fingerprint=f"{rule}-{number % 2}" if ended else f"{rule}-{number}-now",
        state="resolved" if ended else "firing",
        pending_since=fired_at,
        fired_at=fired_at,
        resolved_at=fired_at + timedelta(minutes=minutes) if ended else None,
        value=0.0,
        labels={},
        annotations={},
        instances=(),
        reason="",
        trace_id="",
    )


def keep(tx, *alerts):
    """Write alerts as the evaluator does."""
    history.apply(tx, [Change("pending", one, first=True) for one in alerts])


def acknowledge(tx, *ids):
    """Put alerts into an incident that somebody acknowledged."""
    row = {"id": "inc", "service": "s", "env": "", "title": "t", "severity": "", "state": "acknowledged"}
    times = {"opened_at": START, "acknowledged_at": START, "updated_at": START}
    tx.execute(insert(incidents).values(**row, **times, pinned={}))
    rows = [{"incident_id": "inc", "alert_id": one, "added_at": START, "evidence": []} for one in ids]
    tx.execute(insert(incident_alerts), rows)


def test_rules_are_ranked_by_what_nobody_took(state):
    """Unacknowledged first; short ones, durations and subjects are counted, the window and the limit hold."""
    with state.write() as tx:
        keep(tx, *[alert(n, "flappy", START + timedelta(hours=n), 1) for n in range(5)])
        keep(tx, *[alert(n, "real", START + timedelta(hours=n), 60) for n in range(6)])
        keep(
            tx,
            alert(9, "ignored", START, 60),
            alert(10, "ignored", START, 90),
            alert(11, "ignored", START, None),
        )
        keep(tx, alert(1, "old", START - timedelta(days=30), 1))
        acknowledge(tx, *[f"real-{n}" for n in range(5)])
    with state.read() as tx:
        flappy, ignored, real = noisiest(tx, START, START + timedelta(days=1), 10)
        (first,) = noisiest(tx, START, START + timedelta(days=1), 1)

    assert flappy == first
    assert flappy == {
        "rule": "Flappy",
        "rule_id": "flappy",
        "fired": 5,
        "acknowledged": 0,
        "unacknowledged": 5,
        "short": 5,
        "firing": 0,
        "subjects": 2,
        "mean_duration_s": 60.0,
        "last_fired_at": "2026-11-22T07:00:00.000000000Z",
        "advice": "5 of 5 ended within 5 minutes: give it a longer `for`",
    }
    assert (ignored["unacknowledged"], ignored["firing"], ignored["mean_duration_s"]) == (3, 1, 4500.0)
    assert ignored["advice"].startswith("nobody took 3 of 3: lower its severity")
    assert (real["fired"], real["acknowledged"], real["unacknowledged"], real["advice"]) == (6, 5, 1, "")


def test_a_quiet_week_has_no_noise(state):
    """Nothing fired, nothing to say."""
    with state.read() as tx:
        assert noisiest(tx, START, START + timedelta(days=7), 10) == []
