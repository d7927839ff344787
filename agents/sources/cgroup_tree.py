"""
All containers' cgroups of a host, recognised by the shape of their paths.

    /docker/<id>                                                       cgroupfs driver
    /system.slice/docker-<id>.scope                                    systemd driver; likewise cri-containerd-, crio-, libpod-, nerdctl-
    /kubepods/burstable/pod<uid>/<id>                                  Kubernetes, cgroupfs driver
    /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid, _ for ->.slice/cri-containerd-<id>.scope
    /system.slice:docker:<id>                                          a runtime that was given the other driver's names

An id is 64 hex digits; a scope of anything else (conmon, a health check) is no container. Source: the runtimes' cgroup managers
(opencontainers/runc libcontainer/cgroups, kubernetes pkg/kubelet/cm).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agents.sources.cgroup import V1, Group
from agents.sources.cgroup_files import directories

_RUNTIMES = "docker|cri-containerd|containerd|crio|libpod|nerdctl"
_CONTAINER = re.compile(rf"(?:(?:{_RUNTIMES})-|[^:]+:(?:{_RUNTIMES}):)?(?P<id>[0-9a-f]{{64}})(?:\.scope)?")
_POD = re.compile(r"(?:^|[/-])pod(?P<uid>[0-9a-f][0-9a-f_-]{30,34}[0-9a-f])(?:\.slice)?(?=[/:]|$)")


class Found(NamedTuple):
    """The cgroup of one container; *pod_uid* is "" outside Kubernetes."""

    id: str
    pod_uid: str
    group: Group


def find(root: Path) -> list[Found]:
    """List the containers' groups below *root*, where version 2, version 1 or both are mounted."""
    controllers = {name: root / name for name in V1 if (root / name).is_dir()}
    unified = root / "unified" if (root / "unified").is_dir() else root
    walked = next(iter(controllers.values()), unified)
    return [
        Found(container_id, pod_uid, _group(path, unified, controllers))
        for container_id, pod_uid, path in _containers(walked)
    ]


def _group(path: str, unified: Path, controllers: dict[str, Path]) -> Group:
    here = {name: mount / path for name, mount in controllers.items() if (mount / path).is_dir()}
    own = unified / path
    return Group(own if own.is_dir() else None, here)


def _containers(root: Path) -> Iterator[tuple[str, str, str]]:
    """Give (id, pod uid, path below *root*); what is below a container is part of it."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        for name in directories(root / path):
            below = f"{path}/{name}" if path else name
            if match := _CONTAINER.fullmatch(name):
                pod = _POD.search(below)
                yield match["id"], pod["uid"].replace("_", "-") if pod else "", below
            else:
                waiting.append(below)
