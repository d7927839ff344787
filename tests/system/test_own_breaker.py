"""The agent's own breaker on the board of a real collector that was away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
RULES = """
groups:
  - name: any
    rules:
      - alert: BreakerOpen
        breaker: open for 1s
"""


def test_an_outage_is_on_the_board_and_wakes_nobody(
    serve: Callable[..., Any], tmp_path: Path, poll: Callable[..., Any]
) -> None:
    """After an outage the board says that the agent's breaker opened and closed again; a rule on open breakers did not fire."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    served = serve(f'rule_files = ["{rules}"]\n')
    log = tmp_path / "app.log"
    log.write_text(json.dumps({"msg": "before"}) + "\n")
    (tmp_path / "agent.toml").write_text(
        f'collector = "{served.url}"\ndata_dir = "{tmp_path}/agent"\nname = "sidecar"\nreport_interval_s = 1\n'
        '[resource]\n"service.name" = "orders"\n[breaker]\nfailures = 2\nopen_s = 1\n'
        f'[[files]]\npaths = ["{log}"]\nstart_at = "beginning"\n'
    )
    command = [sys.executable, "-m", "agents", "--config", str(tmp_path / "agent.toml")]
    said = tmp_path / "agent.log"
    with said.open("wb") as out:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        agent = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        poll(lambda: served.data("/logs", query="before"))
        served.kill()
        with log.open("a") as file:
            file.write(json.dumps({"msg": "during"}) + "\n")
        poll(lambda: '"state": "open"' in said.read_text())
        served.start()
        poll(lambda: served.data("/logs", query="during"))
        transitions = poll(lambda: served.data("/breakers/transitions"))
        board = served.data("/breakers")
    finally:
        agent.terminate()
        agent.wait(60)

    steps = [(it["from"], it["to"]) for it in transitions]
    assert steps == [("half_open", "closed"), ("open", "half_open"), ("closed", "open")]
    (breaker,) = board
    assert (breaker["service"], breaker["breaker"], breaker["target"]) == (
        "orders",
        "fuseboard-collector",
        served.url,
    )
    assert (breaker["state"], breaker["instances"][0]["instance"]) == ("closed", "sidecar")
    assert [alert for alert in served.data("/alerts") if alert["state"] == "firing"] == []
