"""
The resource use of the container beside us, as an exposition under cAdvisor's names (container_*).

``scope`` says what was measured: *cgroup* where the service has one of its own (or we share its container); *process*, the
service's process with its descendants, when ``pid`` or ``pid_file`` names it and it has no cgroup that we are not in ourselves; else
*host*. What the kernel does not say (a controller that is off) is left out.
"""

import os
import threading
from pathlib import Path

from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.settings_values import ContainerSettings
from agents.sources import Origin, cgroup, network, procfs
from agents.sources.last_good import LastGood
from agents.sources.numbered import PLAIN, Expositions
from agents.sources.samples import Sample, exposition
from agents.sources.schedule import Slots
from agents.sources.usage import samples as usage_samples


class ContainerSource:
    """Measures at an interval; ends the series when the service has gone, or when we are told to stop."""

    def __init__(self, settings: ContainerSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self.made_of = (settings, origin)
        self._settings = settings
        self._blocks = Expositions(origin, intake, ledger, kind="container", source="container")
        self._slots = Slots(settings.interval_s, f"{origin.agent}container")
        self._last = LastGood()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="container", daemon=True)

    def start(self) -> None:
        """Begin to measure, at once and then at our moment of each interval."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def lag_bytes(self) -> int:
        """Give 0: what was not measured is not there."""
        return 0

    def _run(self) -> None:
        self._measure()
        while not self._stopping.wait(self._slots.wait_s()):
            self._measure()
        self._vanish()

    def _measure(self) -> None:
        try:
            scope, samples = measure(self._settings)
        except OSError as error:  # the service is between two lives
            log("warning", "container_not_measured", reason=str(error))
            self._vanish()
            return
        body = exposition(samples, {"scope": scope})
        self._blocks.ship("container", body)
        self._last.keep(PLAIN, body)

    def _vanish(self) -> None:
        if (last := self._last.take()) is not None:
            self._blocks.ship("container", last[1], stale=True)


def measure(settings: ContainerSettings) -> tuple[str, list[Sample]]:
    """
    Read the counters once.

    Returns:
        The scope (cgroup, process, host) and its samples.

    Raises:
        OSError: The process or its group is gone.
    """
    pid = service_pid(settings)
    group = cgroup.find(pid)
    if group is not None and (not pid or group != cgroup.find(0)):
        return "cgroup", group_samples(group, pid or os.getpid())
    if pid:
        return "process", procfs.tree_samples(pid)
    return "host", procfs.host_samples() + network.samples(0)


def group_samples(group: cgroup.Group, pid: int, proc: Path = procfs.PROC) -> list[Sample]:
    """
    Read a group, and of its process *pid* the start and the network, unless that is the host's.

    Raises:
        OSError: The group, or the process, is gone.
    """
    started_at = procfs.boot_time(proc) + procfs.read_process(pid, proc).started_s
    return [
        *usage_samples(group.usage(procfs.devices(proc), group.pids()), os.cpu_count() or 1),
        Sample("container_start_time_seconds", "gauge", started_at),
        *([] if network.is_the_hosts(pid, proc) else network.samples(pid, proc)),
    ]


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
