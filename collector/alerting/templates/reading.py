"""Text -> nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from collector.alerting.templates.functions import FUNCTIONS
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

_OPEN = re.compile(r"\{\{(?P<comment>-?\s*/\*)?")
_COMMENT_END = re.compile(r"\*/\s*(?P<trim>-)?\}\}")
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<end>-\}\}|\}\})|(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))"""
    r"""|(?P<variable>\$\w*(?:\.\w+)*)|(?P<field>(?:\.\w+)+)|(?P<word>[A-Za-z_]\w*)|(?P<mark>:=|=|\||\(|\)|,|\.)"""
)
_CONSTANTS = {"true": True, "false": False, "nil": None}
_BLOCKS = frozenset({"if", "range", "with"})
_DEPTH = 50

Token = tuple[str, str]


def read(text: str) -> tuple[Node, ...]:
    """
    Read a template.

    Raises:
        ValueError: It is none; the sentence says what does not fit.
    """
    nodes, left = _block(_Actions(text), 0)
    if left:
        raise ValueError(f"'{{{{ {left} }}}}' closes nothing")
    return nodes


class _Actions:
    """The text's pieces in order: `Text`, or the tokens of an action."""

    def __init__(self, text: str) -> None:
        self._pieces = list(_pieces(text))
        self._next = 0

    def next(self) -> Text | list[Token] | None:
        if self._next == len(self._pieces):
            return None
        self._next += 1
        return self._pieces[self._next - 1]


def _pieces(text: str) -> Iterator[Text | list[Token]]:
    position, trim = 0, False
    while (opening := _OPEN.search(text, position)) is not None:
        before = text[position : opening.start()]
        inner = opening.end()
        trims_left = (
            text.startswith("-", opening.start() + 2)
            and text[opening.start() + 3 : opening.start() + 4].isspace()
        )
        before = before.lstrip() if trim else before
        yield Text(before.rstrip() if trims_left else before)
        if opening["comment"]:
            closing = _COMMENT_END.search(text, inner)
            if closing is None:
                raise ValueError("a comment is not closed")
            position, trim = closing.end(), closing["trim"] is not None
            continue
        tokens, position, trim = _tokens(text, inner + 1 if trims_left else inner)
        yield tokens
    rest = text[position:]
    yield Text(rest.lstrip() if trim else rest)


def _tokens(text: str, position: int) -> tuple[list[Token], int, bool]:
    found: list[Token] = []
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            if position >= len(text):
                raise ValueError("a '{{' is not closed")
            raise ValueError(f"unexpected {text[position : position + 10]!r}")
        position = match.end()
        kind = str(match.lastgroup)
        if kind == "end":
            return found, position, match[0].startswith("-")
        found.append((kind, match[0]))


def _block(actions: _Actions, depth: int) -> tuple[tuple[Node, ...], str]:
    """Read nodes up to ``end``, ``else …`` or the end of the text; say which, "" for the last."""
    if depth > _DEPTH:
        raise ValueError(f"blocks are nested deeper than {_DEPTH}")
    nodes: list[Node] = []
    while (piece := actions.next()) is not None:
        if isinstance(piece, Text):
            nodes.append(piece)
            continue
        tokens = [token for token in piece if token[0] != "space"]
        word = tokens[0][1] if tokens and tokens[0][0] == "word" else ""
        if word in {"end", "else"}:
            return tuple(nodes), "".join(token for _, token in piece).strip()
        nodes.append(_node(actions, word, piece, depth))
    return tuple(nodes), ""


def _node(actions: _Actions, word: str, piece: list[Token], depth: int) -> Node:
    if word in _BLOCKS:
        return _branch(actions, word, _without_word(piece), depth)
    if word in {"break", "continue"}:
        return Leave(word)
    if word in {"define", "template", "block"}:
        raise ValueError(f"'{{{{ {word} }}}}' is not known here: write the text where it is used")
    return Action(_whole_pipeline(piece))


def _without_word(piece: list[Token]) -> list[Token]:
    index = next(index for index, token in enumerate(piece) if token[0] == "word")
    return piece[index + 1 :]


def _branch(actions: _Actions, kind: str, tokens: list[Token], depth: int) -> Branch:
    pipeline = _whole_pipeline(tokens)
    body, closed = _block(actions, depth + 1)
    otherwise: tuple[Node, ...] = ()
    if closed.startswith("else "):
        otherwise, closed = (_else_branch(actions, closed, depth),), "end"
    elif closed == "else":
        otherwise, closed = _block(actions, depth + 1)
    if closed != "end":
        raise ValueError(f"'{{{{ {kind} }}}}' has no '{{{{ end }}}}'")
    return Branch(kind, pipeline, body, otherwise)


