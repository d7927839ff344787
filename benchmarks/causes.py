"""
Probable causes as an experiment: seeded faults in simulated systems, asked for as a user would; beside them, other ways to name a cause on the same data.

    python -m benchmarks.causes
    python -m benchmarks.causes --data-dir /tmp/causes        # keeps what was sent: the next run only asks

A collector of its own takes everything through its ordinary paths. Each scenario is an environment; all are of the same three quarters of an hour that end now. ``/api/v1/causes`` is
asked for the last hour, one, two, three, four and six minutes after the fault began; *top-1* and *top-3* are those of the last, *minutes* the first of them whose first answer was
right. ``/api/v1/services`` is asked of systems without a fault, and of all the others before theirs. Sets: *tuned* was looked at while thresholds were chosen, *held out* was not.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import httpx

from benchmarks.simulated.baselines import BASELINES, minutes
from benchmarks.simulated.faults import KINDS
from benchmarks.simulated.scenarios import FAULT_MINUTE, MINUTES, Scenario, scenarios, send, told

ROOT = Path(__file__).parents[1]
OURS = "fuseboard"
_JUDGED, _ASKED = 6, (1, 2, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario's answers: by method the place of the truth (0 = first, None = not named), and the first minute at which ours was right."""

    scenario: Scenario
    places: Mapping[str, int | None]
    found_minute: int | None
    answer: str


@contextmanager
def collector(data_dir: Path) -> Iterator[httpx.Client]:
    """Run one until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = data_dir / "fuseboard.toml"
    config.write_text('canary_interval_s = 0\ngrpc_port = 0\nlog_level = "warning"\nbody_bytes = 67108864\n')
    command = [
        sys.executable,
        "-m",
        "collector",
        "serve",
        "--config",
        str(config),
        "--data-dir",
        str(data_dir / "data"),
        "--port",
        str(port),
    ]
    with (data_dir / "collector.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            while not _ready(client):
                if process.poll() is not None:
                    sys.exit(f"the collector ended: {data_dir / 'collector.log'}")
                time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=60)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def fill(client: httpx.Client, chosen: Sequence[Scenario], begins_s: int) -> None:
    """Simulate and send, and wait until it is all there."""
    began, spans = time.monotonic(), 0
    for scenario in chosen:
        what = told(scenario, begins_s)
        spans += what.count
        send(client, scenario, what)
    print(f"{len(chosen)} systems, {spans:,} spans sent in {time.monotonic() - began:.0f} s", flush=True)
    while _rows(client, "SELECT count() AS n FROM spans WHERE env != ''")[0]["n"] < spans:
        time.sleep(0.5)
    print(f"all of it stored after {time.monotonic() - began:.0f} s", flush=True)


def _rows(client: httpx.Client, statement: str) -> list[dict[str, int]]:
    answer = client.post("/api/v1/sql", json={"query": statement})
    answer.raise_for_status()
    found: list[dict[str, int]] = answer.json()["data"]
    return found


def judge(client: httpx.Client, scenario: Scenario, begins_s: int) -> Outcome:
    """Ask for the causes of one fault, minute by minute, and the others."""
    fault_s = begins_s + FAULT_MINUTE * 60
    assert scenario.fault is not None
    truth = scenario.fault.at
    found_minute, places, said = None, dict[str, int | None](), ""
    for minute in _ASKED:
        ranked = causes(client, scenario.env, fault_s + minute * 60)
        if found_minute is None and ranked[:1] == [truth]:
            found_minute = minute
        if minute == _JUDGED:
            places[OURS] = _place(ranked, truth)
            said = ", ".join(ranked[:4])
    known = minutes(client, scenario.env, fault_s)
    for name, method in BASELINES.items():
        places[name] = _place(list(method(known, fault_s, fault_s + _JUDGED * 60)), truth)
    return Outcome(scenario, places, found_minute, said)


def causes(client: httpx.Client, env: str, end_s: int) -> list[str]:
    """Ask as a user does: what was the cause of the last hour's trouble?"""
    answer = client.get("/api/v1/causes", params={"env": env, "end": str(end_s)})
    answer.raise_for_status()
    return [row["service"] for row in answer.json()["data"]]


