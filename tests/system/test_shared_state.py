"""Two collectors, one ClickHouse, one state: alerts are evaluated and sent by one of them, and by the other once that is dead."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Pager, Served, eventually
from tests.postgres import MISSING, Postgres, postgres
from tests.system.server import ClickHouse, url_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(MISSING, reason="PostgreSQL is not installed"),
]
_RULES = "groups:\n- name: g\n  rules:\n  - alert: Open\n    breaker: open for 1s\n"


@pytest.fixture
def shared() -> Iterator[Postgres]:
    """The state of both."""
    with postgres() as running:
        yield running


def transition(served: Served, to: str) -> None:
    """The breaker of one instance changes."""
    body = {
        "service": "till",
        "breaker": "stock",
        "instance": "i",
        "from": "closed",
        "to": to,
        "at": time.time(),
    }
    served.client.post(
        "/v1/breakers", content=json.dumps(body), headers={"content-type": "application/json"}
    ).raise_for_status()


def told(pager: Pager, kind: str) -> set[str]:
    """The ids of what was delivered; a repeat has the id of the first."""
    return {headers["webhook-id"] for headers, _ in pager.of_type(kind)}


def test_a_collector_starts_while_the_state_is_away(serve, tmp_path: Path, shared: Postgres) -> None:
    """It is ready, says what it lacks and stores what is sent; alerts begin once PostgreSQL is there, without a restart."""
    pager = Pager()
    (tmp_path / "rules.yaml").write_text(_RULES)
    secret = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
    shared.kill()
    try:
        served = serve(
            f'state = "{shared.url}"\nrule_files = ["{tmp_path}/rules.yaml"]\ndefault_rules = false\n'
            f'[[receivers]]\nname = "pager"\nurl = "{pager.url}"\nsecret = "{secret}"\nallow_private = true\n'
        )
        transition(served, "open")
        eventually(lambda: served.data("/breakers/transitions", service="till"))
        ready = served.client.get("/readyz")
        asked = served.client.get("/api/v1/alerts")
        shared.start()
        eventually(lambda: pager.of_type("alert.firing"), 90)
        after = eventually(lambda: served.client.get("/readyz").json()["degraded"] == [])
    finally:
        pager.close()

    assert ready.status_code == 200
    [degraded] = ready.json()["degraded"]
    assert degraded.startswith("state: ")
    assert "alerts wait" in degraded
    assert (asked.status_code, asked.json()["error"]["code"]) == (503, "state_unavailable")
    assert after


def test_one_collector_alerts_and_the_other_takes_over(serve, tmp_path: Path, shared: Postgres) -> None:
    """One delivery for the opening, from two collectors that both see it; SIGKILL of whoever sent it, and the other tells the end, once;
    without the state lines are taken and alerts wait.
    """
    clickhouse = ClickHouse(tmp_path / "clickhouse").start()
    pager = Pager()
    (tmp_path / "rules.yaml").write_text(_RULES)
    secret = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
    settings = (
        f'clickhouse = "{url_of(clickhouse.port)}"\nstate = "{shared.url}"\nrule_files = ["{tmp_path}/rules.yaml"]\ndefault_rules = false\n'
        f'[[receivers]]\nname = "pager"\nurl = "{pager.url}"\nsecret = "{secret}"\nallow_private = true\n'
    )
    try:
        both = [serve(settings), serve(settings)]
        for served in both:
            eventually(lambda served=served: served.engine()["state"] == "up")
        transition(both[0], "open")
        eventually(lambda: pager.of_type("alert.firing"), 90)
        opened = len(told(pager, "alert.firing"))
        seen = [eventually(lambda served=served: served.data("/alerts")) for served in both]
        (sender,) = [served for served in both if "alert_changed" in served.log()]
        (other,) = [served for served in both if served is not sender]
        sender.kill()
        transition(other, "closed")
        eventually(lambda: pager.of_type("alert.resolved"), 90)
        assert "alert_changed" in other.log()
        shared.kill()
        transition(other, "open")
        stored = eventually(lambda: len(other.data("/breakers/transitions", service="till")) == 3)
        ready = other.client.get("/readyz").status_code
        shared.start()
        eventually(lambda: len(told(pager, "alert.firing")) == 2, 90)
    finally:
        clickhouse.kill()
        pager.close()

    assert [row["state"] for rows in seen for row in rows] == ["firing", "firing"]
    assert (stored, ready) == (True, 200)
    assert opened == 1
    # A delivery whose outcome could not be written is made again, under its own id.
    assert len(told(pager, "alert.resolved")) == 1
