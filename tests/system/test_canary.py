"""The canary of a running collector: through the real front door, with and without keys, over kills."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(200)]


def _canary(served: Any, **headers: str) -> dict[str, Any]:
    answer = served.client.get("/api/v1/pipeline", headers=headers)
    found: dict[str, Any] = answer.json()["data"][0]["canary"]
    return found


def test_the_canary_goes_through_kills_and_is_no_service(
    serve: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """SIGKILL of engine and collector: nothing missing, nothing twice, its ledger adds up, and no list shows it."""
    served = serve("canary_interval_s = 0.5\n")
    poll(lambda: _canary(served)["state"] == "ok")
    served.kill_engine()
    poll(lambda: _canary(served)["state"] in ("waiting", "ok"))
    before = _canary(served)["sent"]
    served.kill()
    served.start()

    after = poll(
        lambda: (it := _canary(served))["state"] == "ok" and it["sent"] > before + 4 and it, within_s=60
    )
    named = served.data("/logs", query="canary", limit=1000)
    row = poll(lambda: served.data("/ledger", service="fuseboard"))[0]
    metrics = served.client.get("/metrics").text

    assert (after["missing"], after["duplicated"]) == (0, 0)
    numbers = [int(log["attributes"]["canary.number"]) for log in named]
    assert len(numbers) == len(set(numbers)) > before
    assert served.data("/services") == served.data("/logs") == served.data("/agents") == []
    assert [each["service"] for each in served.data("/services/fuseboard")] == ["fuseboard"]
    assert row["agent"] == f"canary-{after['instance']}"
    assert row["emitted"] == row["stored"] + row["in_flight"]
    assert (row["gaps"], row["overlaps"]) == ([], [])
    assert re.search(r"fuseboard_canary_missing 0\.0", metrics)


def test_the_canary_has_a_key_of_its_own_where_keys_are_required(
    serve: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """Nobody has to make one for it."""
    served = serve('canary_interval_s = 0.5\nadmin_key = "a-secret"\n')

    state = poll(lambda: (it := _canary(served, authorization="Bearer a-secret"))["state"] == "ok" and it)

    assert state["latency_s"] > 0
