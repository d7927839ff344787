"""docker-compose.yml and docker/Dockerfile as the tests ask about them; no Docker engine is needed, and none was there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "docker" / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")


def services() -> dict[str, dict[str, Any]]:
    """The services, anchors and merge keys resolved, variables as written."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


def named_volumes() -> set[str]:
    """The volumes declared at the end."""
    return set(yaml.safe_load(FILE.read_text())["volumes"])


def variables() -> dict[str, set[str]]:
    """Each ``${VARIABLE…}`` with what stands behind its name, everywhere in the file but in its comments."""
    found: dict[str, set[str]] = {}
    for line in FILE.read_text().splitlines():
        if not line.lstrip().startswith("#"):
            for name, rest in _VARIABLE.findall(line):
                found.setdefault(name, set()).add(rest)
    return found


def environment(service: dict[str, Any]) -> dict[str, str]:
    """A service's environment as its process sees it, each variable replaced by a value for tests."""
    given: dict[str, str] = service.get("environment", {})
    return {name: _VARIABLE.sub("given", value) for name, value in given.items()}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Path in the container -> named volume or path beside the file."""
    pairs = [mount.split(":") for mount in service.get("volumes", [])]
    return {parts[1]: parts[0] for parts in pairs}


def health_url(service: dict[str, Any]) -> tuple[int, str]:
    """Port and path that a service's health check asks."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)([^'\"\s]*)", " ".join(service["healthcheck"]["test"]))
    assert found is not None
    return int(found[1]), found[2]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Each stage of the Dockerfile: its instructions as (word, rest), continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.split(" AS ")[1]
        found.setdefault(name, []).append((word, rest.strip()))
    return found


def copied() -> list[str]:
    """Paths of the checkout that some COPY takes."""
    rests = [rest for stage in stages().values() for word, rest in stage if word == "COPY"]
    words = [[word for word in shlex.split(rest) if not word.startswith("--")] for rest in rests]
    return [path for sources in words for path in sources[:-1]]


def command(service: dict[str, Any]) -> list[str]:
    """What a service of ours runs: the entry point of its image or its own, then its command."""
    own: list[str] | None = service.get("entrypoint")
    if own is None:
        image = dict(stages()[service["build"]["target"]])
        own = yaml.safe_load(image["ENTRYPOINT"])
    return [*own, *service.get("command", [])]
