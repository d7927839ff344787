"""
A YAML file whose errors know their line.

PyYAML's C parser gives nodes with marks; the data is built from the same nodes, and a path into
the data (``("groups", 0, "rules", 2, "breaker")``) leads back to the line it was written on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collector.errors import Malformed

# A rule file is written by hand; beyond this it is another file by mistake.
MAX_BYTES = 4 * 1024 * 1024

Location = Sequence[str | int]


@dataclass(frozen=True)
class YamlFile:
    """One file: its name, its data, and the nodes that know the lines."""

    name: str
    data: Any
    root: yaml.Node

    def error(self, path: Location, sentence: str) -> Malformed:
        """Build the error for the value at *path*: file, line, place, sentence."""
        place = ".".join(str(step) for step in path)
        return Malformed("bad_rule", f"{self.name}:{self.line(path)}: {place}: {sentence}", "rule_files")

    def line(self, path: Location) -> int:
        """Give the 1-based line of the deepest node *path* still leads to."""
        node = self.root
        for step in path:
            below = _child(node, step)
            if below is None:
                break
            node = below
        return int(node.start_mark.line) + 1


def read_yaml(path: Path) -> YamlFile:
    """
    Read one file.

    Raises:
        Malformed: Unreadable, too large, not UTF-8, not YAML, or a key twice (``bad_rule``).
    """
    text = _read(path)
    loader = yaml.CSafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise Malformed("bad_rule", f"{path}:1: the file is empty, expected 'groups:'", "rule_files")
        file = YamlFile(str(path), None, root)
        _refuse_repeated_keys(file, root, ())
        return YamlFile(str(path), loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Malformed("bad_rule", f"{path}:{line}: not YAML: {error.problem}", "rule_files") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Malformed("bad_rule", f"{path}:1: not YAML: {error}", "rule_files") from error
    finally:
        loader.dispose()


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Malformed(
                "bad_rule", f"{path}: larger than {MAX_BYTES} bytes: not a rule file", "rule_files"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("bad_rule", f"{path}: cannot be read: {error}", "rule_files") from error


def _refuse_repeated_keys(file: YamlFile, node: yaml.Node, path: tuple[str | int, ...]) -> None:
    """YAML libraries keep the last of two equal keys in silence; a rule would vanish with the first."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen if isinstance(key.value, str) else False:
                raise Malformed(
                    "bad_rule",
                    f"{file.name}:{key.start_mark.line + 1}: key {key.value!r} is there twice",
                    "rule_files",
                )
            seen.add(str(key.value))
            _refuse_repeated_keys(file, value, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_repeated_keys(file, value, (*path, index))


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        below: yaml.Node = node.value[step]
        return below
    return None
