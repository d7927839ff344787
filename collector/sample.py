"""
The sample shop beside the collector: ``fuseboard up --demo``.

The shop is a program of its own (``python -m demo``), started as a child that ends with us; nothing of it is imported.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import typer

from collector.settings import Settings

_STOP_S = 25


def rule_file() -> Path:
    """Return the shop's alert rules."""
    spec = importlib.util.find_spec("demo")
    if spec is None or not spec.submodule_search_locations:
        raise typer.BadParameter(
            "the sample shop is not installed; install fuseboard[demo]", param_hint="--demo"
        )
    return Path(spec.submodule_search_locations[0]) / "rules.yaml"


@contextmanager
def pager(data_dir: Path) -> Iterator[dict[str, object]]:
    """Run the shop's webhook receiver while the block runs; yields it as a ``[[receivers]]`` entry."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    command = [sys.executable, "-m", "demo", "pager", "--log", str(data_dir / "pager.jsonl")]
    child = subprocess.Popen(
        command, env={**os.environ, "DEMO_PAGER_SECRET": secret}, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    port = int(child.stdout.readline())
    threading.Thread(target=_pass_on, args=(child.stdout,), daemon=True).start()
    try:
        yield {"name": "pager", "url": f"http://127.0.0.1:{port}/", "secret": secret, "allow_private": True}
    finally:
        child.terminate()
        child.wait()


def _pass_on(lines: IO[str]) -> None:
    for line in lines:
        typer.echo(line, nl=False, err=True)


@contextmanager
def shop(settings: Settings) -> Iterator[None]:
    """Run the shop, shipping into the collector of *settings*, while the block runs."""
    url = f"http://127.0.0.1:{settings.port}"
    command = [
        sys.executable,
        "-m",
        "demo",
        "up",
        "--collector",
        url,
        "--data-dir",
        str(settings.data_dir / "shop"),
    ]
    environment = dict(os.environ)
    if settings.ingest_key is not None:  # not on the command line, where everyone reads it
        environment["DEMO_KEY"] = settings.ingest_key.get_secret_value()
    child = subprocess.Popen(command, env=environment)
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
