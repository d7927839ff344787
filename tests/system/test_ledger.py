"""The ledger of a real agent and a real collector: any range, in blocks and in bytes, over an outage and with lines taken out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(200)]

ROOT = Path(__file__).parents[2]
_SUMS = ("emitted", "stored", "emitted_bytes", "stored_bytes", "stored_rows")


def _agent(folder: Path, log: Path, collector: str) -> subprocess.Popen[bytes]:
    config = folder / "agent.toml"
    config.write_text(
        f'collector = "{collector}"\ndata_dir = "{folder / "agent"}"\nreport_interval_s = 0.5\n'
        f'[resource]\n"service.name" = "orders"\n[filter]\nexclude = ["healthz"]\n'
        f'[[files]]\npaths = ["{log}"]\nstart_at = "beginning"\n'
    )
    command = [sys.executable, "-m", "agents", "--config", str(config)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FUSEBOARD_", "OTEL_"))}
    with (folder / "agent.log").open("ab") as out:
        return subprocess.Popen(
            command, cwd=ROOT, env={**kept, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out
        )


def _write(log: Path, first: int, lines: int) -> None:
    """Write in small steps, so that there are many blocks; every fourth line is to be taken out."""
    with log.open("a", buffering=1) as out:
        for number in range(first, first + lines):
            out.write(f"GET /healthz {number}\n" if number % 4 == 0 else f"order {number} stored\n")
            time.sleep(0.01)


def _row(served: Any, **asked: str) -> dict[str, Any] | None:
    rows = [row for row in served.data("/ledger", service="orders", **asked) if row["signal"] == "logs"]
    return rows[0] if rows else None


def _settled(served: Any, log: Path) -> dict[str, Any] | None:
    row = _row(served)
    whole = row is not None and row["emitted_bytes"] == log.stat().st_size and not row["in_flight"]
    return row if whole else None


def _assert_sum(row: dict[str, Any]) -> None:
    for unit in ("", "_bytes"):
        parts = row[f"stored{unit}"] + row[f"rejected{unit}"] + row[f"in_flight{unit}"]
        assert row[f"emitted{unit}"] == parts + sum(row[f"dropped{unit}"].values()), row


def test_the_sum_holds_for_any_range_over_an_outage_and_with_lines_taken_out(
    serve: Callable[..., Any], poll: Callable[..., Any], tmp_path: Path
) -> None:
    """Blocks written while the collector was dead belong to the time they were read at, and adjoining ranges add up to the whole."""
    served, log = serve(), tmp_path / "orders.log"
    log.touch()
    agent = _agent(tmp_path, log, served.url)
    cuts = []
    try:
        _write(log, 0, 150)
        cuts.append(datetime.now(UTC))
        served.kill()
        _write(log, 150, 150)
        cuts.append(datetime.now(UTC))
        served.start()
        _write(log, 300, 100)
        whole = poll(lambda: _settled(served, log), within_s=90)
        texts = [cut.isoformat() for cut in cuts]
        parts = [
            _row(served, end=texts[0]),
            _row(served, start=texts[0], end=texts[1]),
            _row(served, start=texts[1]),
        ]
    finally:
        agent.terminate()
        agent.wait(60)

    taken_out = [line for line in log.read_text().splitlines(keepends=True) if "healthz" in line]
    assert sum(whole["dropped_lines"].values()) == len(taken_out)
    assert sum(whole["dropped_bytes"].values()) == sum(map(len, taken_out))
    assert whole["stored_rows"] == 400 - len(taken_out)
    assert (whole["gaps"], whole["overlaps"], whole["quarantined"], whole["lost_from_before"]) == (
        [],
        [],
        0,
        0,
    )
    found = [part for part in parts if part is not None]
    for row in (whole, *found):
        _assert_sum(row)
    totals: Counter[str] = Counter()
    for part in found:
        totals.update({name: part[name] for name in _SUMS})
    assert dict(totals) == {name: whole[name] for name in _SUMS}
