"""
Which logs of a host's containers ``files`` is to follow in node mode, and whose each is.

Kubernetes' come first: where Docker runs its pods, one file is in both places and is followed once. What kubelet is about to
compress (``.tmp``) is left alone like what it has compressed: its lines were read under the name before.
"""

from dataclasses import replace
from glob import escape
from pathlib import Path

from agents.settings_values import FilesSettings, NodeSettings
from agents.sources import Origin
from agents.sources.docker import Docker
from agents.sources.files import Watch
from agents.sources.kubernetes import Kubernetes

_MAX_LINE_BYTES = 1 << 20
_OWN = "service."  # the agent's own service.* describe no container


def watches(settings: NodeSettings, origin: Origin) -> list[Watch]:
    """Make the watches of all containers' logs."""
    names = _Names(settings, origin)
    return [
        Watch(_files(settings, settings.pods_dir, "*/*/[0-9]*.log*"), names.origin_of, names.is_wanted),
        Watch(_files(settings, settings.docker_dir, "*/*-json.log*"), names.origin_of, names.is_wanted),
    ]


class _Names:
    """Whose a log is, by its path."""

    def __init__(self, settings: NodeSettings, origin: Origin) -> None:
        host = origin.resource.get("host.name", "")
        shared = {key: value for key, value in origin.resource.items() if not key.startswith(_OWN)}
        self._settings = settings
        self._own = origin
        self._shared = Origin(origin.agent, shared)
        self._kubernetes = Kubernetes(settings.pods_dir, host)
        self._docker = Docker(settings.docker_dir, host)

    def origin_of(self, path: str) -> Origin:
        """Give the container's resource over what the host shares; the agent's own for a path that is no container's."""
        found = self._docker.of_log(path) if self._is_dockers(path) else self._kubernetes.of_log(path)
        if found is None:
            return self._own
        return replace(self._shared.with_resource(found.resource()), place=found.place())

    def is_wanted(self, path: str) -> bool:
        """Say whether the settings do not exclude the container."""
        found = self._docker.of_log(path) if self._is_dockers(path) else self._kubernetes.named(path)
        return found is None or not found.is_excluded(self._settings.exclude)

    def _is_dockers(self, path: str) -> bool:
        return Path(path).is_relative_to(self._settings.docker_dir)


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