def _else_branch(actions: _Actions, closed: str, depth: int) -> Node:
    tokens, _, _ = _tokens(closed + " }}", len("else "))
    word = tokens[0][1] if tokens else ""
    if word not in {"if", "with"}:
        raise ValueError(f"unexpected {word!r} after 'else'")
    return _branch(actions, word, tokens[1:], depth + 1)


def _whole_pipeline(tokens: list[Token]) -> Pipeline:
    pipeline, left = _pipeline(tokens, 0)
    if left:
        raise ValueError(f"unexpected {left[0][1]!r}")
    return pipeline


def _pipeline(tokens: list[Token], depth: int) -> tuple[Pipeline, list[Token]]:
    if depth > _DEPTH:
        raise ValueError(f"parentheses are nested deeper than {_DEPTH}")
    names, declares, tokens = _declared(tokens)
    commands: list[Command] = []
    while True:
        command, tokens = _command(tokens, depth)
        commands.append(command)
        if not tokens or tokens[0] != ("mark", "|"):
            return Pipeline(tuple(commands), names, declares), tokens
        tokens = tokens[1:]


def _declared(tokens: list[Token]) -> tuple[tuple[str, ...], bool, list[Token]]:
    """Take ``$x :=``, ``$x =`` or ``$i, $x :=`` off the front."""
    solid = [token for token in tokens if token[0] != "space"]
    for count in (1, 3):
        names = solid[:count:2]
        if len(solid) > count and solid[count] in {("mark", ":="), ("mark", "=")}:
            fits = all(kind == "variable" and "." not in name for kind, name in names)
            if fits and (count == 1 or solid[1] == ("mark", ",")):
                mark = tokens.index(solid[count])
                return tuple(name[1:] for _, name in names), solid[count][1] == ":=", tokens[mark + 1 :]
    return (), True, tokens


def _command(tokens: list[Token], depth: int) -> tuple[Command, list[Token]]:
    operands: list[Operand] = []
    spaced = True
    while tokens and tokens[0] not in {("mark", "|"), ("mark", ")")}:
        kind, text = tokens[0]
        if kind == "space":
            tokens, spaced = tokens[1:], True
            continue
        if kind == "field" and not spaced and isinstance(operands[-1], Inner):
            operands[-1] = replace(operands[-1], fields=tuple(text[1:].split(".")))
            tokens = tokens[1:]
            continue
        operand, tokens = _operand(tokens, depth)
        operands.append(operand)
        spaced = False
    if not operands:
        raise ValueError("an action or a part of a pipeline is empty")
    return tuple(operands), tokens


def _operand(tokens: list[Token], depth: int) -> tuple[Operand, list[Token]]:
    (kind, text), rest = tokens[0], tokens[1:]
    if text == "(":
        pipeline, rest = _pipeline(rest, depth + 1)
        if not rest or rest[0][1] != ")":
            raise ValueError("a '(' is not closed")
        return Inner(pipeline), rest[1:]
    return _simple(kind, text), rest


def _simple(kind: str, text: str) -> Operand:
    if kind == "string":
        return Literal(_string(text))
    if kind == "number":
        return Literal(_number(text))
    if kind == "variable":
        name, *fields = text[1:].split(".")
        return Variable(name, tuple(fields))
    if kind == "field" or text == ".":
        return Dot(tuple(text[1:].split(".")) if text != "." else ())
    if kind == "word":
        return _word(text)
    raise ValueError(f"unexpected {text!r}")


def _word(text: str) -> Literal | Function:
    if text in _CONSTANTS:
        return Literal(_CONSTANTS[text])
    if text not in FUNCTIONS:
        raise ValueError(f"the function {text!r} is not known; known: {', '.join(sorted(FUNCTIONS))}")
    return Function(text)


def _string(text: str) -> str | int:
    if text.startswith("`"):
        return text[1:-1]
    if text.startswith("'"):
        return ord(_string('"' + text[1:-1].replace('"', '\\"') + '"')) if len(text) > 2 else 0  # type: ignore[arg-type]
    try:
        escaped = (
            re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", text)
            .replace("\\a", "\\u0007")
            .replace("\\v", "\\u000b")
        )
        found: str = json.loads(escaped.replace("\t", "\\t").replace("\\'", "'"))
    except ValueError as error:
        raise ValueError(f"{text} is not a string") from error
    return found


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    try:
        return int(plain, 0)
    except ValueError:
        return float(plain)
