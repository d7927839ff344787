"""What holds for the whole checkout."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.sources import PACKAGES, ROOT, modules

_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
# Where a package came from is the business of whoever installs it.
_REGISTRY = re.compile(r"https?://[\w.:@-]*(npmjs|pypi|pythonhosted|yarnpkg)[\w.-]*", re.IGNORECASE)
_HOME = re.compile(r"(?<![\w.>}])/(?:home|Users)/[a-z]\w*/|(?<![\w.>}])/(?:root)/")
# Short ones ("/src") could be meant for a container.
_PARTS_OF_A_PATH_OF_ONES_OWN = 3


def texts() -> Iterator[tuple[str, str]]:
    """Every tracked text file: its path and what it says."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix not in {".png", ".ico", ".woff2"} and path.is_file():
            yield name, path.read_text(errors="replace")


def of_this_machine() -> list[str]:
    """Absolute paths that only make sense here: the checkout and a virtual environment outside of it."""
    paths = [ROOT] + ([Path(sys.prefix)] if sys.prefix != sys.base_prefix else [])
    return [str(path) for path in paths if len(path.parts) >= _PARTS_OF_A_PATH_OF_ONES_OWN]


def test_no_path_of_one_machine_is_in_the_tree() -> None:
    """Neither this checkout's place nor anybody's home is written anywhere."""
    for name, text in texts():
        assert [path for path in of_this_machine() if path in text] == [], name
        assert _HOME.search(text) is None, name


def test_no_package_registry_is_in_the_tree() -> None:
    """Lock files name versions and hashes, not the host they were fetched from."""
    for name, text in texts():
        assert _REGISTRY.search(text) is None, name
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_lives_in_it(package: str) -> None:
    """Each directory with modules is a package whose docstring is its map."""
    folders = {path.parent for path, _ in modules(package)}
    maps = {
        path.parent: ast.get_docstring(tree) for path, tree in modules(package) if path.name == "__init__.py"
    }

    assert set(maps) == folders
    assert [str(folder) for folder, text in maps.items() if not text] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    """Each module begins with a docstring."""
    assert [str(path) for path, tree in modules(package) if not ast.get_docstring(tree)] == []


def test_links_between_documents_lead_somewhere() -> None:
    """Each relative link of a page is a file; pictures are taken from a running system."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in _LINK.findall(page.read_text()):
            assert (page.parent / target).exists() or target.endswith(".png"), f"{page.name}: {target}"


def test_files_that_the_readme_walks_through_exist() -> None:
    """The walk of one log line names files as they are."""
    walk = (ROOT / "README.md").read_text().split("## The walk of one log line")[1].split("```")[1]
    named = re.findall(r"^\s*((?:agents|collector|dashboards)/\S+)", walk, re.MULTILINE)

    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_decision_is_listed() -> None:
    """docs/adr/README.md names each decision; their numbers have no gap."""
    folder = ROOT / "docs" / "adr"
    decisions = sorted(path.name for path in folder.glob("[0-9]*.md"))

    assert [int(name[:4]) for name in decisions] == list(range(1, len(decisions) + 1))
    assert all(f"]({name})" in (folder / "README.md").read_text() for name in decisions)


def test_imports_go_the_ways_the_design_allows() -> None:
    """import-linter's contracts in pyproject.toml hold."""
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([linter], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)

    assert told.returncode == 0, told.stdout
