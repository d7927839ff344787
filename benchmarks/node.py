"""
What node mode costs: memory and CPU of one agent for a whole host, idle and with a line per second and container.

    python benchmarks/node.py [--containers 200] [--seconds 30] [--json]

The host is a tree of files (logs as containerd and Docker write them, cgroups of version 2) and the sink stores nothing. Baseline, in the
same run: one sidecar beside one such container (its log and its own resource use), times the number of containers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import shippers  # noqa: E402
from shippers import Shipper  # noqa: E402
from sink import Sink  # noqa: E402

from tests.agents.hosts import Node, cri, json_file  # noqa: E402

INTERVAL_S = 15.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--containers", type=int, default=200, help="three quarters Kubernetes', the rest Docker's"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="of idling, and of writing")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="node-bench-") as name:
        figures = measure(Path(name), given.containers, given.seconds)
    print(json.dumps(figures, indent=2))
    if not given.json:
        sidecars = figures["sidecar"]["rss_mb"] * given.containers
        print(
            f"{sidecars / figures['node']['rss_mb']:.0f} times less memory than {given.containers} sidecars"
        )
    return 0


def measure(home: Path, containers: int, seconds: float) -> dict[str, Any]:
    """Run the node agent, then one sidecar, on the same host."""
    node = Node(home / "host")
    logs = [(node.pod(number), cri) for number in range(containers * 3 // 4)]
    logs += [
        (node.container(number, f"container{number}"), json_file) for number in range(len(logs), containers)
    ]
    with Sink() as sink:
        config = home / "node.toml"
        url = f"http://127.0.0.1:{sink.port}"
        config.write_text(f'data_dir = "{home}/data"\n' + node.toml(url, interval_s=INTERVAL_S))
        command = [sys.executable, "-m", "agents", "--config", str(config)]
        with Shipper(command, home / "node.log") as shipper:
            found = used(shipper, logs, seconds)
        more = f"[container]\nenabled = true\ninterval_s = {INTERVAL_S}\n"
        with shippers.agent(home / "sidecar", logs[0][0], sink.port, more) as shipper:
            return {"containers": containers, "node": found, "sidecar": used(shipper, logs[:1], seconds)}


def used(shipper: Shipper, logs: list[Any], seconds: float) -> dict[str, float]:
    """Idle, then write a line per second into each log."""
    before = shippers.settle(shipper, 4.0)
    time.sleep(seconds)
    idle_s = shipper.cpu_s() - before
    before, began = shipper.cpu_s(), time.monotonic()
    for second in range(round(seconds)):
        for number, (log, shape) in enumerate(logs):
            with log.open("ab") as file:
                file.write(shape(f"request {number}.{second} done"))
        time.sleep(max(0, began + second + 1 - time.monotonic()))
    return {
        "rss_mb": shipper.rss_mb(),
        "idle_cores": round(idle_s / seconds, 4),
        "cores_at_a_line_per_second_and_container": round(
            (shipper.cpu_s() - before) / (time.monotonic() - began), 4
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
