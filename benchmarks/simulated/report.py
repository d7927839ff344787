"""What came out of the experiment: tables by kind, by set, by what is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.simulated.baselines import BASELINES
from benchmarks.simulated.scenarios import Scenario

OURS = "fuseboard"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario's answers: by method the place of the truth (0 = first, None = not named), and the first minute at which ours was right."""

    scenario: Scenario
    places: Mapping[str, int | None]
    found_minute: int | None
    answer: str


def report(outcomes: Sequence[Outcome]) -> None:
    """Print the tables: by kind, by set, by what is sent."""
    for held_out in (False, True):
        some = [each for each in outcomes if each.scenario.held_out == held_out]
        if some:
            print(f"\n{'held out' if held_out else 'tuned'}: {len(some)} faults")
            _table(some, lambda each: each.scenario.fault.kind)
    print("\nboth, by what is sent")
    _table(outcomes, lambda each: _sends(each.scenario))
    print("\nboth, by system")
    _table(outcomes, lambda each: each.scenario.system.name.split("-")[0])


def misses(outcomes: Sequence[Outcome]) -> None:
    """Print what was not first."""
    for each in outcomes:
        if each.places[OURS] != 0:
            print(
                f"{each.scenario.env} ({_sends(each.scenario)}): {each.scenario.fault}; place {each.places[OURS]}; {each.answer}"
            )


def _sends(scenario: Scenario) -> str:
    sources = scenario.sources
    if sources.columns:
        return "a metric per service and quantity"
    names = [
        name
        for name, there in (
            ("logs", sources.logs),
            ("metrics", sources.metrics),
            ("breakers", sources.breakers),
        )
        if there
    ]
    return ", ".join(["traces", *names])


def _table(outcomes, key) -> None:
    groups = defaultdict(list)
    for each in outcomes:
        groups[key(each)].append(each)
    print(
        f"{'':<36}{'n':>4}  {'top-1':>6} {'top-3':>6} {'minutes':>8}   "
        + "  ".join(f"{name:>22}" for name in BASELINES)
    )
    for name, some in [*groups.items(), ("all", list(outcomes))]:
        found = [each.found_minute for each in some if each.found_minute is not None]
        others = "  ".join(
            f"{_top(some, method, 1):>12.0%} /{_top(some, method, 3):>7.0%}" for method in BASELINES
        )
        print(
            f"{name:<36}{len(some):>4}  {_top(some, OURS, 1):>6.0%} {_top(some, OURS, 3):>6.0%} {mean(found) if found else 0:>8.1f}   {others}"
        )


def _top(outcomes: Sequence[Outcome], method: str, most: int) -> float:
    good = [each for each in outcomes if each.places[method] is not None and each.places[method] < most]
    return len(good) / len(outcomes) if outcomes else 0.0
