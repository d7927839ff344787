"""
The resource use of the container beside us, as an exposition under cAdvisor's names (container_*).

``scope`` says what was measured: *cgroup* (v2) where there is one; *process*, the service's process with its descendants,
when ``pid`` or ``pid_file`` names it and it has no cgroup that we are not in ourselves; else *host*.
"""

import os
import threading
import time
from pathlib import Path

from agents.block import Block, Position
from agents.errors import NoRoom, SpoolUnavailable
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log, rfc3339
from agents.settings_values import ContainerSettings
from agents.sources import Origin, cgroup, counted_generation, procfs
from agents.sources.samples import Sample, exposition

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ContainerSource:
    """Measures at an interval."""

    def __init__(self, settings: ContainerSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self._settings = settings
        self._origin = origin
        self._intake = intake
        self._stopping = threading.Event()
        self._stream = origin.stream("metrics", "container")
        self._generation = counted_generation(self._stream.source)
        self._number = ledger.sequence_of(self._stream.source)
        self._thread = threading.Thread(target=self._run, name="container", daemon=True)

    def start(self) -> None:
        """Begin to measure, at once and then at the interval."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def lag_bytes(self) -> int:
        """Give 0: what was not measured is not there."""
        return 0

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                scope, samples = measure(self._settings)
                self._ship(exposition(samples, {"scope": scope}))
            except (
                OSError,
                NoRoom,
                SpoolUnavailable,
            ) as error:  # the service is between two lives, or no room
                log("warning", "container_not_measured", reason=str(error))
            self._stopping.wait(self._settings.interval_s)

    def _ship(self, body: bytes) -> None:
        position = Position(self._generation, self._number, self._number + 1)
        self._number += 1
        headers = self._origin.headers("container", "container", position)
        block = Block(
            stream=self._stream,
            path="/v1/exposition",
            key=self._origin.key(position),
            position=position,
            body=body,
            headers=headers | {"Content-Type": CONTENT_TYPE, "Fuseboard-Scraped-At": rfc3339(time.time())},
        )
        self._intake.deliver(block)


def measure(settings: ContainerSettings) -> tuple[str, list[Sample]]:
    """
    Read the counters once.

    Returns:
        The scope (cgroup, process, host) and its samples.

    Raises:
        OSError: The process or its group is gone.
    """
    pid = service_pid(settings)
    directory = cgroup.find(pid)
    if directory is not None and (not pid or directory != cgroup.find(0)):
        started = procfs.boot_time() + procfs.read_process(pid or os.getpid()).started_s
        return "cgroup", cgroup.samples(directory, os.cpu_count() or 1, started)
    if pid:
        return "process", procfs.tree_samples(pid)
    return "host", procfs.host_samples()


def service_pid(settings: ContainerSettings) -> int:
    """
    Give the pid of the service; 0 when none is named.

    Raises:
        OSError: The pid file is not there (yet) or holds no number.
    """
    if settings.pid_file is None:
        return settings.pid
    text = Path(settings.pid_file).read_text().strip()
    if not text.isdigit():
        raise OSError(f"pid file {str(settings.pid_file)!r} holds {text!r:.50}, not a number")
    return int(text)
