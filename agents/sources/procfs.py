"""
What ``/proc`` knows where there is no cgroup: a process with its descendants, or the whole host.

CPU of a process that has ended is found in its parent (``cutime``, ``cstime``), so the sum over a tree does not fall while
the tree's root lives. Source: proc_pid_stat(5).
"""

import os
from pathlib import Path
from typing import NamedTuple

from agents.sources.samples import Sample

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One line of ``/proc/PID/stat``: CPU in clock ticks, memory in bytes, start in seconds since boot."""

    pid: int
    parent: int
    cpu_ticks: int
    resident_bytes: int
    threads: int
    started_s: float


def read_process(pid: int, proc: Path = PROC) -> Process:
    """
    Read one process.

    Raises:
        OSError: It has ended.
    """
    text = (proc / str(pid) / "stat").read_text(errors="replace")
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold spaces and parentheses
    return Process(
        pid=pid,
        parent=int(fields[1]),
        cpu_ticks=sum(int(field) for field in fields[11:15]),
        resident_bytes=int(fields[21]) * _PAGE_BYTES,
        threads=int(fields[17]),
        started_s=int(fields[19]) / _TICKS,
    )


def tree(root: int, proc: Path = PROC) -> list[Process]:
    """
    Read *root* and its descendants.

    Raises:
        OSError: *root* has ended.
    """
    found = [read_process(root, proc)]
    waiting = _children(root, proc)
    while waiting:
        pid = waiting.pop()
        try:
            found.append(read_process(pid, proc))
            waiting += _children(pid, proc)
        except OSError:  # it ended while we were looking
            continue
    return found


def tree_samples(root: int, proc: Path = PROC) -> list[Sample]:
    """
    Sum up a process and its descendants.

    Raises:
        OSError: *root* has ended.
    """
    processes = tree(root, proc)
    resident = sum(process.resident_bytes for process in processes)
    return [
        Sample(
            "container_cpu_usage_seconds_total",
            "counter",
            sum(process.cpu_ticks for process in processes) / _TICKS,
        ),
        Sample("container_memory_working_set_bytes", "gauge", resident),
        Sample("container_memory_rss", "gauge", resident),
        Sample("container_spec_memory_limit_bytes", "gauge", 0),
        Sample("container_processes", "gauge", len(processes)),
        Sample("container_threads", "gauge", sum(process.threads for process in processes)),
        Sample("container_start_time_seconds", "gauge", boot_time(proc) + processes[0].started_s),
    ]


def host_samples(proc: Path = PROC) -> list[Sample]:
    """Sum up the machine."""
    stat = _stat(proc)
    user, nice, system, _idle, _wait, irq, soft, *_ = (int(field) for field in stat["cpu"].split())
    memory = _memory(proc)
    return [
        Sample("container_cpu_usage_seconds_total", "counter", (user + nice + system + irq + soft) / _TICKS),
        Sample("container_spec_cpu_limit_cores", "gauge", os.cpu_count() or 1),
        Sample("container_memory_working_set_bytes", "gauge", memory["MemTotal"] - memory["MemAvailable"]),
        Sample("container_spec_memory_limit_bytes", "gauge", memory["MemTotal"]),
        Sample("container_processes", "gauge", sum(entry.name.isdigit() for entry in proc.iterdir())),
        Sample("container_start_time_seconds", "gauge", boot_time(proc)),
    ]


def boot_time(proc: Path = PROC) -> float:
    """Give when the machine began, epoch seconds."""
    return float(_stat(proc)["btime"])


def devices(proc: Path = PROC) -> dict[str, str]:
    """Give the name of each block device by its major:minor; empty where /proc does not say."""
    try:
        rows = [line.split(None, 3) for line in (proc / "diskstats").read_text().splitlines()]
    except OSError:
        return {}
    return {f"{row[0]}:{row[1]}": row[2] for row in rows}


def _children(pid: int, proc: Path) -> list[int]:
    found: list[int] = []
    try:
        for task in (proc / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:  # it ended, or the kernel was built without CONFIG_PROC_CHILDREN
        return found
    return found


def _stat(proc: Path) -> dict[str, str]:
    lines = (proc / "stat").read_text().splitlines()
    return {key: rest for key, _, rest in (line.partition(" ") for line in lines)}


def _memory(proc: Path) -> dict[str, int]:
    lines = (proc / "meminfo").read_text().splitlines()
    return {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
