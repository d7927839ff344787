"""Incidents as the rest of the collector sees them: what is asked, what is done by hand, and the thread that looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.hands import Hands
from collector.alerting.incidents.investigator import EVERY_S, Investigator
from collector.alerting.incidents.witness import Witness
from collector.alerting.kinds.asking import ANYTHING, Sources
from collector.alerting.plan import Planner
from collector.state import State

log = structlog.get_logger(__name__)


@dataclass
class Incidents:
    """
    The incidents of one collector.

    Attributes:
        answers: What is read.
        hands: What people do.
        investigator: Looks; ``None`` = there is no store to look into.
    """

    answers: Answers
    hands: Hands
    investigator: Investigator | None = None
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to look every quarter of a minute."""
        if self.investigator is None:
            return
        self._thread = threading.Thread(target=self._look_forever, name="alerting-investigate", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def done(self, incident_id: str) -> list[dict[str, Any]]:
        """Give the incident as it is after something was done to it."""
        return [self.answers.one(incident_id)]

    def _look_forever(self) -> None:
        assert self.investigator is not None
        while not self._stop.wait(EVERY_S):
            try:
                self.investigator.look(self.hands.clock())
            except Exception as error:
                log.warning("incidents_unexplained", error=str(error), exc_info=True)


def investigating(
    state: State, sources: Sources | None, planner: Planner, leads: Callable[[Connection, datetime], bool]
) -> Investigator | None:
    """Give who looks into what *sources* give while it *leads*; ``None`` = there are none."""
    if sources is None:
        return None
    attend = partial(sources.attend, ANYTHING)
    return Investigator(state, Witness(sources.reader, sources.slos), planner, leads, attend)
