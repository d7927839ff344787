"""
What can be read off a regular expression before it is used: what every match contains, and whether it can take forever.

Python's ``re`` backtracks, cannot be interrupted, and holds the interpreter's lock. An expression is therefore refused when
some line could keep it busy beyond bounds: exponentially (a repetition inside an endless one, where it is not clear which
of the two takes a byte), or with a power of the line's length above three (more than two *open* repetitions: endless,
followed by something that they match themselves, as in ``a.*b.*c.*d``). Possessive repetitions and atomic groups do not backtrack.

Source: CPython's own parser, ``re._parser``.
"""

import importlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

MOST_OPEN = 2
ENDLESS = 100  # a repetition up to here is as good as endless

_parser: Any = importlib.import_module("re._parser")
_CATEGORIES = {
    "CATEGORY_DIGIT": rb"\d",
    "CATEGORY_NOT_DIGIT": rb"\D",
    "CATEGORY_SPACE": rb"\s",
    "CATEGORY_NOT_SPACE": rb"\S",
    "CATEGORY_WORD": rb"\w",
    "CATEGORY_NOT_WORD": rb"\W",
}
Node = tuple[Any, Any]


def parsed(expression: str) -> Any:
    """
    Parse *expression*, as bytes.

    Raises:
        re.error: It is none.
    """
    return _parser.parse(expression.encode())


def refusal(expression: str) -> str | None:
    """Say why *expression* could take forever on some line; None when it could not."""
    tree = parsed(expression)
    if _explodes(tree, ()):
        return "a repetition inside an endless one may take forever; make the inner one possessive, (?:[a-z]++,)*"
    if open_repetitions(tree) > MOST_OPEN:
        return f"more than {MOST_OPEN} open repetitions may take forever; give them limits, .{{0,90}}, or make them possessive"
    return None


def matches_nothing(expression: str) -> bool:
    """Say whether *expression* also matches where nothing is."""
    return bool(parsed(expression).getwidth()[0] == 0)


def literals(tree: Any) -> Iterator[bytes]:
    """Give the byte strings that every match contains."""
    run = bytearray()
    for name, value in _named(tree):
        if name == "LITERAL":
            run.append(value)
            continue
        if run:
            yield bytes(run)
            run.clear()
        if name == "SUBPATTERN" and not value[1]:  # not where flags change
            yield from literals(value[3])
        elif name == "ATOMIC_GROUP":
            yield from literals(value)
        elif _is_repeat(name) and value[0] > 0:
            yield from literals(value[2])
    if run:
        yield bytes(run)


def open_repetitions(tree: Any) -> int:
    """Count the endless repetitions that backtrack over what follows them."""
    nodes = _flat(tree)
    found = 0
    for place, (name, value) in enumerate(nodes):
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            endless = value[1] > ENDLESS and place + 1 < len(nodes)
            found += open_repetitions(value[2]) + (endless and not _delimited(value[2], nodes[place + 1 :]))
        elif name == "BRANCH":
            found += max(open_repetitions(branch) for branch in value[1])
    return found


def _explodes(tree: Any, after: Sequence[Node], *, inside: bool = False) -> bool:
    """Look for ambiguity *inside* an endless repetition, whose next round begins with *after*."""
    nodes = _flat(tree)
    for place, (name, value) in enumerate(nodes):
        rest = (*nodes[place + 1 :], *after)
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            least, most, body = value
            if inside and least != most and not _delimited(body, rest):
                return True
            if _explodes(body, _flat(body), inside=inside or most > ENDLESS):
                return True
        elif name == "BRANCH":
            if inside and not _told_apart(value[1]):
                return True
            if any(_explodes(branch, rest, inside=inside) for branch in value[1]):
                return True
        elif any(_explodes(tree, ()) for tree in _closed(name, value)):
            return True
    return False


def _closed(name: str, value: Any) -> Sequence[Any]:
    """Give what a node holds that is not entered again by backtracking once it has matched."""
    if name in {"ASSERT", "ASSERT_NOT"}:
        return (value[1],)
    if name == "ATOMIC_GROUP":
        return (value,)
    if name == "POSSESSIVE_REPEAT":
        return (value[2],)
    return [branch for branch in value[1:] if branch] if name == "GROUPREF_EXISTS" else ()


def _told_apart(branches: Sequence[Any]) -> bool:
    """Say whether the first byte decides between *branches*."""
    firsts = [_flat(branch)[:1] for branch in branches]
    if not all(first and first[0][0] == "LITERAL" for first in firsts):
        return False
    return len({first[0][1] for first in firsts}) == len(firsts)


def _delimited(body: Any, rest: Sequence[Node]) -> bool:
    """Say whether what follows a repetition of *body* begins with a byte that the repetition cannot take."""
    nodes = _flat(body)
    if len(nodes) != 1 or not rest:
        return False
    name, value = rest[0]
    return name == "LITERAL" and not any(_takes(nodes[0], byte) for byte in _cases(value))


def _cases(byte: int) -> bytes:
    """Give *byte* in both cases: whether the expression tells them apart is not asked."""
    return bytes((byte,)).lower() + bytes((byte,)).upper()


def _takes(node: Node, byte: int) -> bool:
    name, value = node
    if name == "LITERAL":
        return bool(value == byte)
    if name == "NOT_LITERAL":
        return bool(value != byte)
    if name != "IN":
        return True
    items = list(_named(value))
    negated: bool = items[0][0] == "NEGATE"
    return bool(any(_is_in(item, byte) for item in items[negated:]) != negated)


def _is_in(item: Node, byte: int) -> bool:
    name, value = item
    if name == "RANGE":
        return bool(value[0] <= byte <= value[1])
    if name == "CATEGORY":
        return re.match(_CATEGORIES[str(value)], bytes((byte,))) is not None
    return bool(value == byte)


def _flat(tree: Any) -> list[Node]:
    """Give the nodes of *tree* with groups dissolved."""
    nodes: list[Node] = []
    for name, value in _named(tree):
        if name == "SUBPATTERN":
            nodes += _flat(value[3])
        else:
            nodes.append((name, value))
    return nodes


def _named(tree: Any) -> Iterator[Node]:
    return ((str(code), value) for code, value in tree)


def _is_repeat(name: str) -> bool:
    return name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
