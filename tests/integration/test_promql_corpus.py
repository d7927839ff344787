"""The scripts of tests/collector/api/prometheus/corpus say what Prometheus itself answers: Debian's runs them, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.collector.api.prometheus import script
from tests.collector.api.prometheus.runner import run
from tests.collector.api.prometheus.targets import debians
from tests.conftest import ROOT, free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Debian's prometheus is installed by `make test`"
    ),
]
CORPUS = sorted((ROOT / "tests/collector/api/prometheus/corpus").glob("*.test"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_prometheus_answers_what_the_scripts_say(path: Path, tmp_path: Path) -> None:
    """But for what is marked as newer than it."""
    with debians(tmp_path, free_port()) as prometheus:
        outcome = run(script.parse(path.read_text()), prometheus, lambda asked: not asked.newer, marked=False)

    told = "\n".join(f"{path.name}:{line}: {why}" for line, why in outcome.failed.items())
    assert not outcome.failed, f"{outcome.passed} passed, {len(outcome.failed)} failed\n{told}"