def _place(ranked: Sequence[str], truth: str) -> int | None:
    return ranked.index(truth) if truth in ranked else None


def verdicts(client: httpx.Client, env: str, ends_s: Sequence[int]) -> tuple[int, int, list[str]]:
    """Ask for the health of a quiet system at some times: unhealthy ones, all, and what was said of those."""
    unhealthy, every, said = 0, 0, []
    for end_s in ends_s:
        answer = client.get("/api/v1/services", params={"env": env, "end": str(end_s)})
        answer.raise_for_status()
        for row in answer.json()["data"]:
            every += 1
            if row["health"] == "unhealthy":
                unhealthy += 1
                said.append(f"{env} {row['service']}: {row['reasons'][0]['message']}")
    return unhealthy, every, said


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


def main() -> None:
    """Simulate, ask, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--per-kind",
        type=int,
        default=4,
        help="faults of each kind in each of the two sets (default 4: 80 faults)",
    )
    parser.add_argument(
        "--quiet", type=int, default=4, help="systems without a fault in each set (default 4)"
    )
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="only these kinds")
    parser.add_argument("--data-dir", type=Path, help="kept for the next run; default: a temporary one")
    parser.add_argument("--misses", action="store_true", help="print each fault whose first answer was wrong")
    parser.add_argument(
        "--set", choices=("tuned", "held", "both"), default="both", help="ask only one of the two sets"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(asked, asked.data_dir or Path(temporary))


def run(asked: argparse.Namespace, data_dir: Path) -> None:
    """Do it in *data_dir*."""
    data_dir.mkdir(parents=True, exist_ok=True)
    began, note = time.monotonic(), data_dir / "filled.json"
    every = list(scenarios(asked.per_kind, asked.quiet, KINDS))
    with collector(data_dir) as client:
        if not note.exists():
            begins_s = int(time.time()) // 60 * 60 - MINUTES * 60
            fill(client, every, begins_s)
            note.write_text(json.dumps({"begins_s": begins_s}))
        begins_s = json.loads(note.read_text())["begins_s"]
        print(
            f"systems of {datetime.fromtimestamp(begins_s, UTC):%Y-%m-%d %H:%M} UTC, faults {FAULT_MINUTE} minutes later",
            flush=True,
        )
        wanted = [each for each in every if asked.set == "both" or (asked.set == "held") == each.held_out]
        faulty = [each for each in wanted if each.fault is not None and each.fault.kind in asked.kinds]
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda each: judge(client, each, begins_s), faulty))
            report(outcomes)
            quiet(client, pool, wanted, begins_s)
    if asked.misses:
        misses(outcomes)
    print(f"\n{time.monotonic() - began:.0f} s")


def quiet(client: httpx.Client, pool: ThreadPoolExecutor, every: Sequence[Scenario], begins_s: int) -> None:
    """Ask for the health where nothing is wrong, and for causes."""
    ends = {
        each.env: [
            begins_s + minute * 60
            for minute in (range(12, MINUTES + 1, 3) if each.fault is None else (FAULT_MINUTE,))
        ]
        for each in every
    }
    counts = list(pool.map(lambda env: verdicts(client, env, ends[env]), ends))
    unhealthy, total = sum(each[0] for each in counts), sum(each[1] for each in counts)
    print(f"\nquiet: {unhealthy} of {total} verdicts are unhealthy ({unhealthy / max(total, 1):.2%})")
    for sentence in [said for each in counts for said in each[2]][:12]:
        print(f"  {sentence}")
    some = [(env, end_s) for env, times in ends.items() for end_s in times]
    named = sum(bool(found) for found in pool.map(lambda each: causes(client, *each), some))
    print(f"quiet: {named} of {len(some)} questions for causes were answered with some")


def misses(outcomes: Sequence[Outcome]) -> None:
    """Print what was not first."""
    for each in outcomes:
        if each.places[OURS] != 0:
            print(
                f"{each.scenario.env} ({_sends(each.scenario)}): {each.scenario.fault}; place {each.places[OURS]}; {each.answer}"
            )


if __name__ == "__main__":
    main()
