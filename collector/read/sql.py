"""What every reader shares: the store it is given, the limits of one statement, the cost of several."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Protocol

from collector.errors import QueryError, QueryTooExpensive, QueryUnanswerable, Refused, StoreError
from collector.read.kept import Kept
from collector.store.bulkhead import Bulkhead
from collector.store.limits import TOO_MANY_ROWS, QueryLimits
from collector.store.question import Question

Row = dict[str, Any]

# ClickHouse's CANNOT_COMPILE_REGEXP.
_BAD_REGEX = 427
# BAD_ARGUMENTS, which replaceRegexpOne gives instead.
_BAD_ARGUMENTS = 36
# FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: its message is a statement's own, before ClickHouse says where it stands.
_THROWN = 395
# Statements of one answer that run together: more would take turns from other questions, and two cores do no more.
_AT_ONCE = 3
# TOO_DEEP_RECURSION, TOO_DEEP_AST, TOO_BIG_AST.
_TOO_DEEP = frozenset({306, 167, 168})
# For statements of a fixed span that run beside others of their answer: two threads make tables (and lists with a place per minute) of their own for the same keys,
# and put them together for a quarter to a half as much CPU again.
ONE_THREAD: Mapping[str, object] = {"max_threads": "1"}
_WITHOUT_DELAY = {"query_plan_max_limit_for_lazy_materialization": "0"}
_OWN_WORDS = re.compile(r"DB::Exception: (.*?): while executing", re.DOTALL)


class Answer(Protocol):
    """Rows of one query and what it cost."""

    @property
    def rows(self) -> list[Row]:
        """Rows, columns by name."""

    @property
    def rows_read(self) -> int:
        """Rows ClickHouse read."""

    @property
    def bytes_read(self) -> int:
        """Bytes ClickHouse read."""

    @property
    def elapsed_ms(self) -> float:
        """How long it took there."""


class Store(Protocol):
    """The part of `collector.store.client.Store` that readers use."""

    def query(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        query_id: str | None = None,
    ) -> Answer:
        """Run a SELECT without a FORMAT clause, known in ClickHouse as *query_id*."""


class Present(Protocol):
    """The part of `collector.read.present.Present` that questions about now use."""

    def states(self) -> list[Any]:
        """Give every `BreakerState`."""

    def states_ago(
        self, then_ns: int, heard: Callable[[], Mapping[tuple[str, str], int]]
    ) -> list[Any] | None:
        """Give every `BreakerState` as it was some minutes ago; ``None`` = the tables must be asked."""


@dataclass(slots=True)
class Cost:
    """What the statements behind one answer cost together."""

    rows_read: int = 0
    bytes_read: int = 0
    elapsed_ms: float = 0.0

    def add(self, answer: Answer) -> None:
        """Count one statement."""
        self.rows_read += answer.rows_read
        self.bytes_read += answer.bytes_read
        self.elapsed_ms += answer.elapsed_ms

    def take(self, other: Cost) -> None:
        """Count what another part of the answer cost."""
        self.rows_read += other.rows_read
        self.bytes_read += other.bytes_read
        self.elapsed_ms += other.elapsed_ms


@dataclass(slots=True)
class _Queue:
    """
    Before the bulkhead.

    Attributes:
        lock: Held by who waits for a turn.
        refused: What one was told that got none: the others of that answer are told it, too, and do not wait as long again.
    """

    lock: Lock = field(default_factory=Lock)
    refused: Refused | None = None


@dataclass(slots=True)
class Reader:
    """
    One question's connection to the store: runs statements within the limits and adds up their costs.

    Not shared between threads: one is made per request.

    Attributes:
        store: ClickHouse.
        limits: What a statement may take where there is no question.
        question: Whose statements these are: they share its time, and end when its asker goes away; ``None`` = each stands for itself.
        bulkhead: Where they wait for their turn; ``None`` = they do not wait (alerts, the canary).
        present: Who keeps the states of breakers as they are now; ``None`` = they are read.
        known: What was found for this question already, for another part of its answer.
        kept: What was found for other questions; ``None`` = nothing is.
        unloaded_ns: Given signals, says since when records of them wait to be loaded, nanoseconds since the epoch; ``None`` = none do.
        queue: Where its statements wait for a turn, one at a time.
    """

    store: Store
    cost: Cost = field(default_factory=Cost)
    limits: QueryLimits = field(default_factory=QueryLimits)
    question: Question | None = None
    bulkhead: Bulkhead | None = None
    present: Present | None = None
    known: dict[Hashable, Any] = field(default_factory=dict)
    kept: Kept | None = None
    unloaded_ns: Callable[[Collection[str]], int | None] = lambda _: None
    queue: _Queue = field(default_factory=_Queue)

    def once(
        self, asked: tuple[str, *tuple[Hashable, ...]], read: Callable[[], Any], *, lasting: bool = False
    ) -> Any:
        """Return what *read* gives for *asked*, read once for this question; *lasting* = for other questions of the next minute, too."""
        if asked not in self.known:
            kept = self.kept if lasting else None
            self.known[asked] = read() if kept is None else kept.answer(asked, read)
        return self.known[asked]

    def parts(
        self,
        asked: Iterable[Hashable],
        read: Callable[[Sequence[Any]], Mapping[Hashable, Any]],
        lasting: Callable[[Any], bool],
    ) -> Mapping[Hashable, Any]:
        """Return what *read* gives for each of *asked*; of those that are *lasting* what other questions of the last minute had is not read again."""
        return (
            read(list(dict.fromkeys(asked))) if self.kept is None else self.kept.parts(asked, read, lasting)
        )

    def together(self, *reads: Callable[[Reader], Any]) -> list[Any]:
        """
        Return what each of *reads* gives; they run at the same time, a few at once, each with a reader of its own, and their costs are added up.

        For parts of one answer that do not need each other: much of a statement is done by one core, and while Python makes something of one answer ClickHouse
        works at the next.

        Raises:
            FuseboardError: What the first of them that failed raised, once all have ended.
        """
        readers = [replace(self, cost=Cost()) for _ in reads]
        with ThreadPoolExecutor(_AT_ONCE, "together") as threads:
            running = [threads.submit(read, reader) for read, reader in zip(reads, readers, strict=True)]
        for reader in readers:
            self.cost.take(reader.cost)
        return [each.result() for each in running]

    def rows_of_few(
        self, sql: str, params: Mapping[str, object] | None = None, most: int = 100_000
    ) -> list[Row] | None:
        """
        Run *sql* if it has to read at most *most* rows, counted after the indexes and before any is read; ``None``: it would read more.

        What is found in so few rows is read with all its columns at once, on every core; a second reading of the columns of a page's rows alone pays where most are left out.
        """
        limits = (self.question or Question(limits=self.limits)).limits
        if limits.read_rows and limits.read_rows < most:
            return None
        try:
            return self.rows(sql, params, {"max_rows_to_read": str(most), **_WITHOUT_DELAY})
        except QueryTooExpensive as error:
            if isinstance(error.__cause__, StoreError) and error.__cause__.clickhouse_code == TOO_MANY_ROWS:
                return None
            raise

    def rows(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> list[Row]:
        """
        Run *sql* and return its rows.

        Args:
            sql: Without a FORMAT clause.
            params: Values of its places.
            settings: Beside the limits.

        Raises:
            QueryTooExpensive: Over a limit; the message names it.
            QueryError: 400 ``bad_regex``: the engine refuses the regular expression.
            QueryUnanswerable: 422 ``no_answer``: the statement itself refuses what it found, in its words.
            Unavailable: ``queries_busy``: no turn came.
            Gone: The asker went away.
            StoreUnavailable: No answer.
        """
        question = self.question or Question(limits=self.limits)
        with self._turn(question), question.statement() as (query_id, limits):
            try:
                answer = self.store.query(sql, params, {**limits, **(settings or {})}, query_id)
            except StoreError as error:
                question.check()
                raise _translated(error, question) from error
        self.cost.add(answer)
        return answer.rows

    @contextmanager
    def _turn(self, question: Question) -> Iterator[None]:
        """Hold a turn for the block; of one answer's statements one waits for it, however many are asked at the same time: places to wait are for questions."""
        with ExitStack() as held:
            if self.bulkhead is not None:
                with self.queue.lock:
                    if self.queue.refused is not None:
                        raise self.queue.refused
                    self._take(self.bulkhead, question, held)
            yield

    def _take(self, bulkhead: Bulkhead, question: Question, held: ExitStack) -> None:
        try:
            held.enter_context(bulkhead.turn(question.check))
        except Refused as error:
            self.queue.refused = error
            raise


def _translated(error: StoreError, question: Question) -> Exception:
    if error.clickhouse_code == _BAD_REGEX or (
        error.clickhouse_code == _BAD_ARGUMENTS and "valid re2 pattern" in error.message
    ):
        return QueryError("bad_regex", "the regular expression is not valid RE2 syntax", "query")
    if error.clickhouse_code == _THROWN:
        said = _OWN_WORDS.search(error.message)
        return QueryUnanswerable("no_answer", said[1] if said else error.message)
    if error.clickhouse_code in _TOO_DEEP:
        return QueryTooExpensive("the question is nested too deeply for the engine; ask it in parts")
    return question.refused(error) or error


def column(rows: Sequence[Row], name: str) -> list[Any]:
    """Return one column of *rows*."""
    return [row[name] for row in rows]
