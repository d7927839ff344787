"""The scripts in corpus/, run against our engine through the HTTP API: every evaluation comes to what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.api.prometheus import script
from tests.collector.api.prometheus.runner import run

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.test"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_evaluation_comes_to_what_the_script_says(path, ours, record_property):
    """What Prometheus answers is answered here; the values were made by Prometheus itself (tests/integration/test_promql_corpus.py)."""
    outcome = run(script.parse(path.read_text()), ours)

    record_property("evaluations", f"{outcome.passed} passed, {outcome.known} fail as marked")
    told = "\n".join(f"{path.name}:{line}: {why}" for line, why in outcome.failed.items())
    assert not outcome.failed, f"{outcome.passed} passed, {len(outcome.failed)} failed\n{told}"
