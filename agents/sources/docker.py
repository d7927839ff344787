"""
Docker's names of this host's containers, from ``<docker_dir>/<id>/config.v2.json``; the daemon is not asked.

The file is written anew at each change of state and read again when it was. Its form is the daemon's own, unchanged since Docker 1.10;
what is not there is taken as unknown. Source: moby/moby, container/container.go; docs.docker.com, "Compose labels".
"""

import json
from pathlib import Path
from typing import Any

from agents.sources.containers import Container, workload

_SERVICE_LABELS = ("com.docker.compose.service", "com.docker.swarm.service.name")
_K8S = "io.kubernetes."  # labels of the shim that Kubernetes drives Docker through


class Docker:
    """The containers below one directory; any thread may ask."""

    def __init__(self, containers_dir: Path, host: str) -> None:
        self._directory = containers_dir
        self._host = host
        self._known: dict[str, tuple[int, Container]] = {}

    def of_log(self, path: str) -> Container:
        """Say whose a log file is."""
        return self.of_id(Path(path).parent.name)

    def of_id(self, container_id: str) -> Container:
        """Say what a container is called; its short id stands for what cannot be read."""
        file = self._directory / container_id / "config.v2.json"
        try:
            changed = file.stat().st_mtime_ns
            known = self._known.get(container_id)
            if known is None or known[0] != changed:
                known = (changed, self._described(container_id, json.loads(file.read_bytes())))
                self._known[container_id] = known
        except (OSError, ValueError, AttributeError, TypeError):  # not ours to read, or not what we know
            self._known.pop(container_id, None)
            return Container(container_id[:12], container_id[:12], container_id)
        return known[1]

    def is_here(self, container_id: str) -> bool:
        """Say whether Docker has a container of this id."""
        return (self._directory / container_id).is_dir()

    def forget_removed(self) -> None:
        """Let go of containers that are no more."""
        for container_id in list(self._known):
            if not self.is_here(container_id):
                self._known.pop(container_id, None)

    def _described(self, container_id: str, config: dict[str, Any]) -> Container:
        inner = config.get("Config") or {}
        labels = inner.get("Labels") or {}
        name = str(config.get("Name") or container_id[:12]).lstrip("/")
        pod = str(labels.get(f"{_K8S}pod.name", ""))
        service = next((labels[key] for key in _SERVICE_LABELS if labels.get(key)), name)
        return Container(
            str(labels.get(f"{_K8S}container.name", name)) if pod else name,
            workload(pod, self._host) if pod else str(service),
            container_id,
            image=str(inner.get("Image", "")),
            namespace=str(labels.get(f"{_K8S}pod.namespace", "")),
            pod=pod,
            pod_uid=str(labels.get(f"{_K8S}pod.uid", "")),
            project=str(labels.get("com.docker.compose.project", "")),
            restarts=int(config.get("RestartCount") or 0),
        )
