"""What all containers of a host use at one moment, each under its own labels. An exited or excluded container has no samples."""

import os
from pathlib import Path

from agents.settings_values import NodeSettings
from agents.sources import cgroup_tree, network, procfs
from agents.sources.cgroup_tree import Found
from agents.sources.containers import Container
from agents.sources.docker import Docker
from agents.sources.kubernetes import Kubernetes, Names
from agents.sources.samples import Sample, pairs
from agents.sources.usage import samples as usage_samples

Measured = list[tuple[str, list[Sample]]]
"""Labels as ``samples.pairs`` writes them -> the samples of a container, or of a pod's network."""


class Host:
    """The containers of this machine; *proc* is its /proc."""

    def __init__(self, settings: NodeSettings, name: str, proc: Path = procfs.PROC) -> None:
        self._settings = settings
        self._proc = proc
        self._kubernetes = Kubernetes(settings.pods_dir, name)
        self._docker = Docker(settings.docker_dir, name)

    def measure(self) -> Measured:
        """Read every container's counters once."""
        self._docker.forget_removed()
        moment = _Moment(self._proc)
        names = self._kubernetes.names()
        measured: Measured = []
        for found in cgroup_tree.find(self._settings.cgroup_dir):
            container = self._named(found, names)
            if container is None or container.is_excluded(self._settings.exclude):
                continue
            try:
                measured += moment.measure(found, container)
            except OSError:  # it has just ended
                continue
        return measured

    def _named(self, found: Found, names: Names) -> Container | None:
        """Say whose a cgroup is; None for a pod's sandbox, which holds its network and nothing else."""
        if self._docker.is_here(found.id):
            container = self._docker.of_id(found.id)
            return None if container.pod and container.name == "POD" else container
        container = self._kubernetes.of_cgroup(found.id, found.pod_uid, names)
        is_sandbox = bool(container.pod) and not container.name and bool(names.by_id)
        return None if is_sandbox else container


class _Moment:
    """What one round of measuring looks up once: the machine's start, its devices, whose network was counted."""

    def __init__(self, proc: Path) -> None:
        self._proc = proc
        self._booted_at = procfs.boot_time(proc)
        self._devices = procfs.devices(proc)
        self._cpus = os.cpu_count() or 1
        host = network.namespace(1, proc) if network.is_the_hosts(1, proc) else None
        self._counted = {host}

    def measure(self, found: Found, container: Container) -> Measured:
        """
        Read one container.

        Raises:
            OSError: It has ended.
        """
        pids = [pid for pid in found.group.pids() if pid]  # 0 is a process of a namespace that we do not see
        samples = usage_samples(found.group.usage(self._devices, pids), self._cpus)
        samples += [
            Sample("container_start_time_seconds", "gauge", self._started_at(pids)),
            Sample("container_restarts_total", "counter", container.restarts if container.name else None),
        ]
        return [(pairs(container.labels()), samples), *self._network(pids, container)]

    def _started_at(self, pids: list[int]) -> float | None:
        try:
            return self._booted_at + procfs.read_process(pids[0], self._proc).started_s if pids else None
        except OSError:
            return None

    def _network(self, pids: list[int], container: Container) -> Measured:
        """Read a network namespace once: the containers of a pod share one, and some have the host's."""
        where = network.namespace(pids[0], self._proc) if pids else None
        if where is None or where in self._counted:
            return []
        self._counted.add(where)
        of_pod = {"namespace": container.namespace, "pod": container.pod, "service_name": container.service}
        labels = of_pod if container.pod else container.labels()
        return [(pairs(labels), network.samples(pids[0], self._proc))]
