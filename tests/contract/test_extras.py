"""Each package imports only what the extra that brings it installs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata

import pytest

from tests.contract.sources import PACKAGES, ROOT, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# The base install is the agent; the engine child is the collector's only part that needs the extra 'embedded', otlp_grpc.py the only one
# that needs 'grpc', assistants/ the only one that needs 'mcp', access/oidc/ the only one that needs 'oidc'.
BROUGHT = {
    "agents": PROJECT["dependencies"],
    "collector": [
        *PROJECT["dependencies"],
        *EXTRAS["collector"],
        *EXTRAS["embedded"],
        *EXTRAS["grpc"],
        *EXTRAS["mcp"],
        *EXTRAS["oidc"],
    ],
    "dashboards": [*PROJECT["dependencies"], *EXTRAS["dashboards"]],
    "demo": [*PROJECT["dependencies"], *EXTRAS["demo"]],
}

IN_A_LATER_STANDARD_LIBRARY = {"compression"}  # 3.14


def distribution(requirement: str) -> str:
    """The normalised name in a requirement."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def closure(requirements: list[str]) -> set[str]:
    """What is installed with *requirements*: they and what they need, as far as it is installed here."""
    seen: set[str] = set()
    waiting = [distribution(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        waiting += [distribution(requirement) for requirement in needed if "extra ==" not in requirement]
    return seen


def imported(package: str) -> Iterator[tuple[str, str]]:
    """(file, top-level module) of every import from outside, but those that a ``try`` makes optional."""
    for path, tree in modules(package):
        optional = {
            id(statement)
            for node in ast.walk(tree)
            if isinstance(node, ast.Try)
            for statement in ast.walk(ast.Module(node.body, []))
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in PACKAGES and id(node) not in optional:
                    yield str(path.relative_to(ROOT)), top


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_installed(package: str) -> None:
    """An image or an environment with one extra alone can start its program."""
    brought, owners = closure(BROUGHT[package]), metadata.packages_distributions()
    for file, module in imported(package):
        distributions = {distribution(name) for name in owners.get(module, [])}
        assert distributions & brought or module in IN_A_LATER_STANDARD_LIBRARY, f"{file} imports {module}"
