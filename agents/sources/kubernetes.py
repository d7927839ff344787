"""
Kubernetes' names of this node's containers, from paths alone: no API server is asked.

``<pods_dir>/<namespace>_<pod>_<uid>/<container>/<restarts>.log`` (rotated: ``<restarts>.log.<time>``, then compressed), and beside it
``containers/<pod>_<namespace>_<container>-<id>.log``, links to them: the only place that tells which id is which container.

Source: kubernetes, pkg/kubelet/kuberuntime (BuildContainerLogsDirectory, legacy.go) and pkg/kubelet/logs/container_log_manager.go.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agents.sources.containers import Container, workload

_LINK = re.compile(r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<name>.+)-(?P<id>[0-9a-f]{64})\.log")


class Names(NamedTuple):
    """What the directories say at one moment: (namespace, pod, container) by id, (namespace, pod) by the pod's uid."""

    by_id: dict[str, tuple[str, str, str]]
    by_uid: dict[str, tuple[str, str]]


class Kubernetes:
    """The logs of one node; *host* is its name, for static pods."""

    def __init__(self, pods_dir: Path, host: str) -> None:
        self._pods = pods_dir
        self._links = pods_dir.parent / "containers"
        self._host = host

    def named(self, path: str) -> Container | None:
        """Say what a log file's path alone tells; None when it is no container's."""
        file = Path(path)
        parts = file.parent.parent.name.split("_")
        restarts = file.name.partition(".")[0]
        if len(parts) != 3 or not all(parts) or not restarts.isdigit():
            return None
        namespace, pod, uid = parts
        name, service = file.parent.name, workload(pod, self._host)
        return Container(name, service, namespace=namespace, pod=pod, pod_uid=uid, restarts=int(restarts))

    def of_log(self, path: str) -> Container | None:
        """Say whose a log file is, its id included where a link tells."""
        found = self.named(path)
        if found is None:
            return None
        link = f"{found.pod}_{found.namespace}_{found.name}-"
        return replace(found, id=self._id_of(link, Path(path).parent / f"{found.restarts}.log"))

    def of_cgroup(self, container_id: str, pod_uid: str, names: Names) -> Container:
        """
        Say whose a cgroup is.

        Returns:
            Without a name where nothing tells (a pod's sandbox has no log), without a pod where that is gone.
        """
        namespace, pod, name = names.by_id.get(container_id, (*names.by_uid.get(pod_uid, ("", "")), ""))
        return Container(
            name,
            workload(pod, self._host),
            container_id,
            namespace=namespace,
            pod=pod,
            pod_uid=pod_uid,
            restarts=self._restarts(f"{namespace}_{pod}_{pod_uid}", name) if name else 0,
        )

    def names(self) -> Names:
        """Look what is there now."""
        matches = (_LINK.fullmatch(name) for name in _entries(self._links))
        pods = (name.split("_") for name in _entries(self._pods))
        return Names(
            {match["id"]: (match["namespace"], match["pod"], match["name"]) for match in matches if match},
            {part[2]: (part[0], part[1]) for part in pods if len(part) == 3},
        )

    def _id_of(self, beginning: str, log: Path) -> str:
        """Find the link that leads to *log*; "" while kubelet has not made it."""
        for name in _entries(self._links):
            if name.startswith(beginning) and (match := _LINK.fullmatch(name)):
                try:
                    if (self._links / name).readlink() == log:
                        return match["id"]
                except OSError:  # it has just been replaced
                    continue
        return ""

    def _restarts(self, pod: str, name: str) -> int:
        numbers = (file.partition(".")[0] for file in _entries(self._pods / pod / name))
        return max((int(number) for number in numbers if number.isdigit()), default=0)


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are all that is asked
    except OSError:
        return []
