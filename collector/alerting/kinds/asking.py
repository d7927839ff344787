"""What the kinds of rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

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
        own: Gives what ``/api/v1/pipeline`` says; ``None`` = nothing is known.
        attend: Called before a round of questions: what gathers in the journal until somebody reads is loaded then.
    """

    reader: Callable[[], Reader]
    sql: Callable[[str], Answer] | None = None
    own: Callable[[], Mapping[str, Any]] | None = None
    attend: Callable[[], object] = bool


class Asking(Protocol):
    """The question of a rule."""

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
