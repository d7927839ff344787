"""
The counters of one cgroup v2 directory, under cAdvisor's names.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst; working set = current − inactive_file, as cAdvisor has it.
"""

from pathlib import Path

from agents.sources.samples import Sample

ROOT = Path("/sys/fs/cgroup")


def find(pid: int, root: Path = ROOT, proc: Path = Path("/proc")) -> Path | None:
    """
    Find the cgroup v2 directory of *pid* (0 = our own).

    Returns:
        None where there is no cgroup v2, or where it is the root, which has no limits and no memory counters.
    """
    try:
        lines = (proc / (str(pid) if pid else "self") / "cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if own is None:
        return None
    for directory in (
        root / own.lstrip("/"),
        root,
    ):  # inside a container its own group is mounted as the root
        if (directory / "memory.current").is_file():
            return directory
    return None


def samples(directory: Path, cpus: int, started_at: float) -> list[Sample]:
    """
    Read one group.

    Args:
        directory: Of the group.
        cpus: Processors of the machine: the limit where none is set.
        started_at: When its first process began, epoch seconds.

    Raises:
        OSError: The group is gone.
    """
    cpu = _pairs(directory / "cpu.stat")
    memory = _pairs(directory / "memory.stat")
    events = _pairs(directory / "memory.events")
    current = int((directory / "memory.current").read_text())
    quota = _quota(directory / "cpu.max")
    found = [
        Sample("container_cpu_usage_seconds_total", "counter", cpu.get("usage_usec", 0) / 1e6),
        Sample("container_cpu_user_seconds_total", "counter", cpu.get("user_usec", 0) / 1e6),
        Sample("container_cpu_system_seconds_total", "counter", cpu.get("system_usec", 0) / 1e6),
        Sample("container_cpu_cfs_periods_total", "counter", cpu.get("nr_periods", 0)),
        Sample("container_cpu_cfs_throttled_periods_total", "counter", cpu.get("nr_throttled", 0)),
        Sample("container_cpu_cfs_throttled_seconds_total", "counter", cpu.get("throttled_usec", 0) / 1e6),
        Sample("container_spec_cpu_limit_cores", "gauge", quota or cpus),
        Sample("container_memory_usage_bytes", "gauge", current),
        Sample(
            "container_memory_working_set_bytes", "gauge", max(0, current - memory.get("inactive_file", 0))
        ),
        Sample("container_memory_rss", "gauge", memory.get("anon", 0)),
        Sample("container_spec_memory_limit_bytes", "gauge", _limit(directory / "memory.max")),
        Sample("container_oom_events_total", "counter", events.get("oom_kill", 0)),
        Sample("container_start_time_seconds", "gauge", started_at),
    ]
    pids = directory / "pids.current"
    if pids.is_file():
        found.append(Sample("container_processes", "gauge", int(pids.read_text())))
    return found


def _pairs(file: Path) -> dict[str, int]:
    """Read lines of ``key number``; a controller that is off has no file."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {key: int(value) for key, _, value in (line.partition(" ") for line in lines)}


def _limit(file: Path) -> float:
    """Read a limit; 0 = none, as cAdvisor writes it."""
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        return 0
    return 0 if text == "max" else int(text)


def _quota(file: Path) -> float:
    """Read ``quota period`` as a number of processors; 0 = none."""
    try:
        quota, _, period = file.read_text().partition(" ")
    except FileNotFoundError:
        return 0
    return 0 if quota == "max" else int(quota) / int(period)
