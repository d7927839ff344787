"""One service, or the load, as a process of its own: how containers start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def payment(tmp_path: Path, free_ports: list[int]) -> Iterator[subprocess.Popen[str]]:
    """The payment service, configured by its environment alone, its lines on stdout."""
    port, control = map(str, free_ports)
    env = {**os.environ, "DEMO_PORT": port, "DEMO_CONTROL_PORT": control, "DEMO_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "demo", "service", "payment"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_service_runs_alone_and_ends_on_sigterm(payment: Any, free_ports: list[int]) -> None:
    """It says when it serves, answers, and on SIGTERM says goodbye and exits 0."""
    started = json.loads(payment.stdout.readline())
    order = {"order": "o-1", "user": "u-1", "card": "card-1", "cents": 100}

    answer = httpx.post(f"http://127.0.0.1:{free_ports[0]}/v1/payments", json=order)
    payment.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in payment.communicate(timeout=60)[0].splitlines()]

    assert started["event"] == "service_started"
    assert answer.status_code == 201
    assert [line["event"] for line in lines] == ["payment_taken", "request_handled", "service_stopped"]
    assert len(lines[0]["trace_id"]) == 32
    assert payment.returncode == 0


def test_a_service_continues_the_callers_trace(payment: Any, free_ports: list[int]) -> None:
    """A W3C traceparent becomes the trace of what the service logs."""
    json.loads(payment.stdout.readline())
    trace = "0af7651916cd43dd8448eb211c80319c"
    order = {"order": "o-1", "user": "u-1", "card": "declined-1", "cents": 100}

    httpx.post(
        f"http://127.0.0.1:{free_ports[0]}/v1/payments",
        json=order,
        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
    )

    assert json.loads(payment.stdout.readline())["trace_id"] == trace


def test_the_load_ends_after_its_duration_and_counts_what_failed(
    run_demo: Any, free_ports: list[int]
) -> None:
    """Against a gateway that is not there every request is a counted failure, not a crash."""
    gateway = f"http://127.0.0.1:{free_ports[0]}"

    ended = run_demo("load", "--gateway", gateway, "--duration", "0.5", "--rate", "50")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["answers"].keys() == {"ConnectError"}
