"""
Where the cgroup of a process is: one directory in version 2, one per controller in version 1, both on hybrid mounts.

A root group is nobody's: it has no limits, and its counters are the machine's. Version 1 marks it by ``release_agent``; in version 2
it has none of the files asked for here. Inside a container its own group is mounted as the root and is no root group.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cgroups.rst; proc_pid_cgroup(5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.sources import cgroup_v1, cgroup_v2
from agents.sources.cgroup_files import directories
from agents.sources.usage import Usage

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
V1 = ("cpu", "cpuacct", "memory", "pids", "blkio")


@dataclass(frozen=True, slots=True)
class Group:
    """The directories of one group: *unified* is version 2's, *controllers* version 1's by name."""

    unified: Path | None = None
    controllers: Mapping[str, Path] = field(default_factory=dict)

    def usage(self, devices: Mapping[str, str], pids: Sequence[int]) -> Usage:
        """
        Read the counters, of version 1 where a controller is mounted there.

        Args:
            devices: Major:minor -> name.
            pids: ``pids()``; none at all is not known, the process namespace may be another's.

        Raises:
            OSError: The group is gone, perhaps while it was read: half of its counters would be no measurement.
        """
        used = cgroup_v1.read(self.controllers, devices)
        if self.unified is not None:
            used = used.over(cgroup_v2.read(self.unified, devices))
        if used == Usage() or not all(directory.is_dir() for directory in self._directories()):
            raise OSError(f"cgroup {self.unified or next(iter(self.controllers.values()), None)} is gone")
        return used.over(Usage(processes=len(pids) or None))

    def _directories(self) -> list[Path]:
        return [*self.controllers.values(), *([self.unified] if self.unified is not None else [])]

    def pids(self) -> list[int]:
        """List the processes of the group and of those below it."""
        waiting = [next(iter(self.controllers.values()), self.unified)]
        found: list[int] = []
        while waiting:
            if (directory := waiting.pop()) is not None:
                found += [int(pid) for pid in _lines(directory / "cgroup.procs")]
                waiting += [directory / name for name in directories(directory)]
        return found


def find(pid: int, root: Path = ROOT, proc: Path = PROC) -> Group | None:
    """
    Find the group of *pid* (0 = our own).

    Returns:
        None where it is in root groups only, or in none.
    """
    unified: Path | None = None
    controllers: dict[str, Path] = {}
    for line in _lines(proc / (str(pid) if pid else "self") / "cgroup"):
        _, names, path = line.split(":", 2)
        if not names:
            unified = _unified(root, path) or _unified(root / "unified", path)
        for name in set(names.split(",")) & {*V1}:
            if directory := _controller([root / name, root / names], path):
                controllers[name] = directory
    return Group(unified, controllers) if unified or controllers else None


def _unified(root: Path, path: str) -> Path | None:
    files = ("memory.current", "cpu.max", "pids.current")
    for directory in (root / path.lstrip("/"), root):
        if any((directory / name).is_file() for name in files):
            return directory
    return None


def _controller(mounts: list[Path], path: str) -> Path | None:
    for mount in mounts:
        for directory in (mount / path.lstrip("/"), mount):
            if directory.is_dir() and not (directory / "release_agent").exists():
                return directory
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
