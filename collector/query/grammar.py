r"""
The search language's grammar: text -> nodes.

::

    service:checkout severity:>=error "connection refused" -path:"/health"
    status:[500 TO 599] user.id:42 name:(cart OR check*) /time?d out/

Juxtaposition is AND; AND binds tighter than OR; ``-``, ``!`` and NOT negate what follows. ``\`` takes the next
character literally. A value may hold colons and slashes (``path:/api/v1``); a value between two slashes is a
regular expression. Outside ``field:(…)`` the first unescaped colon of a word ends a field's name.

lark rather than luqum: a syntax error carries its position, and juxtaposition gets AND's own precedence
(luqum's ``a b OR c`` is ``a AND (b OR c)``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import LarkError, UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from collector.errors import QuerySyntax

_GRAMMAR = r"""
?start: any_of
?any_of: all_of (_OR all_of)*
?all_of: unary (_AND? unary)*
?unary: (_MINUS | _BANG | _NOT) unary -> negated
      | _PLUS unary -> kept
      | _LPAR any_of _RPAR -> kept
      | FIELD _test_of_field -> field
      | PHRASE -> phrase
      | REGEX -> regex
      | WORD -> word

_test_of_field: test | _LPAR any_value _RPAR
?any_value: all_values (_OR all_values)*     -> any_of
?all_values: one_value (_AND? one_value)*    -> all_of
?one_value: (_MINUS | _BANG | _NOT) one_value -> negated
      | _PLUS one_value -> kept
      | _LPAR any_value _RPAR -> kept
      | PHRASE -> phrase
      | REGEX -> regex
      | VALUE -> word
      | COMPARISON (BOUND | PHRASE) -> comparison
      | OPEN (BOUND | PHRASE) _TO (BOUND | PHRASE) CLOSE -> range
?test: PHRASE -> phrase
     | REGEX -> regex
     | VALUE -> word
     | COMPARISON (BOUND | PHRASE) -> comparison
     | OPEN (BOUND | PHRASE) _TO (BOUND | PHRASE) CLOSE -> range

// The same tests are spelled out twice: a rule in common would merge two parser states, and with them what the
// lexer may read after a value (a WORD outside of field:(…), a VALUE inside).
_AND.9: /AND(?=[\s()]|$)|&&/
_OR.9: /OR(?=[\s()]|$)|\|\|/
_NOT.9: /NOT(?=[\s()]|$)/
_TO.9: /TO(?=\s)/
_MINUS.8: "-"
_BANG.8: "!"
_PLUS.8: "+"
_LPAR.8: "("
_RPAR.8: ")"
PHRASE.7: /"(?:[^"\\]|\\.)*"/s
REGEX.7: /\/(?:[^\/\\\n]|\\.)+\/(?=[\s)]|$)/
COMPARISON.7: />=|<=|>|</
OPEN.7: /[\[{]/
CLOSE.7: /[\]}]/
FIELD.6: /(?:[^\s()\[\]{}"\\:<>=\/!+\-*?]|\\.)(?:[^\s()\[\]{}"\\:<>=]|\\.)*:/s
WORD.1: /(?:[^\s()\[\]{}"\\!+\-]|\\.)(?:[^\s()"\\]|\\.)*/s
VALUE.1: /(?:[^\s()\[\]{}"\\<>!+]|\\.)(?:[^\s()"\\]|\\.)*/s
BOUND.1: /(?:[^\s()\[\]{}"\\<>=]|\\.)(?:[^\s()\[\]{}"\\]|\\.)*/s
%ignore /\s+/
"""
# Longer than any person types, short enough that a condition stays far below ClickHouse's max_query_size.
QUERY_LIMIT_CHARS = 4096
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """``timeout``, ``con*``: *pattern* is the text with escapes kept; *position* where it stands."""

    pattern: str
    position: int

    @property
    def text(self) -> str:
        """The text meant, escapes undone."""
        return unescape(self.pattern)

    @property
    def wildcards(self) -> bool:
        """Whether ``*`` or ``?`` stands in it unescaped."""
        return any(part in "*?" for part in pieces(self.pattern) if len(part) == 1)


@dataclass(frozen=True, slots=True)
class Phrase:
    """``"connection refused"``, quotes and escapes undone."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Regex:
    """``/time?d out/``: RE2 syntax, unanchored."""

    pattern: str
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``>=5``."""

    operator: str
    bound: str
    position: int


@dataclass(frozen=True, slots=True)
class Range:
    """``[a TO b]``, ``{a TO b}``; None = ``*`` = unbounded."""

    low: str | None
    high: str | None
    low_included: bool
    high_included: bool
    position: int


@dataclass(frozen=True, slots=True)
class Field:
    """``name:…``."""

    name: str
    test: Node
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """``-x``."""

    node: Node


@dataclass(frozen=True, slots=True)
class AllOf:
    """``a b``, ``a AND b``."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``a OR b``."""

    nodes: tuple[Node, ...]


