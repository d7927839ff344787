"""
What docker-compose.yml starts, started here: its commands, options and environments, with this machine's ports and directories.

Where the file has a ClickHouse server, the engine child stands: it speaks the same HTTP interface.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import eventually, free_port
from tests.contract import compose
from tests.contract.compose import ROOT

SECRET = "given"  # what compose.environment() puts in the place of every variable
BEARER = {"authorization": f"Bearer {SECRET}"}


@contextmanager
def running(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours; it is to end with 0 on SIGTERM."""
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            status = process.wait(timeout=60)
    assert status == 0


def here(name: str, replaced: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a service, places in the container replaced by places here."""
    service = compose.services()[name]
    program, *arguments = compose.command(service)
    words = [sys.executable, *(["-m", "collector"] if program == "fuseboard" else []), *arguments]
    places = re.compile(
        "|".join(map(re.escape, replaced))
    )  # all at once: a port may hold the digits of another

    def placed(text: str) -> str:
        return places.sub(lambda found: replaced[found[0]], text)

    return [*map(placed, words)], {key: placed(value) for key, value in compose.environment(service).items()}


@contextmanager
def clickhouse(folder: Path) -> Iterator[int]:
    """The engine child in the place of the server; yields its port."""
    command = [sys.executable, "-m", "collector.engine.server", "--path", str(folder), "--watch-stdin"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"FUSEBOARD_ENGINE_SECRET": SECRET},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


@pytest.mark.system
def test_migrate_collector_and_dashboards_work_together(tmp_path: Path) -> None:
    """The schema is applied, a line sent with the key is read with it, and a page asks for it."""
    ports = {name: free_port() for name in ("collector", "dashboards")}
    with ExitStack() as stack:
        engine = stack.enter_context(clickhouse(tmp_path / "clickhouse"))
        replaced = {
            "@clickhouse:8123/fuseboard": f"@127.0.0.1:{engine}/default",
            "http://collector:4318": f"http://127.0.0.1:{ports['collector']}",
            "4318": str(ports["collector"]),
            "4319": str(ports["dashboards"]),
            "/var/lib/fuseboard": str(tmp_path / "data"),
            "/etc/fuseboard/rules.yaml": str(ROOT / "demo" / "rules.yaml"),
        }
        command, environ = here("migrate", replaced)
        migrated = subprocess.run(
            command, cwd=ROOT, env=os.environ | environ, check=True, capture_output=True
        )
        for name in ports:
            stack.enter_context(running(*here(name, replaced)))
        collector = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{ports['collector']}", timeout=60)
        )
        pages = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{ports['dashboards']}", timeout=60)
        )
        health = {name: compose.health_url(compose.services()[name])[1] for name in ports}
        eventually(lambda: collector.get(health["collector"]).status_code == 200, 60)
        eventually(lambda: pages.get(health["dashboards"]).status_code == 200, 60)
        sent = collector.post(
            "/v1/lines",
            content=b'{"level":"error","message":"card refused"}\n',
            headers=BEARER | {"fuseboard-resource": "service.name=payment", "host": "collector:4318"},
        )
        rows = eventually(lambda: collector.get("/api/v1/logs", headers=BEARER).json()["data"])
        stranger, visitor = pages.get("/logs"), pages.get("/logs", auth=("anybody", SECRET))

    assert migrated.stdout.startswith(b"applied 001")
    assert sent.json()["lines"] == 1
    assert [(row["service"], row["body"]) for row in rows] == [("payment", "card refused")]
    assert stranger.status_code == 401
    assert "card refused" in visitor.text
