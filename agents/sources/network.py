"""What a network namespace has received and sent, by interface. Source: proc_pid_net(5); names as cAdvisor's."""

from collections.abc import Iterator
from pathlib import Path

from agents.sources.samples import Sample

PROC = Path("/proc")


def samples(pid: int, proc: Path = PROC) -> list[Sample]:
    """Read the interfaces that *pid* (0 = we) sees, loopback left out; nothing when it has ended."""
    try:
        lines = (proc / (str(pid) if pid else "self") / "net" / "dev").read_text().splitlines()[2:]
    except OSError:
        return []
    return [sample for line in lines for sample in _interface(line)]


def _interface(line: str) -> Iterator[Sample]:
    name, _, rest = line.partition(":")
    if name.strip() == "lo":
        return
    count = [int(number) for number in rest.split()]
    labels = (("interface", name.strip()),)
    yield Sample("container_network_receive_bytes_total", "counter", count[0], labels)
    yield Sample("container_network_receive_packets_total", "counter", count[1], labels)
    yield Sample("container_network_receive_errors_total", "counter", count[2], labels)
    yield Sample("container_network_receive_packets_dropped_total", "counter", count[3], labels)
    yield Sample("container_network_transmit_bytes_total", "counter", count[8], labels)
    yield Sample("container_network_transmit_packets_total", "counter", count[9], labels)
    yield Sample("container_network_transmit_errors_total", "counter", count[10], labels)
    yield Sample("container_network_transmit_packets_dropped_total", "counter", count[11], labels)


def namespace(pid: int, proc: Path = PROC) -> str | None:
    """Name the network namespace of *pid*; None when it has ended, or is not ours to look into."""
    try:
        return str((proc / str(pid) / "ns" / "net").readlink())
    except OSError:
        return None


def is_the_hosts(pid: int, proc: Path = PROC) -> bool:
    """
    Say whether *pid* shares the network of a host: its counters are then not the container's.

    Only the host's init is in ``/init.scope``; a container's first process is not.
    """
    try:
        if not (proc / "1" / "cgroup").read_text().rstrip().endswith("/init.scope"):
            return False
    except OSError:
        return False
    own = namespace(pid, proc)
    return own is not None and own == namespace(1, proc)
