"""Kill the collector and its engine in the middle of load; compare sets."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

_BLOCKS = 60
_LINES = 40


def _block(number: int) -> bytes:
    return b"".join(
        b'{"level":"info","msg":"order %d-%d stored","unique":"u-%d-%d"}\n' % (number, line, number, line)
        for line in range(_LINES)
    )


def _send_until_acknowledged(served: Any, number: int, give_up: float) -> None:
    headers = {
        "Fuseboard-Resource": f"service.name=svc-{number % 3},deployment.environment.name=test",
        "Idempotency-Key": f"block-{number}",
    }
    with httpx.Client(base_url=served.url, timeout=10.0) as client:
        while time.monotonic() < give_up:
            try:
                answer = client.post("/v1/lines", content=_block(number), headers=headers)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                return
            assert answer.status_code in {429, 503}, answer.text
            time.sleep(0.05)
    pytest.fail(f"block {number} was never acknowledged")


def test_every_acknowledged_line_is_stored_once_whatever_is_killed(
    serve: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """SIGKILL of collector and engine at random moments under load: every line once, rollups equal to the base table."""
    served = serve()
    rng = random.Random(11)
    give_up = time.monotonic() + 150
    sent = threading.Event()

    def produce() -> None:
        for number in range(_BLOCKS):
            _send_until_acknowledged(served, number, give_up)
            time.sleep(0.05)
        sent.set()

    producer = threading.Thread(target=produce)
    producer.start()
    kills = {"collector": 0, "engine": 0}
    while not sent.wait(rng.uniform(0.2, 1.2)) and time.monotonic() < give_up:
        if rng.random() < 0.5:
            served.kill()
            served.start(wait=False)
            poll(lambda: served.client.get("/healthz").status_code == 200)
            kills["collector"] += 1
        else:
            try:
                served.kill_engine()
                kills["engine"] += 1
            except (httpx.HTTPError, ProcessLookupError, TypeError):
                continue  # it is just starting: nothing to kill
    producer.join()
    served.wait_ready()
    expected = {f"u-{number}-{line}" for number in range(_BLOCKS) for line in range(_LINES)}

    def waiting() -> bool:
        state = served.data("/pipeline")[0]
        return bool(state["engine"]["state"] == "up" and state["journal"]["segments_waiting"] == 0)

    poll(waiting, within_s=60)
    assert served.stop() == 0
    rows = served.tables("SELECT attributes['unique'] AS u, count() AS n FROM logs GROUP BY u")

    assert sent.is_set()
    assert kills["collector"] >= 2
    assert kills["engine"] >= 2
    assert {row["u"] for row in rows} == expected
    assert {int(row["n"]) for row in rows} == {1}
    assert _count(served, "SELECT sum(records) AS n FROM log_minutes") == len(expected)
    assert _count(served, "SELECT sum(rows) AS n FROM batch_rows WHERE target = 'logs'") == len(expected)
    assert _count(served, "SELECT count() AS n FROM batches") == _BLOCKS
    assert _count(served, "SELECT sum(records) AS n FROM batches") == len(expected)


def _count(served: Any, sql: str) -> int:
    return int(served.tables(sql)[0]["n"])


def test_lines_are_accepted_while_the_engine_is_dead(
    serve: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """With the engine gone a line still gets its 2xx, the pipeline says so, and the line is there once it is back."""
    served = serve()
    served.kill_engine()

    answer = served.client.post("/v1/lines", content=b"written while the engine was away")
    states = [served.engine()["state"]]

    assert answer.status_code == 200
    poll(lambda: served.engine()["restarts"] >= 1)
    assert served.engine()["last_error"]
    found = poll(lambda: served.data("/logs", query='"engine was away"'), within_s=30)
    assert len(found) == 1
    assert states
