"""The source as the contract tests read it: modules as syntax trees, documents as tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "collector", "dashboards", "demo")


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module under a package of ours, parsed."""
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path, ast.parse(path.read_text(), str(path))


def calls(package: str, names: set[str]) -> Iterator[tuple[Path, str, ast.Call]]:
    """Every call of one of *names*, as (file, name, call)."""
    for path, tree in modules(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in names:
                    yield path, name, node


def table(page: str, heading: str = "") -> list[list[str]]:
    """The cells of the rows of a page's tables, of those under *heading* if it is given; head and rule left out."""
    text = (ROOT / "docs" / page).read_text()
    if heading:
        text = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {number for number, line in enumerate(lines) if set(line) <= set("|-: ")}
    rows = [line for number, line in enumerate(lines) if number not in rules and number + 1 not in rules]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def codes(cell: str) -> list[str]:
    """What stands between backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)
