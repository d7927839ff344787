"""
The counters of cgroup version 1, one directory per controller.

``total_*`` of memory.stat counts the groups below too, as version 2 always does. Source: Linux,
Documentation/admin-guide/cgroup-v1/{memory,cpuacct,blkio-controller}.rst.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from agents.sources.cgroup_files import named, number, pairs, scaled, text_of
from agents.sources.usage import DiskUsage, Usage

_NS = 1e9
_TICKS = os.sysconf("SC_CLK_TCK")
_NO_LIMIT = 1 << 60  # the kernel writes the largest multiple of a page


def read(controllers: Mapping[str, Path], devices: Mapping[str, str]) -> Usage:
    """Read what there is; *devices* is major:minor -> name."""
    used = _memory(controllers["memory"]) if "memory" in controllers else Usage()
    for name, one in (("cpuacct", _time), ("cpu", _quota), ("pids", _pids)):
        if name in controllers:
            used = used.over(one(controllers[name]))
    if "blkio" in controllers:
        used = used.over(Usage(disks=_disks(controllers["blkio"], devices)))
    return used


def _memory(directory: Path) -> Usage:
    stat = pairs(directory, "memory.stat")
    limit = number(directory, "memory.limit_in_bytes")
    return Usage(
        memory=number(directory, "memory.usage_in_bytes"),
        inactive_file=stat.get("total_inactive_file"),
        rss=stat.get("total_rss"),
        cache=stat.get("total_cache"),
        swap=stat.get("total_swap"),
        memory_limit=0 if limit is not None and limit > _NO_LIMIT else limit,
        oom_kills=pairs(directory, "memory.oom_control").get("oom_kill"),
    )


def _time(directory: Path) -> Usage:
    stat = pairs(directory, "cpuacct.stat")
    total = number(directory, "cpuacct.usage")
    return Usage(
        cpu_s=None if total is None else total / _NS,
        user_s=scaled(stat.get("user"), _TICKS),
        system_s=scaled(stat.get("system"), _TICKS),
    )


def _quota(directory: Path) -> Usage:
    stat = pairs(directory, "cpu.stat")
    quota, period = (number(directory, f"cpu.cfs_{what}_us") for what in ("quota", "period"))
    return Usage(
        periods=stat.get("nr_periods"),
        throttled_periods=stat.get("nr_throttled"),
        throttled_s=scaled(stat.get("throttled_time"), _NS),
        cores=None if quota is None or not period else max(0, quota) / period,
    )


def _pids(directory: Path) -> Usage:
    return Usage(threads=number(directory, "pids.current"), threads_max=number(directory, "pids.max"))


def _disks(directory: Path, devices: Mapping[str, str]) -> dict[str, DiskUsage] | None:
    """Read lines such as ``8:0 Read 4096`` of bytes and of operations; the last line is a total without a device."""
    size, operations = _throttle(directory, "io_service_bytes"), _throttle(directory, "io_serviced")
    if size is None or operations is None:
        return None
    found = {
        device: DiskUsage(
            *(table.get((device, kind), 0) for table in (size, operations) for kind in ("Read", "Write"))
        )
        for device, _ in size
    }
    return named(found, devices)


def _throttle(directory: Path, name: str) -> dict[tuple[str, str], int] | None:
    text = text_of(directory, f"blkio.throttle.{name}_recursive")
    if text is None:
        text = text_of(directory, f"blkio.throttle.{name}")
    if text is None:
        return None
    rows = (line.split() for line in text.splitlines())
    return {(row[0], row[1]): int(row[2]) for row in rows if len(row) == 3}
