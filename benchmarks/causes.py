"""
Probable causes as an experiment: seeded faults in simulated systems, asked for as a user would; beside them, other ways to name a cause on the same data.

    python -m benchmarks.causes
    python -m benchmarks.causes --faults 10 --quiet 1         # a short look: some of the faults, of all kinds and both sets
    python -m benchmarks.causes --data-dir causes             # keeps what was sent: the next run only asks

All of it takes some minutes (figures: docs/adr/0044); what it does is printed as it goes on. Two processes simulate while what they made is sent, two threads ask.

A collector of its own takes everything through its ordinary paths. Each scenario is an environment; all are of the same three quarters of an hour that end now. ``/api/v1/causes`` is
asked for the last hour, one, two, three and four minutes after the fault began until the first answer is right, and after six; *top-1* and *top-3* are those of the last, *minutes* the
first of them whose first answer was right. ``/api/v1/services`` is asked of systems without a fault, and of all the others before theirs. Sets: *tuned* was looked at while thresholds were chosen, *held out* was not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.simulated.baselines import BASELINES, minutes
from benchmarks.simulated.faults import KINDS
from benchmarks.simulated.progress import progress
from benchmarks.simulated.report import OURS, Outcome, misses, report
from benchmarks.simulated.scenarios import FAULT_MINUTE, MINUTES, Scenario, scenarios, send, simulated

ROOT = Path(__file__).parents[1]
_JUDGED, _ASKED = 6, (1, 2, 3, 4)


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
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for scenario, what in progress(simulated(pool, chosen, begins_s), len(chosen), "systems sent"):
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

    def ranked(minute: int) -> list[str]:
        return causes(client, scenario.env, fault_s + minute * 60)

    last = ranked(_JUDGED)
    early = (minute for minute in _ASKED if ranked(minute)[:1] == [truth])
    found_minute = next(early, _JUDGED if last[:1] == [truth] else None)
    places = {OURS: _place(last, truth)}
    known = minutes(client, scenario.env, fault_s)
    for name, method in BASELINES.items():
        places[name] = _place(list(method(known, fault_s, fault_s + _JUDGED * 60)), truth)
    return Outcome(scenario, places, found_minute, ", ".join(last[:4]))


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
    parser.add_argument(
        "--faults", type=int, help="at most so many faults, of all kinds and both sets (default: all)"
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
    every = _some(list(scenarios(asked.per_kind, asked.quiet, KINDS)), asked.faults)
    with collector(data_dir) as client:
        if not note.exists():
            begins_s = int(time.time()) // 60 * 60 - MINUTES * 60
            fill(client, every, begins_s)
            note.write_text(json.dumps({"begins_s": begins_s, "systems": [each.env for each in every]}))
        known = json.loads(note.read_text())
        begins_s, every = known["begins_s"], [each for each in every if each.env in set(known["systems"])]
        print(
            f"systems of {datetime.fromtimestamp(begins_s, UTC):%Y-%m-%d %H:%M} UTC, faults {FAULT_MINUTE} minutes later",
            flush=True,
        )
        wanted = [each for each in every if asked.set == "both" or (asked.set == "held") == each.held_out]
        faulty = [each for each in wanted if each.fault is not None and each.fault.kind in asked.kinds]
        with ThreadPoolExecutor(2) as pool:
            judged = pool.map(lambda each: judge(client, each, begins_s), faulty)
            outcomes = list(progress(judged, len(faulty), "faults asked about"))
            report(outcomes)
            quiet(client, pool, wanted, begins_s)
    if asked.misses:
        misses(outcomes)
    print(f"\n{time.monotonic() - began:.0f} s")


def _some(every: Sequence[Scenario], most: int | None) -> list[Scenario]:
    """Give all quiet systems, and of the others *most* that lie evenly among them."""
    faulty = [each.env for each in every if each.fault is not None]
    if most is None or not 0 < most < len(faulty):
        return list(every)
    apart = len(faulty) // most
    # one further each time, or all of them would be the same system
    kept = {faulty[number * len(faulty) // most + number % apart] for number in range(most)}
    return [each for each in every if each.fault is None or each.env in kept]


def quiet(client: httpx.Client, pool: ThreadPoolExecutor, every: Sequence[Scenario], begins_s: int) -> None:
    """Ask for the health where nothing is wrong, and for causes."""
    ends = {
        each.env: [
            begins_s + minute * 60
            for minute in (range(12, MINUTES + 1, 3) if each.fault is None else (FAULT_MINUTE,))
        ]
        for each in every
    }
    counts = list(
        progress(
            pool.map(lambda env: verdicts(client, env, ends[env]), ends), len(ends), "quiet systems looked at"
        )
    )
    unhealthy, total = sum(each[0] for each in counts), sum(each[1] for each in counts)
    print(f"\nquiet: {unhealthy} of {total} verdicts are unhealthy ({unhealthy / max(total, 1):.2%})")
    for sentence in [said for each in counts for said in each[2]][:12]:
        print(f"  {sentence}")
    some = [(env, end_s) for env, times in ends.items() for end_s in times]
    answers = pool.map(lambda each: causes(client, *each), some)
    named = sum(bool(found) for found in progress(answers, len(some), "quiet times asked about"))
    print(f"quiet: {named} of {len(some)} questions for causes were answered with some")


if __name__ == "__main__":
    main()
