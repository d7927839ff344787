"""The counters of one directory of cgroup version 2. Source: Linux, Documentation/admin-guide/cgroup-v2.rst, accounting/psi.rst."""

from collections.abc import Mapping
from pathlib import Path

from agents.sources.cgroup_files import named, number, pairs, scaled, text_of
from agents.sources.usage import DiskUsage, Usage

_US = 1e6


def read(directory: Path, devices: Mapping[str, str]) -> Usage:
    """Read what there is; *devices* is major:minor -> name."""
    cpu = pairs(directory, "cpu.stat")
    memory = pairs(directory, "memory.stat")
    return Usage(
        cpu_s=scaled(cpu.get("usage_usec"), _US),
        user_s=scaled(cpu.get("user_usec"), _US),
        system_s=scaled(cpu.get("system_usec"), _US),
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        throttled_s=scaled(cpu.get("throttled_usec"), _US),
        cores=_cores(directory),
        memory=number(directory, "memory.current"),
        inactive_file=memory.get("inactive_file"),
        rss=memory.get("anon"),
        cache=memory.get("file"),
        swap=number(directory, "memory.swap.current"),
        memory_limit=number(directory, "memory.max"),
        oom_kills=pairs(directory, "memory.events").get("oom_kill"),
        threads=number(directory, "pids.current"),
        threads_max=number(directory, "pids.max"),
        disks=_disks(directory, devices),
        pressure=_pressure(directory),
    )


def _cores(directory: Path) -> float | None:
    """Read ``quota period`` as a number of processors; 0 = no quota."""
    text = text_of(directory, "cpu.max")
    if text is None:
        return None
    quota, _, period = text.partition(" ")
    return 0 if quota == "max" else int(quota) / int(period)


def _disks(directory: Path, devices: Mapping[str, str]) -> dict[str, DiskUsage] | None:
    """Read lines such as ``8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0``."""
    text = text_of(directory, "io.stat")
    if text is None:
        return None
    found: dict[str, DiskUsage] = {}
    for line in text.splitlines():
        device, *rest = line.split()
        count = {
            key: int(value) for key, _, value in (part.partition("=") for part in rest) if value.isdigit()
        }
        found[device] = DiskUsage(*(count.get(key, 0) for key in ("rbytes", "wbytes", "rios", "wios")))
    return named(found, devices)


def _pressure(directory: Path) -> dict[str, tuple[float, float | None]] | None:
    """Read the totals of lines such as ``some avg10=0.00 avg60=0.00 avg300=0.00 total=123`` (microseconds)."""
    found: dict[str, tuple[float, float | None]] = {}
    for resource in ("cpu", "memory", "io"):
        lines = (text_of(directory, f"{resource}.pressure") or "").splitlines()
        total = {line.split(" ", 1)[0]: int(line.rpartition("total=")[2]) / _US for line in lines}
        if "some" in total:
            found[resource] = (total["some"], total.get("full"))
    return found or None
