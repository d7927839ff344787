"""What the build hook is told to fetch."""

from __future__ import annotations

import json
from pathlib import Path

import hatch_build

ROOT = Path(__file__).parents[2]


def test_versions_are_exact_and_locked() -> None:
    """package.json pins, the lock has an integrity hash for each package and names no registry host."""
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    text = (ROOT / "package-lock.json").read_text()
    locked = json.loads(text)["packages"]

    assert '"resolved"' not in text
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all(package["integrity"].startswith("sha512-") for path, package in locked.items() if path)


def test_every_vendored_package_brings_its_licence() -> None:
    """Files of others are only passed on together with their licence."""
    packages = {source.split("/")[0] for source in hatch_build.ASSETS}

    assert packages == {source.split("/")[0] for source in hatch_build.ASSETS if source.endswith("LICENSE")}


def test_scripts_together_stay_small() -> None:
    """All scripts of a page, ours and others', are well below 300 kB before compression."""
    static = ROOT / "dashboards" / "static"
    sizes = [path.stat().st_size for path in static.rglob("*.js")]

    assert len(sizes) >= 4, "run python hatch_build.py"
    assert sum(sizes) < 300_000
