"""What a sidecar is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

from demo.ports import Ports
from demo.sidecars import SidecarPlan
from demo.topology import SERVICES


def test_the_agents_settings_name_log_metrics_process_and_relay(tmp_path: Path) -> None:
    """agent.toml is TOML, whatever the paths and the key contain, and covers all four sources."""
    plan = SidecarPlan("http://127.0.0.1:4318", 'k"1\\', tmp_path / 'a "dir"', "demo")

    settings = tomllib.loads(
        plan.toml(SERVICES["payment"], Ports(20_000), tmp_path / "payment.log", tmp_path / "pid")
    )

    assert settings["key"] == 'k"1\\'
    assert settings["resource"]["service.name"] == "payment"
    assert settings["resource"]["deployment.environment.name"] == "demo"
    assert settings["files"][0]["paths"] == [str(tmp_path / "payment.log*")]
    assert settings["scrape"][0]["url"] == "http://127.0.0.1:20004/metrics"
    assert settings["container"]["enabled"] is True
    assert settings["relay"]["listen"] == "127.0.0.1:20024"


def test_the_file_with_the_key_is_private(tmp_path: Path) -> None:
    """Only the owner may read agent.toml."""
    plan = SidecarPlan("http://127.0.0.1:4318", "secret", tmp_path, "demo")

    plan.child(SERVICES["cart"], Ports(20_000), tmp_path / "cart.log", tmp_path / "pid")

    assert (tmp_path / "agents" / "cart" / "agent.toml").stat().st_mode & 0o077 == 0
