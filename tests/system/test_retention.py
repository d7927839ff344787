"""Rules of retention and the disk budget in a running collector: what is stored, what goes, what is said, and that lines are taken meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(200)]

RULES = 'canary_interval_s = 0\n[[retention]]\ndays = 7\nenv = "dev"\n[[retention]]\ndays = 3\nsignal = "logs"\nservice = "chatty"\n'
MORE_THAN_THERE_IS = f"disk_free_bytes = {1 << 50}\n"


def _post(served: Any, service: str, env: str, days: int) -> int:
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    headers = {"Fuseboard-Resource": f"service.name={service},deployment.environment.name={env}"}
    status: int = served.client.post(
        "/v1/lines", content=json.dumps({"time": at, "msg": "x"}), headers=headers
    ).status_code
    return status


def _disk(served: Any) -> dict[str, Any]:
    found: dict[str, Any] = served.client.get("/api/v1/pipeline").json()["data"][0]["disk"]
    return found


def _days_ago(served: Any) -> dict[str, int]:
    """Service and environment -> how many days its line lies back."""
    found = served.data("/logs", start="now-30d", limit=100)
    now = datetime.now(UTC)
    return {
        f"{row['service']} {row['env']}": (now - datetime.fromisoformat(row["occurred_at"][:19] + "Z")).days
        for row in found
    }


def test_rows_are_kept_by_rule_and_the_oldest_go_when_the_disk_is_short(
    serve: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """Old lines keep their time within their own days; started again on a disk that is too full, past days go and today stays."""
    served = serve(RULES)
    senders = (("chatty", "prod", 5), ("cart", "dev", 5), ("cart", "prod", 20))
    assert {_post(served, *sender) for sender in senders} == {200}
    kept = poll(lambda: len(found := _days_ago(served)) == 3 and found)
    served.stop()
    config = served.folder / "fuseboard.toml"
    config.write_text(MORE_THAN_THERE_IS + config.read_text())
    served.start()

    poll(lambda: len(_days_ago(served)) == 1)
    accepted = _post(served, "cart", "prod", 0)
    left = poll(lambda: len(found := _days_ago(served)) == 2 and found)
    served.kill_engine()
    dropped = [it for it in _disk(served)["dropped"] if it["table"] == "logs"]
    page = served.client.get("/pipeline").text

    assert kept == {"chatty prod": 0, "cart dev": 5, "cart prod": 20}
    assert [it["partition"].rpartition(",")[2] for it in reversed(dropped)] == ["30)", "7)"]
    assert {it["reason"] for it in dropped} == {"free_bytes"}
    assert (accepted, left) == (200, {"chatty prod": 0, "cart prod": 0})
    assert '"event": "partition_dropped"' in served.log()
    assert "dropped early to make room" in page
