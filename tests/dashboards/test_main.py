"""The stand-alone server."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from dashboards.__main__ import is_loopback
from tests.conftest import eventually, free_port


def test_it_serves_pages_and_stops_when_told() -> None:
    """The process answers on its port, refuses foreign names, and ends with 0 on SIGTERM."""
    port = free_port()
    command = [sys.executable, "-m", "dashboards", "--collector", "http://127.0.0.1:9", "--port", str(port)]
    with subprocess.Popen(command) as process:
        try:
            page = eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/"))
            stranger = httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "evil.example"})
        finally:
            process.terminate()
        status = process.wait(timeout=60)

    assert "The collector does not answer" in page.text
    assert stranger.status_code == 400
    assert status == 0


@pytest.mark.parametrize(
    ("arguments", "key", "said"),
    [
        (["--collector", "collector:4318"], "", "--collector 'collector:4318': write a URL"),
        (["--collector", "http://c:4318", "--host", "0.0.0.0"], "k", "would let every visitor in"),
        ([], "", "--collector"),
    ],
)
def test_settings_that_make_no_sense_end_it_with_2(arguments: list[str], key: str, said: str) -> None:
    """The sentence names the setting; a key is never lent to the whole network by accident."""
    environment = {**os.environ, "FUSEBOARD_DASHBOARDS_KEY": key}

    done = subprocess.run(
        [sys.executable, "-m", "dashboards", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr


def test_loopback_is_recognised() -> None:
    """Only addresses of this machine count as loopback."""
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("dashboards.example")
