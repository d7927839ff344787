"""Nodes and what they are filled with -> text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from collector.alerting.templates.functions import FUNCTIONS, Row, truth
from collector.alerting.templates.nodes import (
    Action,
    Branch,
    Command,
    Dot,
    Function,
    Inner,
    Leave,
    Literal,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from collector.alerting.templates.printing import shown

# Far longer than anybody reads; a loop in a loop is the only way there.
_LONGEST = 64 * 1024


def _no_query(text: str) -> Sequence[Row]:
    raise ValueError(f"query {text!r}: there is nothing to ask here")


@dataclass(frozen=True)
class Given:
    """
    What a template may name.

    Attributes:
        labels: ``$labels``.
        value: ``$value``.
        external_labels: ``$externalLabels``.
        external_url: ``$externalURL``.
        query: Answers ``query "…"``; raises `ValueError`.
        now_s: Seconds since the epoch.
    """

    labels: Mapping[str, str]
    value: float
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    query: Callable[[str], Sequence[Row]] = _no_query
    now_s: float = 0.0


class _Left(Exception):
    """``break`` or ``continue``."""


def fill(nodes: Sequence[Node], given: Given) -> str:
    """
    Fill a template.

    Raises:
        ValueError: A function cannot be given what it was given, or the text has no end.
    """
    filling = _Filling(given)
    filling.block(nodes)
    return "".join(filling.written)


class _Filling:
    def __init__(self, given: Given) -> None:
        self.written: list[str] = []
        self._given = given
        self._length = 0
        data = {
            "Labels": given.labels,
            "ExternalLabels": given.external_labels,
            "ExternalURL": given.external_url,
            "Value": given.value,
        }
        self._dot: Any = data
        self._scopes: list[dict[str, Any]] = [
            {
                "": data,
                "labels": given.labels,
                "externalLabels": given.external_labels,
                "externalURL": given.external_url,
                "value": given.value,
            }
        ]

    def block(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._write(node.text)
            elif isinstance(node, Action):
                value = self._pipeline(node.pipeline)
                if not node.pipeline.names:
                    self._write(shown(value))
            elif isinstance(node, Leave):
                raise _Left(node.kind)
            else:
                self._branch(node)

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > _LONGEST:
            raise ValueError(f"the text is longer than {_LONGEST} characters")
        self.written.append(text)

    def _branch(self, node: Branch) -> None:
        with self._scope():
            value = self._pipeline(node.pipeline) if node.kind != "range" else None
            if node.kind == "range":
                self._range(node)
            elif not truth(value):
                self.block(node.otherwise)
            elif node.kind == "if":
                self.block(node.body)
            else:
                self._under(value, node.body)

    def _range(self, node: Branch) -> None:
        items = _items(self._pipeline(Pipeline(node.pipeline.commands)))
        if not items:
            self.block(node.otherwise)
            return
        names = node.pipeline.names
        for key, value in items:
            with self._scope():
                self._scopes[-1].update(
                    zip(names, (key, value) if len(names) == 2 else (value,), strict=False)
                )
                try:
                    self._under(value, node.body)
                except _Left as left:
                    if left.args[0] == "break":
                        return

    def _under(self, dot: Any, nodes: Sequence[Node]) -> None:
        before, self._dot = self._dot, dot
        try:
            self.block(nodes)
        finally:
            self._dot = before

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self._scopes.append({})
        try:
            yield
        finally:
            self._scopes.pop()

    def _pipeline(self, pipeline: Pipeline) -> Any:
        value: Any = None
        for number, command in enumerate(pipeline.commands):
            value = self._command(command, [value] if number else [])
        for name in pipeline.names:
            home = self._scopes[-1] if pipeline.declares else self._home(name)
            home[name] = value
        return value

    def _home(self, name: str) -> dict[str, Any]:
        return next(scope for scope in reversed(self._scopes) if name in scope)

    def _command(self, command: Command, piped: list[Any]) -> Any:
        first, *rest = command
        if isinstance(first, Function):
            arguments = [self._operand(operand) for operand in rest]
            return self._call(first.name, arguments + piped)
        if rest or piped:
            raise ValueError("only a function can be given something")
        return self._operand(first)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        function, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            raise ValueError(
                f"{name} takes {least if least == most else f'{least} to {most}'} arguments, got {len(arguments)}"
            )
        try:
            return function(self._given, *arguments)
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{name} cannot be given {', '.join(map(shown, arguments))}: {error}") from error

    def _operand(self, operand: Operand) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Dot):
            return _field(self._dot, operand.fields)
        if isinstance(operand, Variable):
            return _field(self._home(operand.name)[operand.name], operand.fields)
        if isinstance(operand, Inner):
            return _field(self._pipeline(operand.pipeline), operand.fields)
        return self._call(operand.name, [])


def _field(value: Any, fields: Sequence[str]) -> Any:
    for name in fields:
        if isinstance(value, Row):
            value = value.field(name)
        elif isinstance(value, Mapping):
            value = value.get(name, "")
        else:
            raise ValueError(f"{shown(value)!r} has no field {name!r}")  # noqa: TRY004 - a template's error
    return value


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return sorted(value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return [(number, number) for number in range(min(value, _LONGEST))]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(enumerate(value))
    if value is None:
        return []
    raise ValueError(f"range cannot go over {shown(value)!r}")
