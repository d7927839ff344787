"""The instant questions of the scripts in corpus/ again, evaluated here from leaves as rules are: every evaluation comes to what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector.query.promql.instants import Element, GivenUp, plan
from collector.query.promql.syntax import parse
from collector.read.leaves import Asked, bring
from collector.read.metrics import LOOKBACK_MS
from collector.read.sql import Reader
from tests.collector.api.prometheus import script
from tests.collector.api.prometheus.runner import run
from tests.collector.api.prometheus.script import Evaluation
from tests.collector.api.prometheus.targets import Ours

# The other scripts ask what the statement answers: ranges, subqueries, numbers, errors.
CORPUS = [
    Path(__file__).parent / "corpus" / f"{name}.test"
    for name in ("aggregations", "functions", "histograms", "numbers", "operators", "range_functions", "selectors", "staleness")
]  # fmt: skip


class Here:
    """What is evaluated here; a range never is, which the runner passes over."""

    def __init__(self, ours: Ours, store):
        self._store = store
        self._found: list[Element] = []
        self.write = ours.write
        self.clear = ours.clear

    def answers(self, asked: Evaluation) -> bool:
        """Say whether it is a vector at one point that is not left to the statement, and keep the answer."""
        wanted = asked.expected
        if asked.step_ms or asked.fails or wanted.fail or wanted.ordered or wanted.scalar is not None or wanted.text is not None:  # fmt: skip
            return False
        made = plan(parse(asked.text), LOOKBACK_MS)
        if made is None:
            return False
        try:
            self._found = list(
                bring(Reader(self._store), [Asked(made, asked.start_ms)]).run(made, asked.start_ms)
            )
        except GivenUp:
            return False
        return not wanted.annotations

    def ask(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        """Answer the question that was just kept."""
        if path != "query":
            return {"status": "error", "error": "no ranges here"}
        result = [
            {"metric": dict(one.labels), "value": [float(params["time"]), repr(one.value)]}
            for one in self._found
        ]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_is_evaluated_here_comes_to_what_the_script_says(path, ours, prometheus_store, record_property):
    """Whatever is not left to the statement has Prometheus' own answer."""
    here = Here(ours, prometheus_store)

    outcome = run(script.parse(path.read_text()), here, here.answers)

    record_property("evaluations", f"{outcome.passed} passed")
    told = "\n".join(f"{path.name}:{line}: {why}" for line, why in outcome.failed.items())
    assert not outcome.failed, f"{outcome.passed} passed, {len(outcome.failed)} failed\n{told}"
    assert outcome.passed >= 20
