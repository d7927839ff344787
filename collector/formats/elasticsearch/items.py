"""
One bulk request, item by item: which are taken, and what is said of each.

A body is checked in two passes in C over all actions and all documents at once (msgspec; ≈ 1 M documents/s); only where one of them fails,
or an action is no ``index`` or ``create``, is it walked item by item (≈ 150 k documents/s), and only then is it written anew without the refused ones.

What is kept for the answer is short: runs of (operation, index, number of items), and the refused items by their place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from collector.errors import Malformed


class Target(msgspec.Struct):
    """What an action says of its document."""

    index: str = msgspec.field(name="_index", default="")
    id: str | None = msgspec.field(name="_id", default=None)


class Action(msgspec.Struct, forbid_unknown_fields=True):
    """One action line: exactly one of its fields."""

    index: Target | None = None
    create: Target | None = None
    update: Target | None = None
    delete: Target | None = None

    @property
    def operation(self) -> str:
        """Its name; empty when there is none."""
        return next((name for name in self.__struct_fields__ if getattr(self, name) is not None), "")

    @property
    def target(self) -> Target:
        """What it says of its document."""
        return getattr(self, self.operation) if self.operation else Target()


class Document(msgspec.Struct):
    """A document: an object, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """
    A judged request.

    Attributes:
        body: Actions and documents that are taken, by turns; the request's own bytes when all are.
        taken: How many.
        runs: (operation, index, items) in the order of the request, refused ones included.
        refused: Place in the request -> (type, reason), as Elasticsearch names them.
    """

    body: bytes
    taken: int
    runs: list[tuple[str, str, int]]
    refused: dict[int, tuple[str, str]]


_ACTIONS = msgspec.json.Decoder(list[Action])
_ACTION = msgspec.json.Decoder(Action)
_DOCUMENTS = msgspec.json.Decoder(list[Document])
_DOCUMENT = msgspec.json.Decoder(Document)
_WRITES = ("index", "create")


def read(body: bytes) -> Bulk:
    """
    Judge a bulk request.

    Raises:
        Malformed: ``bad_bulk``: an action cannot be read, so what follows it has no meaning; or it has no document.
    """
    lines = body.rstrip(b"\n").split(b"\n") if body.strip() else []
    return _at_once(body, lines) or _one_by_one(lines)


def _at_once(body: bytes, lines: list[bytes]) -> Bulk | None:
    """Take the usual request: everything is written, everything can be read."""
    try:
        body.decode()
        actions = _ACTIONS.decode(b"[" + b",".join(lines[::2]) + b"]")
        documents = _DOCUMENTS.decode(b"[" + b",".join(lines[1::2]) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(actions) != len(documents) or len(lines) != 2 * len(actions):
        return None
    named = [(action.operation, action.target.index) for action in actions]
    if any(operation not in _WRITES for operation, _ in set(named)):
        return None
    return Bulk(body, len(actions), _runs(named), {})


def _one_by_one(lines: list[bytes]) -> Bulk:
    kept: list[bytes] = []
    named: list[tuple[str, str]] = []
    refused: dict[int, tuple[str, str]] = {}
    rest = iter(enumerate(lines))
    for place, (number, line) in enumerate(pair for pair in rest if pair[1].strip()):
        action = _action(line, number)
        named.append((action.operation, action.target.index))
        document = None if action.operation == "delete" else next(rest, (0, None))[1]
        if document is None and action.operation != "delete":
            raise Malformed("bad_bulk", f"line {number + 1}: the last action has no document")
        problem = _problem(action, document)
        if problem:
            refused[place] = problem
        else:
            kept += (line, document or b"")
    return Bulk(b"\n".join(kept), len(kept) // 2, _runs(named), refused)


def _action(line: bytes, number: int) -> Action:
    try:
        action = _ACTION.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("bad_bulk", f"line {number + 1} is no action: {line[:100]!r}: {error}") from error
    if not action.operation:
        raise Malformed(
            "bad_bulk", f"line {number + 1} names no action: {line[:100]!r}; write index or create"
        )
    return action


def _problem(action: Action, document: bytes | None) -> tuple[str, str] | None:
    """Say why an item is refused; None when it is taken."""
    if action.operation not in _WRITES or document is None:
        return (
            "illegal_argument_exception",
            f"{action.operation!r}: a log is written once; send index or create",
        )
    try:
        document.decode()
        _DOCUMENT.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return "document_parsing_exception", f"{document[:100]!r}: {error}"
    return None


def _runs(named: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    return [(*name, sum(1 for _ in group)) for name, group in itertools.groupby(named)]


def answers(
    batch: str, index: str, runs: Iterable[tuple[str, str, int]], refused: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Write what is said of each item; *index* is the path's, for items that name none."""
    place = 0
    for operation, named, count in runs:
        for _ in range(count):
            said: dict[str, Any] = {"_index": named or index, "_id": f"{batch}-{place}"}
            problem = refused.get(str(place))
            if problem is None:
                said |= {
                    "_version": 1,
                    "result": "created",
                    "status": 201,
                    "_seq_no": place,
                    "_primary_term": 1,
                }
            else:
                said |= {"status": 400, "error": {"type": problem[0], "reason": problem[1]}}
            yield {operation: said}
            place += 1
