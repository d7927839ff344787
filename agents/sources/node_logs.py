"""
Which logs of a host's containers ``files`` is to follow in node mode, and whose each is.

Kubernetes' come first: where Docker runs its pods, one file is in both places and is followed once. What kubelet is about to
compress (``.tmp``) is left alone like what it has compressed: its lines were read under the name before.
"""

from glob import escape
from pathlib import Path

from agents.settings_values import FilesSettings, NodeSettings
from agents.sources import Origin
from agents.sources.containers import Container
from agents.sources.docker import Docker
from agents.sources.files import Watch
from agents.sources.kubernetes import Kubernetes

_MAX_LINE_BYTES = 1 << 20
_OWN = "service."  # the agent's own service.* describe no container


def watches(settings: NodeSettings, origin: Origin) -> list[Watch]:
    """Make the watches of all containers' logs."""
    host = origin.resource.get("host.name", "")
    kubernetes, docker = Kubernetes(settings.pods_dir, host), Docker(settings.docker_dir, host)
    shared = Origin(
        origin.agent, {key: value for key, value in origin.resource.items() if not key.startswith(_OWN)}
    )

    def origin_of(container: Container | None) -> Origin:
        return origin if container is None else shared.with_resource(container.resource())

    def is_wanted(container: Container | None) -> bool:
        return container is None or not container.is_excluded(settings.exclude)

    return [
        Watch(
            _files(settings, settings.pods_dir, "*/*/[0-9]*.log*"),
            lambda path: origin_of(kubernetes.of_log(path)),
            lambda path: is_wanted(kubernetes.named(path)),
        ),
        Watch(
            _files(settings, settings.docker_dir, "*/*-json.log*"),
            lambda path: origin_of(docker.of_log(path)),
            lambda path: is_wanted(docker.of_log(path)),
        ),
    ]


def _files(settings: NodeSettings, directory: Path, pattern: str) -> FilesSettings:
    return FilesSettings(
        paths=(f"{escape(str(directory))}/{pattern}",),
        exclude=("*.tmp",),
        start_at=settings.start_at,
        format="detect",  # kubelet's directory holds docker's format where Docker runs the pods
        encoding="utf-8",
        multiline=settings.multiline,
        multiline_start=None,
        partial_age_s=5.0,
        max_line_bytes=_MAX_LINE_BYTES,
        resource={},
    )
