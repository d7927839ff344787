"""
The walk over a statement's syntax tree, as the engine itself parsed it (``parseQueryToJSON``).

Every kind of node is on the list below or the statement is refused; so is every function, table, setting and format. The text that runs
is made from this tree by the engine (``formatQueryFromJSON``): what the tree does not show is not run either.

A name of a WITH clause is known to what follows it and below it, as ClickHouse resolves it, and never to its own definition; where
both a table and such a name could be meant, the table has to be readable.

Source: nodes of ClickHouse 26.8 and later; docs/adr/0022.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.errors import Forbidden
from collector.sql.functions import TABLE_FUNCTIONS, Functions
from collector.sql.tables import Readable

Node = dict[str, Any]
Names = frozenset[str]

_NODES = frozenset(
    {
        "ArrayJoin",
        "Asterisk",
        "ColumnsApplyTransformer",
        "ColumnsExceptTransformer",
        "ColumnsListMatcher",
        "ColumnsRegexpMatcher",
        "ColumnsReplaceTransformer",
        "ColumnsReplaceTransformerReplacement",
        "ColumnsTransformerList",
        "ExplainQuery",
        "ExpressionList",
        "Function",
        "Identifier",
        "InterpolateElement",
        "Literal",
        "OrderByElement",
        "QualifiedAsterisk",
        "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher",
        "QueryParameter",
        "SampleRatio",
        "SelectIntersectExceptQuery",
        "SelectQuery",
        "SelectWithUnionQuery",
        "SetQuery",
        "ShowColumnsQuery",
        "ShowTablesQuery",
        "Subquery",
        "TableExpression",
        "TableIdentifier",
        "TableJoin",
        "TablesInSelectQuery",
        "TablesInSelectQueryElement",
        "WindowDefinition",
        "WindowListElement",
        "WithElement",
    }
)
_STATEMENTS = frozenset(
    {
        "SelectWithUnionQuery",
        "SelectIntersectExceptQuery",
        "SelectQuery",
        "ExplainQuery",
        "ShowTablesQuery",
        "ShowColumnsQuery",
    }
)
_EXPLAINED = frozenset(
    {
        "EXPLAIN",
        "EXPLAIN AST",
        "EXPLAIN SYNTAX",
        "EXPLAIN QUERY TREE",
        "EXPLAIN PIPELINE",
        "EXPLAIN ESTIMATE",
    }
)
# SHOW TABLES and SHOW DATABASES, and of the same node SHOW SETTINGS; not SHOW CLUSTERS, CACHES, DICTIONARIES, MERGES.
_SHOWN = frozenset(
    {
        "type",
        "databases",
        "settings",
        "changed",
        "like",
        "not_like",
        "case_insensitive_like",
        "from",
        "where_expression",
        "limit_length",
        "full",
    }
)
# The right side of these may be a table's name where an expression would stand.
_IN = frozenset(
    f"{scope}{negated}{null}in{ignore}"
    for scope in ("", "global")
    for negated in ("", "not")
    for null in ("", "null")
    for ignore in ("", "ignoreset")
)


@dataclass(slots=True)
class Checked:
    """
    What was taken out of a checked tree.

    Attributes:
        format: Of its FORMAT clause; empty: none.
        changes: Of its SETTINGS clauses.
    """

    format: str = ""
    changes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Walk:
    """One statement's check: what may be called and read."""

    functions: Functions
    readable: Readable

    def check(self, root: Node) -> Checked:
        """
        Check *root* and take FORMAT and SETTINGS out of it.

        Raises:
            Forbidden: ``sql_statement``, ``sql_function``, ``sql_table`` or ``sql_format``, naming what is not allowed.
        """
        if root.get("type") not in _STATEMENTS:
            raise Forbidden("sql_statement", f"{_words(root)} is not allowed; SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN are", "query")  # fmt: skip
        checked = Checked()
        self._visit(root, frozenset(), checked)
        return checked

    def _visit(self, value: Any, names: Names, checked: Checked) -> None:
        if isinstance(value, list):
            for part in value:
                self._visit(part, names, checked)
        elif isinstance(value, dict) and "field_type" not in value:
            self._node(value, names, checked)

    def _node(self, node: Node, names: Names, checked: Checked) -> None:
        kind = str(node.get("type"))
        if kind not in _NODES:
            raise Forbidden("sql_statement", f"{_words(node)} is not allowed", "query")
        _take_output(node, checked)
        self._judge(kind, node, names)
        skipped = {"with"}
        if kind == "ExplainQuery":
            skipped.add("settings")  # of EXPLAIN itself: flags, and the engine knows no others there
        if kind == "TableExpression" and "table_function" in node:
            skipped.add("table_function")
            self._visit(_table_function(node["table_function"]), names, checked)
        if "with" in node:
            names = self._with(node, names, checked)
        for key, part in node.items():
            if key not in skipped:
                self._visit(part, names, checked)

    def _judge(self, kind: str, node: Node, names: Names) -> None:
        match kind:
            case "Function":
                self._function(node, names)
            case "TableIdentifier":
                self._table(node, names)
            case "ColumnsApplyTransformer" if "func_name" in node:
                self._called(str(node["func_name"]))
            case "ShowTablesQuery":
                self._show(node)
            case "ShowColumnsQuery":
                self._named(node.get("database"), str(node.get("table")))
            case "QueryParameter" if str(node.get("param_type")) == "Identifier":
                raise Forbidden("sql_statement", "parameters of type Identifier are not allowed", "query")
            case "ExplainQuery" if node.get("kind") not in _EXPLAINED:
                raise Forbidden("sql_statement", f"{node.get('kind')} is not allowed", "query")

    def _with(self, node: Node, names: Names, checked: Checked) -> Names:
        recursive = bool(node.get("recursive_with"))
        for element in node["with"].get("children", []):
            own = frozenset({str(element["name"])}) if element.get("type") == "WithElement" else frozenset()
            self._visit(element, names | own if recursive else names, checked)
            names |= own
        return names

    def _function(self, node: Node, names: Names) -> None:
        name = str(node.get("name"))
        self._called(name)
        if name.lower() in _IN:
            arguments = node.get("arguments", {}).get("children", [])
            for argument in arguments[1:]:
                if argument.get("type") == "Identifier":
                    self._table(argument, names)

    def _called(self, name: str) -> None:
        if why := self.functions.refusal(name):
            raise Forbidden("sql_function", f"the function {name[:80]} is not allowed: it {why}", "query")  # fmt: skip

    def _table(self, node: Node, names: Names) -> None:
        parts = [str(part) for part in node.get("name_parts", [node.get("name")])]
        if len(parts) == 1 and parts[0] in names:
            return
        database = parts[0] if len(parts) == 2 else None
        if "children" in node or len(parts) > 2:
            raise Forbidden("sql_table", f"the table {'.'.join(parts)[:160]} is not readable here", "query")
        self._named(database, parts[-1])

    def _named(self, database: Any, name: str) -> None:
        if not self.readable.table(database, name):
            whole = f"{database}.{name}" if database else name
            raise Forbidden("sql_table", f"the table {whole[:160]} is not readable here", "query")

    def _show(self, node: Node) -> None:
        if other := [key for key in node if key not in _SHOWN]:
            raise Forbidden("sql_statement", f"SHOW {other[0].upper()[:80]} is not allowed", "query")
        database = node["from"].get("name") if "from" in node else None
        if not self.readable.database(database):
            raise Forbidden("sql_table", f"the database {database!r} is not readable here", "query")


