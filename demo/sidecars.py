"""One sidecar agent per service: its ``agent.toml`` and its process."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.children import Child
from demo.ports import Ports
from demo.topology import ServiceSpec

SCRAPE_INTERVAL_S = 5  # a third of the agent's default: a demo is looked at for minutes
_FILE_MODE = 0o600  # it holds the key
_OWN_NAMES = ("OTEL_", "FUSEBOARD_AGENT_", "DEMO_")  # would override every sidecar alike, or are ours


@dataclass(frozen=True)
class SidecarPlan:
    """Where agents ship to and keep their things."""

    collector: str
    key: str | None
    data_dir: Path
    env: str

    def child(self, spec: ServiceSpec, ports: Ports, log: Path, pid_file: Path) -> Child:
        """Write the agent's configuration and return its process, not yet started."""
        home = self.data_dir / "agents" / spec.name
        home.mkdir(parents=True, exist_ok=True)
        config = home / "agent.toml"
        config.touch(mode=_FILE_MODE)
        config.write_text(self.toml(spec, ports, log, pid_file))
        return Child(
            name=f"agent of {spec.name}",
            command=[sys.executable, "-m", "agents", "--config", str(config)],
            env={name: value for name, value in os.environ.items() if not name.startswith(_OWN_NAMES)},
            output=self.data_dir / "logs" / f"agent-{spec.name}.out",
        )

    def toml(self, spec: ServiceSpec, ports: Ports, log: Path, pid_file: Path) -> str:
        """Return the agent's settings: the service's log, its metrics, its process, and a relay for its spans."""
        key = f"key = {_quoted(self.key)}\n" if self.key else ""
        return f"""collector = {_quoted(self.collector)}
{key}data_dir = {_quoted(str(self.data_dir / "agents" / spec.name / "data"))}

[resource]
"service.name" = {_quoted(spec.name)}
"service.version" = {_quoted(spec.version)}
"service.instance.id" = {_quoted(f"{spec.name}-1")}
"deployment.environment.name" = {_quoted(self.env)}
"fuseboard.owner" = {_quoted(spec.owner)}
"fuseboard.runbook" = {_quoted(spec.runbook)}

[[files]]
paths = [{_quoted(f"{log}*")}]
start_at = "beginning"

[[scrape]]
url = "http://127.0.0.1:{ports.service(spec.name)}/metrics"
interval_s = {SCRAPE_INTERVAL_S}

[container]
enabled = true
interval_s = {SCRAPE_INTERVAL_S}
pid_file = {_quoted(str(pid_file))}

[relay]
listen = "127.0.0.1:{ports.relay(spec.name)}"
"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML basic string
