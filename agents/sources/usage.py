"""What one container uses, however it was found out, and its samples under cAdvisor's names."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from agents.sources.samples import Sample


class DiskUsage(NamedTuple):
    """Bytes and operations of one device since the container began."""

    read_bytes: int
    written_bytes: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """
    The numbers of one container; None = the kernel does not say.

    ``cores`` is the CPU quota and ``memory_limit`` the limit in bytes, 0 = none; ``disks`` is by device (name, else major:minor);
    ``pressure`` is resource -> seconds in which (some, all) tasks waited.
    """

    cpu_s: float | None = None
    user_s: float | None = None
    system_s: float | None = None
    periods: float | None = None
    throttled_periods: float | None = None
    throttled_s: float | None = None
    cores: float | None = None
    memory: float | None = None
    inactive_file: float | None = None
    rss: float | None = None
    cache: float | None = None
    swap: float | None = None
    memory_limit: float | None = None
    oom_kills: float | None = None
    processes: float | None = None
    threads: float | None = None
    threads_max: float | None = None
    disks: dict[str, DiskUsage] | None = None
    pressure: dict[str, tuple[float, float | None]] | None = None

    def over(self, other: "Usage") -> "Usage":
        """Fill in from *other* what is not known here."""
        missing = {
            one.name: getattr(other, one.name) for one in fields(self) if getattr(self, one.name) is None
        }
        return replace(self, **missing)

    def working_set(self) -> float | None:
        """Give the memory that cannot be reclaimed without cost, as cAdvisor counts it: what a limit is compared with."""
        if self.memory is None or self.inactive_file is None:
            return self.memory
        return max(0, self.memory - self.inactive_file)


def samples(used: Usage, cpus: int) -> list[Sample]:
    """Name the numbers; *cpus* is the limit where no quota is set."""
    return [
        Sample("container_cpu_usage_seconds_total", "counter", used.cpu_s),
        Sample("container_cpu_user_seconds_total", "counter", used.user_s),
        Sample("container_cpu_system_seconds_total", "counter", used.system_s),
        Sample("container_cpu_cfs_periods_total", "counter", used.periods),
        Sample("container_cpu_cfs_throttled_periods_total", "counter", used.throttled_periods),
        Sample("container_cpu_cfs_throttled_seconds_total", "counter", used.throttled_s),
        Sample("container_spec_cpu_limit_cores", "gauge", None if used.cores is None else used.cores or cpus),
        Sample("container_memory_usage_bytes", "gauge", used.memory),
        Sample("container_memory_working_set_bytes", "gauge", used.working_set()),
        Sample("container_memory_rss", "gauge", used.rss),
        Sample("container_memory_cache", "gauge", used.cache),
        Sample("container_memory_swap", "gauge", used.swap),
        Sample("container_spec_memory_limit_bytes", "gauge", used.memory_limit),
        Sample("container_oom_events_total", "counter", used.oom_kills),
        Sample("container_processes", "gauge", used.processes),
        Sample("container_threads", "gauge", used.threads),
        Sample("container_threads_max", "gauge", used.threads_max),
        *_disks(used.disks or {}),
        *_pressure(used.pressure or {}),
    ]


def _disks(disks: dict[str, DiskUsage]) -> Iterator[Sample]:
    for device, disk in disks.items():
        labels = (("device", device),)
        yield Sample("container_fs_reads_bytes_total", "counter", disk.read_bytes, labels)
        yield Sample("container_fs_writes_bytes_total", "counter", disk.written_bytes, labels)
        yield Sample("container_fs_reads_total", "counter", disk.reads, labels)
        yield Sample("container_fs_writes_total", "counter", disk.writes, labels)


def _pressure(pressure: dict[str, tuple[float, float | None]]) -> Iterator[Sample]:
    cpu, memory, io = (pressure.get(resource, (None, None)) for resource in ("cpu", "memory", "io"))
    yield Sample("container_pressure_cpu_waiting_seconds_total", "counter", cpu[0])
    yield Sample("container_pressure_cpu_stalled_seconds_total", "counter", cpu[1])
    yield Sample("container_pressure_memory_waiting_seconds_total", "counter", memory[0])
    yield Sample("container_pressure_memory_stalled_seconds_total", "counter", memory[1])
    yield Sample("container_pressure_io_waiting_seconds_total", "counter", io[0])
    yield Sample("container_pressure_io_stalled_seconds_total", "counter", io[1])