def _table_function(node: Node) -> list[Any]:
    """Check its name; return the rest of it."""
    name = str(node.get("name"))
    if name.lower() not in TABLE_FUNCTIONS:
        raise Forbidden("sql_function", f"the table function {name[:80]} is not allowed; numbers, values, generateSeries are", "query")  # fmt: skip
    return [part for key, part in node.items() if key != "name"]


def _take_output(node: Node, checked: Checked) -> None:
    """Refuse INTO OUTFILE; move FORMAT and SETTINGS out of the tree, so that they are judged and given with the request."""
    if "out_file" in node:
        raise Forbidden("sql_statement", "INTO OUTFILE is not allowed", "query")
    for key in ("is_outfile_append", "is_outfile_truncate", "is_into_outfile_with_stdout"):
        node.pop(key, None)
    if found := node.pop("format_ast", None):
        checked.format = str(found.get("name"))
    for key in ("settings", "settings_ast"):
        if (isinstance(node.get(key), dict) and node.get("type") != "ExplainQuery") or key == "settings_ast":
            for name, value in _changes(node.pop(key, None)):
                checked.changes[name] = value


def _changes(node: Node | None) -> Iterator[tuple[str, str]]:
    for change in (node or {}).get("changes", []):
        value: Mapping[str, Any] = change.get("value", {})
        yield str(change["name"]), _text(value.get("value"))
    if set(node or {}) - {"type", "changes", "is_standalone"}:
        raise Forbidden("sql_setting", "this form of SETTINGS is not allowed", "SETTINGS")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(value)


def _words(node: Node) -> str:
    """Name a statement or clause as its writer does: ``InsertQuery`` -> ``INSERT``."""
    kind = str(node.get("type", "this"))
    return kind.removesuffix("Query").upper()[:80]
