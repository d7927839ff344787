"""The state of the collector's own pipeline, answerable while ClickHouse is away: it asks memory, not the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.canary.watch import Canary
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.journal.writer import Journal
from collector.load.loader import Loader
from collector.store.budget import DiskBudget


class Pipeline:
    """
    Engine, journal, loader and quarantine in one look.

    Args:
        engine: The embedded one, or the server that is watched.
        journal: Its size and its bound.
        loader: What waits.
        quarantine_path: Where masked records' bytes are.
        canary: Its verdict.
        repeats: Repeated batches that got their first answer since the start, by format.
        disk: The embedded engine's share of the disk; ``None`` in server mode.
        state: Why the state database was not found when it was last asked.
        alerting: Why alerts are not evaluated or delivered as they should be: (code, sentence).
    """

    def __init__(
        self,
        engine: Engine | Server,
        journal: Journal,
        loader: Loader,
        quarantine_path: Path,
        canary: Canary,
        repeats: Mapping[str, int],
        disk: DiskBudget | None,
        state: Callable[[], str | None],
        alerting: Callable[[], Sequence[tuple[str, str]]] = tuple,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._loader = loader
        self._quarantine_path = quarantine_path
        self._canary = canary
        self._repeats = repeats
        self._disk = disk
        self._state = state
        self._alerting = alerting
        self._was_up = False

    def pipeline(self) -> Mapping[str, Any]:
        """Return ``{canary, engine, journal, disk, quarantine, duplicates_refused, alerting}`` as ``/api/v1/pipeline`` shows it."""
        waiting, oldest_s = self._loader.waiting
        quarantined = (
            sum(1 for _ in self._quarantine_path.glob("*.seg")) if self._quarantine_path.exists() else 0
        )
        return {
            "canary": self._canary.verdict().row(),
            "engine": self.engine(),
            "journal": {
                "bytes": self._journal.bytes,
                "max_bytes": self._journal.max_bytes,
                "segments_waiting": waiting,
                "damaged_segments": self._journal.damaged_segments,
                "oldest_waiting_s": round(max(oldest_s, self._journal.oldest_open_s), 3),
                "last_error": self._journal.trouble,
                "load_error": self._loader.trouble,
            },
            "disk": None if self._disk is None else self._disk.row(),
            "quarantine": {"records": quarantined},
            "duplicates_refused": dict(self._repeats),
            "alerting": self.alerting(),
        }

    def alerting(self) -> dict[str, Any]:
        """Return ``{ok, reasons: [{code, message}]}``."""
        reasons = [{"code": code, "message": text} for code, text in self._alerting()]
        return {"ok": not reasons, "reasons": reasons}

    def engine(self) -> dict[str, Any]:
        """Return the engine's ``state`` (starting, up, down), ``since``, ``restarts`` and ``last_error``."""
        state = self._engine.state
        self._was_up = self._was_up or state.state == "up"
        return {
            "state": state.state,
            "since": state.since.isoformat().replace("+00:00", "Z"),
            "restarts": state.restarts,
            "pid": state.pid,
            "last_error": state.last_error,
        }

    def not_ready(self) -> list[str]:
        """Return why requests should go elsewhere; empty = ready. A dead engine alone is no reason: lines are still taken."""
        reasons = []
        engine = self.engine()
        if not self._was_up and isinstance(self._engine, Engine):  # a server that is away stops no collector
            reasons.append(f"the engine has not been up yet ({engine['state']})")
        if self._journal.trouble:
            reasons.append(f"journal: {self._journal.trouble}")
        if self._journal.bytes >= self._journal.max_bytes:
            reasons.append(f"the journal is full ({self._journal.bytes} bytes)")
        return reasons

    def degraded(self) -> list[str]:
        """Return what is wrong without making the collector unready: lines are taken while engine or state are away."""
        engine, state = self.engine(), self._state()
        wrong = [] if engine["state"] == "up" else [f"engine {engine['state']}: {engine['last_error']}"]
        rules = [text for code, text in self._alerting() if code == "bad_rule"]
        return [*wrong, *([f"state: {state}; alerts wait"] if state else []), *rules]
