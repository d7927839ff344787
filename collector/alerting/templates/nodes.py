"""What a template is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    """Words between actions."""

    text: str


@dataclass(frozen=True)
class Literal:
    """A string, number, true, false or nil."""

    value: Any


@dataclass(frozen=True)
class Dot:
    """``.`` and fields of it: ``.Labels.job``."""

    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variable:
    """``$name`` and fields of it; ``$`` alone is ""."""

    name: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inner:
    """A pipeline in parentheses, and fields of what it gives."""

    pipeline: Pipeline
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Function:
    """A function's name."""

    name: str


Operand = Literal | Dot | Variable | Inner | Function
Command = tuple[Operand, ...]


@dataclass(frozen=True)
class Pipeline:
    """``$a, $b := command | command``: *names* are declared, or assigned if not *declares*."""

    commands: tuple[Command, ...]
    names: tuple[str, ...] = ()
    declares: bool = True


@dataclass(frozen=True)
class Action:
    """``{{ pipeline }}``."""

    pipeline: Pipeline


@dataclass(frozen=True)
class Branch:
    """``if``, ``range`` or ``with``, its body and its ``else``."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True)
class Leave:
    """``break`` or ``continue``."""

    kind: str


Node = Text | Action | Branch | Leave
