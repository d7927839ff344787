"""Which ports a shop uses: one block, so that a restarted service finds its port again."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from demo.errors import UsageError
from demo.topology import SERVICES

_CONTROL_OFFSET = 10
_RELAY_OFFSET = 20
_BLOCK = 30
# Below Linux's ephemeral range (32768 on): a client's outgoing connection never sits on a restarting service's port.
_FIRST, _LAST = 15_000, 32_000


@dataclass(frozen=True)
class Ports:
    """The ports from *base* on: services, then control ports, then relays, in the order of the topology."""

    base: int

    def service(self, name: str) -> int:
        """Return where the service serves."""
        return self.base + list(SERVICES).index(name)

    def control(self, name: str) -> int:
        """Return where it answers ``/_fault`` even while it is down."""
        return self.service(name) + _CONTROL_OFFSET

    def relay(self, name: str) -> int:
        """Return where its sidecar takes OTLP."""
        return self.service(name) + _RELAY_OFFSET


def given(base: int) -> Ports:
    """
    Return the block that starts at *base*.

    Raises:
        UsageError: Out of range, or one of its ports is taken.
    """
    if not 1024 <= base <= 65535 - _BLOCK:
        raise UsageError(
            f"--base-port {base} is out of range: give 1024 to {65535 - _BLOCK}, {_BLOCK} ports are used"
        )
    taken = [port for port in range(base, base + _BLOCK) if not _is_free(port)]
    if taken:
        raise UsageError(
            f"--base-port {base}: port {taken[0]} is taken; give another, or none for free ports"
        )
    return Ports(base)


def free() -> Ports:
    """Find a free block; where the search begins depends on the pid, so that shops that start together differ."""
    blocks = (_LAST - _FIRST) // _BLOCK
    for at in range(blocks):
        base = _FIRST + (os.getpid() * 7 + at) % blocks * _BLOCK
        if all(_is_free(port) for port in range(base, base + _BLOCK)):
            return Ports(base)
    raise UsageError(f"no {_BLOCK} free ports in a row between {_FIRST} and {_LAST}: give --base-port")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
