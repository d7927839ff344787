"""What the kinds of rules share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from collector.read.breakers import BreakerState
from collector.read.leaves import Leaves
from collector.read.sql import Answer, Reader


class Sample(NamedTuple):
    """A label set whose condition holds, with the metric's name where the answer keeps it, and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Missing:
    """
    An alert whose label set is not among the answers any more.

    Attributes:
        fingerprint: Its name.
        labels: Those it has of its series.
        began: When it began.
        since: When it was missed first; ``None`` = now.
    """

    fingerprint: str
    labels: Mapping[str, str]
    began: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Where rules ask.

    Attributes:
        reader: Makes a reader of ClickHouse: one per question.
        sql: Runs a person's statement behind the guard; ``None`` = there is none.
        states: Gives the breakers as they are now, from memory (`collector.read.present`); ``None`` = the tables are asked.
        own: Gives what ``/api/v1/pipeline`` says; ``None`` = nothing is known.
        attend: Called with signals before a question about them: what gathers in the journal until somebody reads is loaded then.
        leaves: What expressions ask of the store, brought for many rules; ``None`` = each asks by itself.
        slos: Gives service -> its objective, as the catalogue says.
    """

    reader: Callable[[], Reader]
    sql: Callable[[str], Answer] | None = None
    states: Callable[[], Sequence[BreakerState]] | None = None
    own: Callable[[], Mapping[str, Any]] | None = None
    attend: Callable[[Collection[str]], object] = bool
    leaves: Leaves | None = None
    slos: Callable[[], Mapping[str, str]] = dict


# Of what a rule's answer is made; transitions of breakers wait for nobody, so nobody names them.
NOTHING: frozenset[str] = frozenset()
RECORDS = frozenset({"logs"})
SPANS = frozenset({"traces"})
SAMPLES = frozenset({"metrics"})
HEARD = RECORDS | SPANS
ANYTHING = HEARD | SAMPLES | {"reports"}


class Asking(Protocol):
    """The question of a rule."""

    @property
    def reads(self) -> frozenset[str]:
        """Signals whose records are to be in the tables when it is asked."""

    def find(self, sources: Sources, at: datetime) -> Sequence[Sample]:
        """
        Give the label sets whose condition holds at *at*.

        Raises:
            FuseboardError: It cannot be said.
        """

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """
        Give the fingerprints of *missing* of which the data says that their condition has ended.

        Args:
            sources: As before.
            at: As before.
            missing: At least one.
            fingerprint: Of the alert that a sample would make.
        """


def milliseconds(at: datetime) -> int:
    """Give *at* as milliseconds since the epoch."""
    return round(at.timestamp() * 1000)


def nanoseconds(at: datetime) -> int:
    """Give *at* as nanoseconds since the epoch."""
    return milliseconds(at) * 1_000_000
