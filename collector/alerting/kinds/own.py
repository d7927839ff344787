"""
``fuseboard: engine down``: the collector's own trouble, from its memory: it needs no engine.

==================  ======================================================  ============================
text                found when                                              value
==================  ======================================================  ============================
engine down         ClickHouse does not answer                              1
journal above 0.8   unloaded bytes are more than this share of the bound    that share
loading stuck       the oldest unloaded segment waits for 5 minutes         seconds
canary lost         a line that was acknowledged is not in the tables       lines
canary doubled      one is there more than once                             lines
quarantine          segments wait in quarantine                             segments
disk below          partitions had to go before their time                  partitions
journal damaged     segments were damaged on the disk                       segments
==================  ======================================================  ============================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from collector.alerting.kinds.asking import NOTHING, Missing, Sample, Sources
from collector.errors import Unavailable

_STUCK_S = 300.0
Told = Mapping[str, Any]


def _down(told: Told) -> float:
    return 0.0 if told["engine"]["state"] == "up" else 1.0


def _full(told: Told) -> float:
    return float(told["journal"]["bytes"] / max(1, told["journal"]["max_bytes"]))


def _waiting(told: Told) -> float:
    waited_s = float(told["journal"]["oldest_waiting_s"])
    return waited_s if waited_s >= _STUCK_S else 0.0


def _dropped(told: Told) -> float:
    """Count those of the last hour: what went longer ago is no trouble of now."""
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    dropped = told["disk"]["dropped"] if told["disk"] else ()
    return float(sum(str(one["at"]) >= since[:19] for one in dropped))


# What is found where its number is above 0, or above the one that is written.
_CONDITIONS: Mapping[str, Callable[[Told], float]] = {
    "engine down": _down,
    "journal": _full,
    "loading stuck": _waiting,
    "canary lost": lambda told: float(told["canary"]["missing"]),
    "canary doubled": lambda told: float(told["canary"]["duplicated"]),
    "quarantine": lambda told: float(told["quarantine"]["records"]),
    "disk below": _dropped,
    "journal damaged": lambda told: float(told["journal"]["damaged_segments"]),
}


@dataclass(frozen=True, slots=True)
class Own:
    """A condition of ourselves, above a number."""

    name: str
    above: float

    reads: ClassVar = NOTHING

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give one sample if it is so."""
        del at
        if sources.own is None:
            raise Unavailable("engine_unavailable", "there is no collector here")
        value = _CONDITIONS[self.name](sources.own())
        return [Sample({}, round(value, 4))] if value > self.above else []

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give all: we know ourselves."""
        del sources, at, fingerprint
        return frozenset(one.fingerprint for one in missing)


def read_own(text: str) -> Own:
    """
    Read a condition.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"\s*(?P<name>[a-z ]+?)(?:\s+above\s+(?P<above>\d+(?:\.\d+)?))?\s*", text)
    name = re.sub(r"\s+", " ", found["name"]) if found else ""
    if found is None or name not in _CONDITIONS:
        raise ValueError(f"known: {', '.join(_CONDITIONS)}, each with an optional 'above NUMBER'")
    if name == "journal" and found["above"] is None:
        raise ValueError("give the share that is too much: journal above 0.8")
    return Own(name, float(found["above"] or 0))
