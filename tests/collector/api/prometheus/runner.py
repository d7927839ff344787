"""Runs a script's statements against something that takes samples and answers the Prometheus HTTP API."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.collector.api.prometheus.script import (
    Clear,
    Evaluation,
    Expected,
    Labels,
    Load,
    Points,
    Skipped,
    Statement,
    almost_equal,
)


class Target(Protocol):
    """What a script runs against."""

    def write(self, series: Sequence[tuple[Labels, Points]]) -> None:
        """Store samples; afterwards they can be asked for."""

    def clear(self) -> None:
        """Forget everything."""

    def ask(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        """Return the answer of ``/api/v1/<path>``, an error's too."""


@dataclass(slots=True)
class Outcome:
    """What became of a script: how many evaluations passed, how many failed as marked, what failed (line -> why), what was not run (reason -> how often)."""

    passed: int = 0
    known: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)


def run(
    statements: Sequence[Statement],
    target: Target,
    chosen: Callable[[Evaluation], bool] = lambda _: True,
    *,
    marked: bool = True,
) -> Outcome:
    """Run *statements* in their order; evaluations that are not *chosen* are skipped, those *marked* as failing must fail."""
    outcome = Outcome()
    target.clear()
    for statement in statements:
        if isinstance(statement, Load):
            target.write(statement.series)
        elif isinstance(statement, Clear):
            target.clear()
        elif isinstance(statement, Skipped):
            outcome.skipped[statement.reason] += 1
        elif not chosen(statement):
            outcome.skipped["needs a newer Prometheus"] += 1
        else:
            _count(statement, _failure(statement, target), outcome, marked=marked)
    return outcome


def _failure(asked: Evaluation, target: Target) -> str:
    try:
        _check(asked.expected, _answer(asked, target), asked)
        if asked.step_ms == 0 and (
            asked.fails or zlib.crc32(asked.text.encode()) % 3 == 0
        ):  # a third of them: it is as much work again
            _check_in_a_range(asked, target)
    except AssertionError as why:
        return f"{asked.text}\n    {why}"
    return ""


def _count(asked: Evaluation, failure: str, outcome: Outcome, *, marked: bool) -> None:
    if marked and asked.fails:
        if failure:
            outcome.known += 1
        else:
            outcome.failed[asked.line] = f"{asked.text}\n    passes now; it is marked: {asked.fails}"
    elif failure:
        outcome.failed[asked.line] = failure
    else:
        outcome.passed += 1


def _answer(asked: Evaluation, target: Target) -> dict[str, Any]:
    if asked.step_ms == 0:
        return target.ask("query", {"query": asked.text, "time": _seconds(asked.start_ms)})
    params = {
        "query": asked.text,
        "start": _seconds(asked.start_ms),
        "end": _seconds(asked.end_ms),
        "step": _seconds(asked.step_ms),
    }
    return target.ask("query_range", params)


def _check_in_a_range(asked: Evaluation, target: Target) -> None:
    """Ask the same as the middle step of a range: the vector there is the same."""
    expected = asked.expected
    if (
        expected.fail
        or expected.matrix
        or expected.text is not None
        or expected.ordered
        or re.search(r"\bstart\(\)|\bend\(\)|@", asked.text)
    ):
        return
    params = {
        "query": asked.text,
        "start": _seconds(asked.start_ms - 60_000),
        "end": _seconds(asked.start_ms + 60_000),
        "step": "60",
    }
    answer = target.ask("query_range", params)
    if answer["status"] != "success":
        return  # another step may rightly fail
    there = [
        (one["metric"], [point for point in _points(one) if point[0] == asked.start_ms])
        for one in answer["data"]["result"]
    ]
    wanted = [({}, [(asked.start_ms, expected.scalar)])] if expected.scalar is not None else expected.series
    _same([one for one in there if one[1]], _at(wanted, asked.start_ms), "as a step of a range")


def _check(expected: Expected, answer: dict[str, Any], asked: Evaluation) -> None:
    if expected.fail:
        assert answer["status"] == "error", f"succeeded: {str(answer)[:300]}"
        for pattern in expected.fail_matches:
            assert re.search(pattern, answer["error"]), f"failed with {answer['error']!r}, not {pattern!r}"
        return
    assert answer["status"] == "success", f"{answer['errorType']}: {answer['error'][:400]}"
    _check_annotations(expected, answer)
    data = answer["data"]
    if expected.scalar is not None:
        assert data["resultType"] == "scalar", data
        assert almost_equal(float(data["result"][1]), expected.scalar), data
    elif expected.text is not None:
        assert data["resultType"] == "string", data
        assert data["result"][1] == expected.text, data
    else:
        wanted = "matrix" if asked.step_ms or expected.matrix else "vector"
        assert data["resultType"] == wanted, f"a {data['resultType']}, no {wanted}: {str(data)[:200]}"
        found = [(one["metric"], _points(one)) for one in data["result"]]
        at = expected.series if asked.step_ms or expected.matrix else _at(expected.series, asked.start_ms)
        _same(found, at, ordered=expected.ordered)


def _check_annotations(expected: Expected, answer: dict[str, Any]) -> None:
    told = {"warn": answer.get("warnings", []), "info": answer.get("infos", [])}
    for kind, pattern in expected.annotations:
        assert any(re.search(pattern, text) for text in told[kind]), f"no {kind} like {pattern!r}: {told}"
    for kind in expected.without:
        assert not told[kind], f"{kind}: {told[kind]}"


def _at(series: Sequence[tuple[Labels, Points]], at_ms: int) -> list[tuple[Labels, Points]]:
    return [(labels, [(at_ms, points[-1][1])]) for labels, points in series if points]


def _same(
    found: list[tuple[Labels, Points]],
    wanted: Sequence[tuple[Labels, Points]],
    where: str = "",
    *,
    ordered: bool = False,
) -> None:
    told = f"{where} got {_shown(found)}, wanted {_shown(wanted)}".strip()
    if ordered:
        assert [one[0] for one in found] == [one[0] for one in wanted], f"order: {told}"
    by_labels = {frozenset(labels.items()): points for labels, points in found}
    assert len(by_labels) == len(found), f"a label set twice: {told}"
    assert set(by_labels) == {frozenset(labels.items()) for labels, _ in wanted}, told
    for labels, points in wanted:
        mine = by_labels[frozenset(labels.items())]
        assert [at for at, _ in mine] == [at for at, _ in points], told
        assert all(almost_equal(a[1], b[1]) for a, b in zip(mine, points, strict=True)), told


def _points(series: dict[str, Any]) -> Points:
    pairs = series["values"] if "values" in series else [series["value"]]
    return [(round(at * 1000), float(value)) for at, value in pairs]


def _shown(series: Sequence[tuple[Labels, Points]]) -> str:
    return str([(labels, [(at / 1000, value) for at, value in points]) for labels, points in series])[:600]


def _seconds(at_ms: int) -> str:
    return f"{at_ms / 1000:.3f}"
