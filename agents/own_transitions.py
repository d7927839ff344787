"""
The transitions of the agent's own breakers, shipped like any other: one block for ``/v1/breakers`` through the spool.

On the board: service = the service beside us, breaker ``fuseboard-collector``, target = the collector's URL, instance = the
agent's name. A change is told when a collector whose breaker is closed has next taken a block or a report. So nobody is woken by a thing that is over: the one
collector of an agent cannot hear that it cannot be reached; when it hears of it, the same block says that it is closed
again. Where there are several, the others hear of an open one at once, and a rule on breakers that have been open for some
time fires on it as on any other (``breaker!="fuseboard-collector"`` leaves them out).

A trial that fails is not told: the breaker was open all that time. What was told last is kept in ``breakers.json`` before it
is told, so a restart takes it up: a breaker last told as open begins with a trial. A block that finds no room in the spool is
dropped and counted; the next change tells the state again.
"""

import json
import os
import threading
import time
from pathlib import Path

from agents.block import Block, Position
from agents.checkpoint import sync_directory
from agents.errors import AgentError
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_breaker import Change
from agents.own_log import log, rfc3339
from agents.settings_values import Settings
from agents.sources import Origin, counted_generation

BREAKER = "fuseboard-collector"
PENDING = 64  # of one outage there are three per collector; beyond, the oldest are dropped and counted
Transition = dict[str, object]


class OwnTransitions:
    """
    Collects changes and ships them.

    Attributes:
        dropped: Transitions that found no room, since the process began.
    """

    def __init__(
        self, settings: Settings, origin: Origin, intake: Intake, ledger: Ledger, path: Path
    ) -> None:
        """Read what was told last; without it every breaker was closed."""
        self._settings = settings
        self._origin = origin
        self._intake = intake
        self._path = path
        self._lock = threading.Lock()
        self._shipping = threading.Lock()
        self._pending: list[Transition] = []
        self._told = _read(path)
        self._source = "breaker"
        self._number = ledger.sequence_of(self._source)
        self.dropped = 0
        self._close_removed()

    def opened(self) -> frozenset[str]:
        """Give the collectors whose breaker was last told as something else than closed."""
        return frozenset(url for url, state in self._told.items() if state != "closed")

    def reconfigure(self, settings: Settings, origin: Origin) -> None:
        """Speak for another service or name, of other collectors."""
        self._settings, self._origin = settings, origin
        self._close_removed()

    def changed(self, url: str, change: Change) -> None:
        """Note a change of the breaker of *url*; it is told by the next ``ship``."""
        failures = self._settings.breaker.failures
        reason = f"{failures} requests in a row failed" if change.after == "open" else "a trial was answered"
        at = time.time() - (time.monotonic() - change.at)
        self._note(url, change.before, change.after, at, reason, failures if change.after == "open" else None)
        log(
            "warning" if change.after == "open" else "info",
            "breaker",
            target=url,
            state=change.after,
            reason=reason,
        )

    def ship(self) -> None:
        """Tell what there is to tell; never raises."""
        if not self._pending:
            return
        with self._shipping:
            with self._lock:
                told, self._pending = self._pending, []
            try:
                self._keep(told)
                self._intake.deliver(self._block(told))
            except (AgentError, OSError) as error:
                self.dropped += len(told)
                log("warning", "transitions_dropped", count=len(told), reason=str(error))

    def _note(self, url: str, before: str, after: str, at: float, reason: str, calls: int | None) -> None:
        transition: Transition = {
            "service": self._origin.resource.get("service.name", ""),
            "breaker": BREAKER,
            "target": url,
            "instance": self._settings.name,
            "from": before,
            "to": after,
            "at": rfc3339(at),
            "reason": reason,
            "failure_rate": None if calls is None else 1.0,
            "calls": calls,
        }
        with self._lock:
            self._pending.append(transition)
            if len(self._pending) > PENDING:
                del self._pending[0]
                self.dropped += 1

    def _close_removed(self) -> None:
        """A collector that is not ours any more is guarded by nothing: its breaker must not stay open on the board."""
        for url in self.opened() - set(self._settings.collector):
            self._note(url, self._told[url], "closed", time.time(), "no longer in the settings", None)

    def _keep(self, told: list[Transition]) -> None:
        """Make durable what is about to be told."""
        states = self._told | {str(it["target"]): str(it["to"]) for it in told}
        self._told = {url: state for url, state in states.items() if state != "closed"}
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            file.write(json.dumps(self._told))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        sync_directory(self._path.parent)

    def _block(self, told: list[Transition]) -> Block:
        stream = self._origin.stream("breakers", self._source)
        position = Position(counted_generation(self._source), self._number, self._number + 1)
        self._number += 1
        return Block(
            stream=stream,
            path="/v1/breakers",
            key=self._origin.key(position),
            position=position,
            body=json.dumps(told).encode(),
            headers=self._origin.headers("breaker", BREAKER, position) | {"Content-Type": "application/json"},
        )


def _read(path: Path) -> dict[str, str]:
    """Read what was told last; a file that cannot be read says nothing (a breaker may stay open on the board until it changes)."""
    try:
        found = json.loads(path.read_bytes())
        return {str(url): str(state) for url, state in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log("warning", "breakers_unreadable", path=path, reason=str(error))
        return {}
