"""Whether evaluation goes on: when rounds ended, whether the lease is held, what went wrong last."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from collector.errors import FuseboardError

log = structlog.get_logger(__name__)

# Without a finished round for this long (and three intervals) evaluation is reported as stuck.
STUCK_S = 15.0
# The same for the rules that ask: a question may take its time, and several take turns.
ASKING_STUCK_S = 120.0

Reason = tuple[str, str]  # code, sentence


@dataclass(frozen=True)
class AlertingHealth:
    """*ok* and else why not: ``(code, sentence)``; ``engine_unavailable`` means alerts keep their state."""

    ok: bool
    reasons: tuple[Reason, ...]


class Pulse:
    """
    Said by the threads, read by health and heartbeat.

    Args:
        interval_s: Between two looks at the breakers.

    Attributes:
        holds: The lease was held in the last round.
        problem: Of the last round; ``None`` = it went well.
    """

    def __init__(self, interval_s: float) -> None:
        self._longest_s = max(STUCK_S, 3 * interval_s)
        self.holds = False
        self.problem: Reason | None = None
        self.begin()

    def begin(self) -> None:
        """Count from now."""
        self._looked = self._asked = time.monotonic()

    def looked(self) -> None:
        """Say that the breakers were looked at."""
        self._looked = time.monotonic()

    def asked(self) -> None:
        """Say that the groups were."""
        self._asked = time.monotonic()

    @property
    def stuck(self) -> Reason | None:
        """Give why no round ends, if none does."""
        silent_s = time.monotonic() - self._looked
        if silent_s <= self._longest_s:
            return None
        return "evaluation_stuck", f"no round has finished for {silent_s:.0f} s"

    @property
    def well(self) -> bool:
        """Whether the whole of evaluation works now: breakers looked at, rules that ask asked, the lease held."""
        asking_s = time.monotonic() - self._asked
        return self.holds and self.problem is None and self.stuck is None and asking_s <= ASKING_STUCK_S

    def note(self, code: str, sentence: str) -> None:
        """Say how the last round went; *code* is "" if well."""
        if code and (self.problem is None or self.problem[0] != code):
            log.warning("alerting_troubled", code=code, error=sentence)
        self.problem = (code, sentence) if code else None

    def failed(self, event: str, error: Exception) -> None:
        """Tell it; a stack trace only for what is a bug."""
        code = error.code if isinstance(error, FuseboardError) else "internal"
        self.note(code, str(error))
        log.error(event, code=code, error=str(error), exc_info=not isinstance(error, FuseboardError))
