"""Libraries of breakers that can be installed here, run for real: what /api/v1/breakers knows of each afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

NODE = ROOT / "tests" / "node"
LIFE = ["closed", "half_open", "open"]  # the timeline is newest first

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("breaker-libraries")]


@pytest.fixture(scope="module")
def served(serve_module):
    """One collector for all libraries."""
    return serve_module()


def timelines(served, service, steps):
    """Every breaker of *service* with the states of its timeline, as soon as all of them together have *steps*."""
    states = {}
    for row in served.data("/breakers", service=service):
        whole = served.data(f"/breakers/{service}/{row['breaker']}")[0]
        states[row["breaker"]] = [step["to"] for step in whole["timeline"]]
    if sum(map(len, states.values())) < steps:
        return None
    return {
        row["breaker"]: (row, states[row["breaker"]]) for row in served.data("/breakers", service=service)
    }


def test_pythons_libraries_through_the_listeners(served, poll):
    """Each line of theirs is a transition: the whole life, the target, what was refused, why it opened; retries only watch."""
    lines = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("breakers_program.py"))],
        capture_output=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""}, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert served.client.post("/v1/lines", content=lines).status_code == 200

    found = poll(lambda: timelines(served, "libraries", 5 * len(LIFE) + 2))

    for name in ("pybreaker", "circuitbreaker", "purgatory", "purgatory-async", "decorator"):
        row, states = found[name]
        assert (states, row["state"], row["opens_1h"]) == (LIFE, "closed", 1), name
    assert {name: row["target"] for name, (row, _) in found.items() if name != "decorator"} == dict.fromkeys(
        ("pybreaker", "circuitbreaker", "purgatory", "purgatory-async", "tenacity"), "payment"
    )
    assert {name: row["not_permitted_1h"] for name, (row, _) in found.items()} == {
        # purgatory has no event for a refused call
        "pybreaker": 1, "circuitbreaker": 1, "decorator": 1, "purgatory": 0, "purgatory-async": 0, "tenacity": 0,
    }  # fmt: skip
    row, states = found["tenacity"]
    assert (row["state"], states) == ("metrics_only", ["metrics_only", "metrics_only"])
    assert "gave up, the last after 3 attempts" in row["reason"]


@pytest.mark.skipif(not (NODE / "node_modules" / "opossum").exists(), reason="installed by `make test`")
def test_opossum_posts_its_events(served, poll):
    """Node's breaker, its events posted as the docs show: the whole life with the numbers behind it."""
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [str(node), "opossum.mjs", "post", served.url, "node-shop"], cwd=NODE, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]

    row, states = poll(lambda: timelines(served, "node-shop", len(LIFE)))["payment"]

    assert (states, row["state"], row["instances"][0]["instance"]) == (LIFE, "closed", "node-1")


@pytest.mark.skipif(
    not (NODE / "node_modules" / "opossum-prometheus").exists(), reason="installed by `make test`"
)
def test_what_opossums_exporter_says_today_is_what_was_recorded():
    """The recorded exposition of the mapping's test is the installed library's: the same series, the same counts."""
    node = Path(sys.executable).with_name("node")
    told = subprocess.run(
        [str(node), "opossum.mjs", "expose"], cwd=NODE, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    recorded = (ROOT / "tests" / "collector" / "jobs" / "expositions" / "opossum.prom").read_text()

    def counters(text):
        return [line for line in text.splitlines() if line.startswith(("circuit{", "# look"))]

    assert counters("# look\n" + told)[:-1] == counters(recorded)
