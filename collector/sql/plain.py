"""
DESCRIBE, EXISTS and SHOW CREATE: the engine gives no tree for them, so their normal form (``formatQuerySingleLine``) is read here.

The normal form has no comments, one space between words and names in backticks where they need them; anything that is not exactly
one of the shapes below is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z_][A-Za-z0-9_ ]*`)"
_TABLE = rf"(?:(?P<database>{_NAME})\.)?(?P<table>{_NAME})"
_FORMAT = r"(?: FORMAT (?P<format>\w+))?"
_ABOUT_TABLE = re.compile(
    rf"(?P<verb>DESCRIBE TABLE|EXISTS TABLE|EXISTS VIEW|SHOW CREATE TABLE|SHOW CREATE VIEW) {_TABLE}{_FORMAT}"
)
_ABOUT_DATABASE = re.compile(rf"(?P<verb>EXISTS DATABASE) (?P<database>{_NAME}){_FORMAT}")
_ABOUT_SELECT = re.compile(
    rf"(?P<verb>DESCRIBE TABLE) \((?P<select>(?:SELECT|WITH) .*)\){_FORMAT}", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Plain:
    """
    One such statement.

    Attributes:
        verb: Its first words.
        database: Named in it, or ``None``.
        table: Named in it, or ``None``.
        select: What DESCRIBE is about instead of a table.
        format: Of its FORMAT clause; empty: none.
    """

    verb: str
    database: str | None
    table: str | None
    select: str | None
    format: str


def read_plain(normal: str) -> Plain | None:
    """Read a statement's normal form; ``None``: it is none of these."""
    for shape in (_ABOUT_TABLE, _ABOUT_DATABASE, _ABOUT_SELECT):
        if found := shape.fullmatch(normal):
            parts = found.groupdict()
            return Plain(
                parts["verb"],
                _bare(parts.get("database")),
                _bare(parts.get("table")),
                parts.get("select"),
                parts["format"] or "",
            )
    return None


def _bare(name: str | None) -> str | None:
    return name.strip("`") if name else None
