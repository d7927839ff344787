"""Expressions nobody thought of: whatever a small grammar makes, our engine and Debian's Prometheus answer alike."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector.api.prometheus.conftest import alerting, client, prometheus_store
from tests.collector.api.prometheus.runner import Target, _points
from tests.collector.api.prometheus.targets import Ours, debians
from tests.conftest import free_port

__all__ = ["alerting", "client", "prometheus_store"]

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Debian's prometheus is installed by `make test`"
    ),
]
_SEEDS = range(8)
_EACH = 25
# Windows that begin at no sample, whatever whole second they end at: what is at their very beginning differs by version.
_WINDOWS = ("21500ms", "33500ms", "1m1500ms", "2m700ms")
_OVER_TIME = ("avg", "sum", "min", "max", "count", "last", "stddev", "stdvar", "present")
_OF_VALUES = ("abs", "ceil", "floor", "sgn", "sqrt", "exp", "ln", "deg", "cos", "-", "+")
_AGGREGATES = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")


def _series() -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    """Counters that begin high, gauges with gaps, two metrics over the same labels; ten minutes, each ten seconds."""
    chance = random.Random(7)
    made = []
    for job, zone in (("api", "a"), ("api", "b"), ("web", "a"), ("db", "")):
        labels = {"job": job, **({"zone": zone} if zone else {})}
        total = 1000.0
        counted = []
        for at in range(61):
            total = 1000 * chance.random() if chance.random() < 0.05 else total + 20 * chance.random()
            counted.append((at * 10_000, total))
        made.append(({"__name__": "c_total", **labels}, counted))
        for name in ("g", "h"):
            told = [(at * 10_000, chance.uniform(-9, 9)) for at in range(61) if chance.random() < 0.8]
            made.append(({"__name__": name, **labels}, told))
    return made


class Maker:
    """Makes expressions of the grammar, by chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def expression(self, depth: int = 3) -> str:
        """A vector."""
        pick = self._chance.choice
        ways: list[Callable[[], str]] = [self._selector]
        if depth > 0:
            inner = lambda: self.expression(depth - 1)  # noqa: E731 - made anew at each call
            ways += [
                lambda: self._of_values(inner()),
                lambda: f"{pick(_AGGREGATES)}{self._grouping()}({inner()})",
                lambda: f"quantile{self._grouping()}({pick(('0.3', '0.5', '0.9'))}, {inner()})",
                lambda: (
                    f"{pick(('topk', 'bottomk'))}{self._grouping()}(2, {self._selector()})"
                ),  # of equal values either is right
                lambda: (
                    f"({inner()} {pick(('+', '-', '*', '/', '%', '>', '<=', '!=', '> bool', '== bool'))} {self._number()})"
                ),
                lambda: f"({self._number()} {pick(('+', '-', '*', '/'))} {inner()})",
                lambda: f"({inner()} {pick(('+', '-', '*', '>', '<= bool'))} {inner()})",
                lambda: (
                    f"({inner()} {pick(('and', 'or', 'unless'))} {pick(('', 'on(job) ', 'ignoring(zone) '))}{inner()})"
                ),
                lambda: f"({inner()} {pick(('+', '*', '>'))} on(job) group_left sum by (job) ({inner()}))",
                lambda: f"clamp({inner()}, -3, 4)",
                lambda: f"absent({inner()})",
                lambda: f'label_replace({inner()}, "new", "$1x", "job", "(.).*")',
                lambda: f"timestamp({self._selector()})",
                self._window,
                lambda: (
                    f"{pick(_OVER_TIME)}_over_time(({inner()})[{pick(_WINDOWS)}:{pick(('7s', '10s', '13s'))}])"
                ),
            ]
        return pick(ways)()

    def _of_values(self, inner: str) -> str:
        function = self._chance.choice(_OF_VALUES)
        return f"{function}({inner})"

    def _selector(self) -> str:
        pick = self._chance.choice
        matcher = pick(("", "", '{job="api"}', '{zone!=""}', '{job=~"a.*|web"}', '{zone="", job!~"x"}'))
        return f"{pick(('g', 'h', 'c_total'))}{matcher}{pick(('', '', '', ' offset 15s', ' @ 300', ' offset -20s'))}"

    def _window(self) -> str:
        pick = self._chance.choice
        kind = pick(("counter", "gauge", "over_time", "quantile"))
        window = pick(_WINDOWS)
        late = pick(("", "", " offset 1m", " @ 300"))
        if kind == "counter":
            return f"{pick(('rate', 'increase', 'irate', 'resets'))}(c_total[{window}]{late})"
        if kind == "gauge":
            return f"{pick(('delta', 'idelta', 'deriv', 'changes'))}(g[{window}]{late})"
        if kind == "quantile":
            return f"quantile_over_time(0.4, {pick('gh')}[{window}]{late})"
        return f"{pick(_OVER_TIME)}_over_time({pick(('g', 'h', 'c_total'))}[{window}]{late})"

    def _grouping(self) -> str:
        return self._chance.choice(("", " by (job) ", " by (zone) ", " without (zone) ", " by (job, zone) "))

    def _number(self) -> str:
        return self._chance.choice(("2", "0.5", "-1", "0", "3"))


@pytest.fixture(scope="module")
def both(
    prometheus_store: Any, client: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, Target]]:
    """Ours and Debian's, with the same samples."""
    folder: Path = tmp_path_factory.mktemp("alike")
    ours = Ours(prometheus_store, client, folder)
    with debians(folder, free_port()) as theirs:
        for target in (ours, theirs):
            target.clear()
            target.write(_series())
        yield ours, theirs


@pytest.mark.parametrize("seed", _SEEDS)
def test_they_answer_alike(both: tuple[Target, Target], seed: int) -> None:
    """At one time and at several; an error is an error on both sides, but for one that Prometheus 3 does not make any more."""
    maker = Maker(seed)
    for _ in range(_EACH):
        text = maker.expression()
        for path, params in {
            "query": {"time": "345"},
            "query_range": {"start": "305", "end": "425", "step": "40"},
        }.items():
            mine, theirs = (_found(target.ask(path, {"query": text, **params})) for target in both)
            assert _alike(mine, theirs), f"{path} {text}\n  ours   {mine}\n  theirs {theirs}"


def _found(answer: dict[str, Any]) -> Any:
    if answer["status"] == "error":
        return answer["error"]
    return {tuple(sorted(one["metric"].items())): _points(one) for one in answer["data"]["result"]}


def _alike(mine: Any, theirs: Any) -> bool:
    if isinstance(theirs, str):
        return (
            True  # names are dropped later in Prometheus 3: two metrics of one label set may have an answer
        )
    if isinstance(mine, str) or mine.keys() != theirs.keys():
        return False
    return all(_near(mine[key], theirs[key]) for key in mine)


def _near(mine: list[tuple[int, float]], theirs: list[tuple[int, float]]) -> bool:
    if [at for at, _ in mine] != [at for at, _ in theirs]:
        return False
    return all(
        math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b))
        for (_, a), (_, b) in zip(mine, theirs, strict=True)
    )
