"""
The compiler: a search -> one SQL condition with bound values.

A field is a column of the table, else an attribute, else a resource attribute. ``-field:x`` also takes the rows that
have no such field, as in Lucene. Bare words and phrases search the table's text column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from collector.errors import QueryError, QuerySyntax
from collector.query.grammar import (
    AllOf,
    AnyOf,
    Comparison,
    Field,
    Node,
    Not,
    Phrase,
    Range,
    Test,
    Word,
    parse,
)
from collector.query.values import Kind, Subject, condition


@dataclass(frozen=True, slots=True)
class Table:
    """
    What a search may name in one table.

    Attributes:
        text: Column that bare words search.
        columns: Field -> (SQL expression, kind).
    """

    text: str
    columns: Mapping[str, tuple[str, Kind]]


LOGS = Table(
    text="body",
    columns={
        "body": ("body", Kind.TOKENS),
        "service": ("service", Kind.EXACT),
        "env": ("env", Kind.EXACT),
        "severity": ("severity_number", Kind.SEVERITY),
        "severity_number": ("severity_number", Kind.NUMBER),
        "trace_id": ("trace_id", Kind.HEX),
        "span_id": ("span_id", Kind.HEX),
        "batch_id": ("batch_id", Kind.EXACT),
        "line": ("line", Kind.NUMBER),
        "occurred_at": ("occurred_at", Kind.TIME),
        "observed_at": ("observed_at", Kind.TIME),
    },
)
SPANS = Table(
    text="name",
    columns={
        "name": ("name", Kind.EXACT),
        "service": ("service", Kind.EXACT),
        "env": ("env", Kind.EXACT),
        "kind": ("kind", Kind.EXACT),
        "status": ("status", Kind.EXACT),
        "status_message": ("status_message", Kind.TOKENS),
        "trace_id": ("trace_id", Kind.HEX),
        "span_id": ("span_id", Kind.HEX),
        "parent_span_id": ("parent_span_id", Kind.HEX),
        "start": ("spans.start", Kind.TIME),
        "duration_ns": ("duration_ns", Kind.NUMBER),
        "duration_ms": ("duration_ns / 1e6", Kind.NUMBER),
        "scope_name": ("scope_name", Kind.EXACT),
    },
)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A compiled search.

    Attributes:
        sql: A boolean expression; "1" when everything matches.
        params: Values of its ``{q0:Type}`` places.
        keys: Fields it looks for in attributes and resource: unknown ones are reported as warnings.
    """

    sql: str = "1"
    params: Mapping[str, object] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


def compile_search(text: str | None, table: Table, now_ns: int) -> Condition:
    """
    Compile *text*; None or blank matches everything.

    Raises:
        QuerySyntax: It does not parse; carries the position.
        QueryError: A value does not fit its field; carries the position.
    """
    node = parse(text or "")
    if node is None:
        return Condition()
    compiler = _Compiler(table, now_ns)
    try:
        sql = compiler.node(node)
    except RecursionError as error:
        raise QuerySyntax("the query is nested too deeply", 0) from error
    return Condition(sql, compiler.params, tuple(compiler.keys))


def names_only(text: str | None, names: Collection[str]) -> bool:
    """
    Whether a search, one that compiles, is about nothing but the fields *names*; blank is.

    A severity by its number is not about ``severity``, whose names stand for four numbers each.
    """
    node = parse(text or "")
    return node is None or _names_only(node, names)


def _names_only(node: Node, names: Collection[str]) -> bool:
    if isinstance(node, AllOf | AnyOf):
        return all(_names_only(part, names) for part in node.nodes)
    if isinstance(node, Not):
        return _names_only(node.node, names)
    if not isinstance(node, Field) or node.name not in names:
        return False
    return node.name != "severity" or not _has_number(node.test)


def _has_number(node: Node) -> bool:
    match node:
        case AllOf(nodes) | AnyOf(nodes):
            return any(_has_number(part) for part in nodes)
        case Not(inner):
            return _has_number(inner)
        case Range(low, high):
            texts = [low, high]
        case Comparison(_, bound):
            texts = [bound]
        case Word() | Phrase():
            texts = [node.text]
        case _:
            texts = []
    return any(text is not None and text.strip().isdecimal() for text in texts)


class _Compiler:
    """Walks the tree once and collects values and keys on the way."""

    def __init__(self, table: Table, now_ns: int) -> None:
        self._table = table
        self._now_ns = now_ns
        self.params: dict[str, object] = {}
        self.keys: dict[str, None] = {}

    def node(self, node: Node, subject: Subject | None = None) -> str:
        if isinstance(node, AllOf):
            return "(" + " AND ".join(self.node(part, subject) for part in node.nodes) + ")"
        if isinstance(node, AnyOf):
            return "(" + " OR ".join(self.node(part, subject) for part in node.nodes) + ")"
        if isinstance(node, Not):
            return f"(NOT {self.node(node.node, subject)})"
        if isinstance(node, Field):
            return self.node(node.test, self._subject(node.name))
        return self._test(node, subject)

    def _test(self, test: Test, subject: Subject | None) -> str:
        chosen = subject or Subject(self._table.text, self._table.text, Kind.TOKENS, "1")
        try:
            sql = condition(chosen, test, self._bind, self._now_ns)
        except QueryError as error:
            error.position = test.position
            raise
        return (
            f"({chosen.exists} AND {sql})"
            if chosen.kind is Kind.ATTRIBUTE and sql != chosen.exists
            else f"({sql})"
        )

    def _subject(self, name: str) -> Subject:
        if name not in self._table.columns:
            return self._attribute(name)
        sql, kind = self._table.columns[name]
        if kind in (Kind.NUMBER, Kind.TIME):
            return Subject(name, sql, kind, "1")
        return Subject(name, sql, kind, f"{sql} > 0" if kind is Kind.SEVERITY else f"{sql} != ''")

    def _attribute(self, name: str) -> Subject:
        self.keys[name] = None
        key = self._bind("String", name)
        value = f"if(mapContains(attributes, {key}), attributes[{key}], resource[{key}])"
        # by the names alone: `field:*` reads no value (docs/adr/0032)
        exists = f"(has(attributes.keys, {key}) OR has(resource.keys, {key}))"
        return Subject(name, value, Kind.ATTRIBUTE, exists)

    def _bind(self, clickhouse_type: str, value: object) -> str:
        name = f"q{len(self.params)}"
        self.params[name] = value
        return f"{{{name}:{clickhouse_type}}}"
