"""
A container of this host as its log, its cgroup and its names tell of it; what both Kubernetes and Docker fill in.

The service is the one a container is a copy of: in Kubernetes the workload (OpenTelemetry's order without the labels, which no file of
the node holds: deployment, else pod), in Docker the compose or swarm service, else the container's name.

Source: https://opentelemetry.io/docs/specs/semconv/non-normative/k8s-attributes/ (service attributes)
"""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

# What Kubernetes makes random names of: no vowels, nothing that looks like another character (apimachinery, util/rand).
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
# deployment-<replica set>-<pod>, cronjob-<minutes>-<pod>, replica set, daemon set or job-<pod>, stateful set-<ordinal>
_POD = re.compile(
    rf"(?P<name>.+?)(?:-(?:{_RANDOM}{{6,10}}|[0-9]{{8,10}}))?-{_RANDOM}{{5}}|(?P<set>.+)-[0-9]+"
)


@dataclass(frozen=True, slots=True)
class Container:
    """
    One container, not necessarily running.

    ``name`` is Kubernetes' container name or Docker's name; ``namespace``, ``pod`` and ``pod_uid`` are empty outside Kubernetes, ``project``
    outside compose; ``id`` (64 hex digits) and ``image`` are empty where nothing tells.
    """

    name: str
    service: str
    id: str = ""
    image: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    project: str = ""
    restarts: int = 0

    def is_excluded(self, patterns: Sequence[str]) -> bool:
        """Say whether a glob pattern names it: ``namespace/pod/container``, or the name outside Kubernetes."""
        full = f"{self.namespace}/{self.pod}/{self.name}" if self.pod else self.name
        return any(fnmatch.fnmatchcase(full, pattern) for pattern in patterns)

    def resource(self) -> dict[str, str]:
        """Give the attributes of its logs, without those that are not known."""
        found = {
            "service.name": self.service,
            "service.namespace": self.namespace or self.project,
            "service.instance.id": f"{self.namespace}.{self.pod}.{self.name}" if self.pod else self.id[:12],
            "k8s.namespace.name": self.namespace,
            "k8s.pod.name": self.pod,
            "k8s.pod.uid": self.pod_uid,
            "k8s.container.name": self.name if self.pod else "",
            "k8s.container.restart_count": str(self.restarts) if self.pod else "",
            "container.id": self.id,
            "container.name": self.name,
            "container.image.name": self.image,
        }
        return {key: value for key, value in found.items() if value}

    def place(self) -> str:
        """Name what it is a copy of, for counting: a bounded set, however many copies come and go."""
        parts = (self.namespace or self.project, self.service, self.name if self.pod else "")
        return "/".join(part for part in parts if part)

    def labels(self) -> dict[str, str]:
        """Give the labels of its samples; ``container`` comes first, so that none is the beginning of a pod's."""
        found = {
            "container": self.name,
            "namespace": self.namespace,
            "pod": self.pod,
            "id": self.id,
            "service_name": self.service,
        }
        return {key: value for key, value in found.items() if value or key == "container"}


def workload(pod: str, host: str = "") -> str:
    """
    Derive what a pod is a copy of from its name.

    ``checkout-7d9c5b8f6d-x2x9k`` and ``checkout-x2x9k`` are ``checkout``, ``db-0`` is ``db``, ``kube-proxy-<host>`` (a static pod) is
    ``kube-proxy``; any other name is itself.
    """
    if host and pod.endswith(f"-{host}"):
        return pod.removesuffix(f"-{host}")
    match = _POD.fullmatch(pod)
    return (match["name"] or match["set"]) if match else pod
