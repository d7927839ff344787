"""
The sample shop beside the collector: ``fuseboard up --demo``.

The shop is a program of its own (``python -m demo``), started as a child that ends with us; nothing of it is imported.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    if settings.ingest_key is not None:
        environment["DEMO_KEY"] = (
            settings.ingest_key.get_secret_value()
        )  # not on the command line, where everyone reads it
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
