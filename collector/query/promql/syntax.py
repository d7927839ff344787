"""
PromQL text -> tree, by ``promql-parser``; its complaints get the position they miss.

The parser says what is wrong, not where. The place is found by parsing ever shorter beginnings of the text, each
completed with what would make it whole: the token behind the longest one that parses is where the text goes wrong.
"""

from __future__ import annotations

import contextlib
import re
import time
from decimal import Decimal
from functools import cache

import promql_parser as pp

from collector.errors import QueryError, QuerySyntax, QueryUnanswerable

# Prometheus takes 1_000 for 1000, the parser does not.
_SEPARATED = re.compile(r"(?<=[0-9])_(?=[0-9])")
# Longer than any person types; generated rules stay below it too.
QUERY_LIMIT_CHARS = 16_384
# The parser and the compiler descend: below this both stay clear of the stack's end.
DEPTH_LIMIT = 64
# A chain of operators nests as deep as it is long: the parser copies what it has at each, the engine reads each again for the next
# (0.2 s at this bound, the square beyond).
OPERATORS_LIMIT = 100
_OPERATORS = frozenset(
    {"+", "-", "*", "/", "%", "^", "<", ">", "==", "!=", "<=", ">=", "and", "or", "unless", "atan2"}
)
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`"""
    r"""|[A-Za-z_:][A-Za-z0-9_:]*|[0-9][0-9A-Za-z_.]*|\.[0-9]+|=~|!~|!=|==|<=|>=|.""",
    re.DOTALL,
)
_RAW = re.compile(r"""\#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""", re.DOTALL)
_COMPLETIONS = ("", " x", "=~'x'", "'x'", "x='x'", "1", "5m", "(x)", "(1,x)", " by (x) (x)", "[5m]")
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
# The parser knows no time before 1970: there `@ -5` goes in as this many seconds and five, a time of the year 5138 that nobody asks for.
EARLY_S = 100_000_000_000
_EARLY = re.compile(_RAW.pattern + r"|@\s*-\s*([0-9]+(?:\.[0-9]+)?)(?![\w.])", re.DOTALL)
_EARLY_PRETTY = re.compile(r"@ 1([0-9]{11})(\.[0-9]{3})")
_OLD_NAMES = [
    pp.Function(
        "holt_winters",
        [pp.ValueType.Matrix, pp.ValueType.Scalar, pp.ValueType.Scalar],
        pp.ValueType.Vector,
    )
]
# Tokens that a long text is searched from its end for the place of the error.
_SEARCHED_TOKENS = 400
# Whoever types a text waits no longer for the place of its error; a longer search says how far it came.
_SEARCHED_S = 0.25


def parse(text: str) -> pp.Expr:
    """
    Parse *text*.

    Raises:
        QuerySyntax: 400 with the position of what does not fit.
        QueryError: 400 ``bad_promql``: it parses but its types do not fit; 422 for a function nobody knows.
    """
    if len(text) > QUERY_LIMIT_CHARS:
        raise QuerySyntax(
            f"the query has {len(text)} characters, {QUERY_LIMIT_CHARS} are allowed", QUERY_LIMIT_CHARS
        )
    if "_" in text:
        text = _without_separators(text)
    tokens = _tokens(text)
    _refuse_depth(tokens)
    _refuse_length(tokens)
    try:
        return _parsed(text)
    except ValueError as error:
        raise _syntax_error(text, str(error), tokens) from error


def unsupported(what: str) -> QueryUnanswerable:
    """Make the 422 for something PromQL has and this engine has not."""
    return QueryUnanswerable(
        "promql_unsupported", f"{what} is not supported here; docs/promql.md lists what is", "query"
    )


def _parsed(text: str) -> pp.Expr:
    _know_old_names()
    return pp.parse(_EARLY.sub(_plain, text))


@cache
def _know_old_names() -> None:
    """Teach the parser, once: it is one per process, and questions are parsed by several threads."""
    with contextlib.suppress(ValueError):  # another thread was here at the same time
        pp.register_extra_functions(_OLD_NAMES)


def pretty(expression: pp.Expr) -> str:
    """Write *expression* as the parser does, on several lines where it is long."""
    return _EARLY_PRETTY.sub(lambda at: f"@ -{int(at[1])}{at[2]}", expression.prettify())


def _plain(found: re.Match[str]) -> str:
    """
    Write a raw string as one in quotes, because the parser undoes escapes in both, and a time before 1970 as another.

    Other strings and comments are matched to be passed over.
    """
    if found[1] is not None:
        return f"@ {EARLY_S + Decimal(found[1])}"
    if not found[0].startswith("`"):
        return found[0]
    inside = found[0][1:-1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inside}"'


def _tokens(text: str) -> list[tuple[int, str]]:
    found = ((match.start(), match.group()) for match in _TOKEN.finditer(text))
    return [(start, token) for start, token in found if not token.isspace() and not token.startswith("#")]


def _without_separators(text: str) -> str:
    """Take the underscores out of numbers."""
    return "".join(
        _SEPARATED.sub("", token[0]) if token[0][0] in "0123456789" else token[0]
        for token in _TOKEN.finditer(text)
    )


def _refuse_depth(tokens: list[tuple[int, str]]) -> None:
    depth = 0
    for position, token in tokens:
        depth += 1 if token in _CLOSED_BY else -1 if token in _CLOSED_BY.values() else 0
        if depth > DEPTH_LIMIT:
            raise QuerySyntax(
                f"the query is nested deeper than {DEPTH_LIMIT} at position {position}", position
            )


def _refuse_length(tokens: list[tuple[int, str]]) -> None:
    operators = [position for position, token in tokens if token.lower() in _OPERATORS]
    if len(operators) > OPERATORS_LIMIT:
        raise QuerySyntax(
            f"the query has {len(operators)} operators, {OPERATORS_LIMIT} are allowed",
            operators[OPERATORS_LIMIT],
        )


def _syntax_error(text: str, said: str, tokens: list[tuple[int, str]]) -> QueryError:
    if said.startswith("unknown function"):
        name = said.partition("'")[2].rstrip("'")
        return unsupported(f"the function {name}()")
    position = _position(text, tokens)
    if position >= len(text.rstrip()):
        return QuerySyntax(f"syntax error at position {position}, the end: {said}", position)
    return QuerySyntax(
        f"syntax error at position {position}: {said}, near {text[position : position + 20]!r}", position
    )


def _position(text: str, tokens: list[tuple[int, str]]) -> int:
    """Find the first token that fits no query beginning as *text* does."""
    if not tokens:
        return 0
    until = time.monotonic() + _SEARCHED_S
    for count in range(len(tokens), max(0, len(tokens) - _SEARCHED_TOKENS), -1):
        start, token = tokens[count - 1]
        if time.monotonic() > until:
            return start
        if _can_go_on(text[: start + len(token)], tokens[:count]):
            return tokens[count][0] if count < len(tokens) else len(text)
    return tokens[0][0]


def _can_go_on(beginning: str, tokens: list[tuple[int, str]]) -> bool:
    stack: list[str] = []
    for _, token in tokens:
        if token in _CLOSED_BY:
            stack.append(_CLOSED_BY[token])
        elif stack and token == stack[-1]:
            stack.pop()
    closing = "".join(reversed(stack))
    return any(_parses(beginning + middle + closing) for middle in _COMPLETIONS)


def _parses(text: str) -> bool:
    try:
        _parsed(text)
    except ValueError as error:
        # what is wrong with its types stands in the whole text too; only its form is looked for
        return "expected type" in str(error) or "argument" in str(error)
    return True