Test = Word | Phrase | Regex | Comparison | Range
Node = Test | Field | Not | AllOf | AnyOf


def pieces(pattern: str) -> list[str]:
    """Split *pattern* into characters, an escaped one keeping its backslash."""
    return re.findall(r"\\.|.", pattern, re.DOTALL)


def unescape(text: str) -> str:
    """Undo the backslashes."""
    return _ESCAPE.sub(r"\1", text)


def parse(text: str) -> Node | None:
    """
    Parse *text*.

    Returns:
        Its tree; None when there is nothing but white space (everything matches).

    Raises:
        QuerySyntax: With the position of the first character that does not fit.
    """
    if len(text) > QUERY_LIMIT_CHARS:
        raise QuerySyntax(
            f"the query has {len(text)} characters, {QUERY_LIMIT_CHARS} are allowed", QUERY_LIMIT_CHARS
        )
    if not text.strip():
        return None
    try:
        tree: Any = _parser().parse(text)
    except LarkError as error:
        raise _syntax_error(text, error) from error
    except RecursionError as error:
        raise QuerySyntax("the query is nested too deeply", 0) from error
    node: Node = tree
    return node


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_Nodes())


def _syntax_error(text: str, error: LarkError) -> QuerySyntax:
    position = len(text)
    if isinstance(error, UnexpectedInput) and not isinstance(error, UnexpectedEOF) and not _at_end(error):
        position = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    if position >= len(text):
        return QuerySyntax(
            f"syntax error at position {len(text)}: the query ends where a term is expected", len(text)
        )
    if text[position] == '"':
        return QuerySyntax(f"syntax error at position {position}: the quote is never closed", position)
    return QuerySyntax(
        f"syntax error at position {position}: {text[position : position + 20]!r} does not fit here", position
    )


def _at_end(error: UnexpectedInput) -> bool:
    if isinstance(error, UnexpectedToken):
        return bool(error.token.type == "$END")
    return not isinstance(error, UnexpectedCharacters)


def _bound(token: Token) -> str:
    return unescape(token[1:-1] if token.type == "PHRASE" else token)


def _end_of_range(bound: Token) -> str | None:
    return None if bound == "*" else _bound(bound)


def _at(token: Token) -> int:
    return token.start_pos or 0


class _Nodes(Transformer[Token, Any]):
    """Grammar rule -> node, one method per rule."""

    def any_of(self, nodes: list[Any]) -> Node:
        return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))

    def all_of(self, nodes: list[Any]) -> Node:
        return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))

    def negated(self, nodes: list[Any]) -> Node:
        return Not(nodes[0])

    def kept(self, nodes: list[Any]) -> Node:
        node: Node = nodes[0]
        return node

    def field(self, nodes: list[Any]) -> Node:
        return Field(unescape(nodes[0][:-1]), nodes[1], _at(nodes[0]))

    def word(self, nodes: list[Any]) -> Node:
        return Word(str(nodes[0]), _at(nodes[0]))

    def phrase(self, nodes: list[Any]) -> Node:
        return Phrase(unescape(nodes[0][1:-1]), _at(nodes[0]))

    def regex(self, nodes: list[Any]) -> Node:
        return Regex(nodes[0][1:-1].replace("\\/", "/"), _at(nodes[0]))

    def comparison(self, nodes: list[Any]) -> Node:
        return Comparison(str(nodes[0]), _bound(nodes[1]), _at(nodes[0]))

    def range(self, nodes: list[Any]) -> Node:
        opening, low, high, closing = nodes
        return Range(_end_of_range(low), _end_of_range(high), opening == "[", closing == "]", _at(opening))
