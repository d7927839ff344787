"""
A deadline for a whole conversation: a peer that sends a byte now and then is not waited for longer than a silent one.

A socket's timeout counts from the last byte; here each read and write is given what is left until one point in time.
"""

import io
import socket
import time
from collections.abc import Callable
from typing import cast


class Deadline:
    """A point in time, moved by ``set``; without one nothing ends."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._given_s = 0.0

    def set(self, seconds: float) -> None:
        """Let the conversation end *seconds* from now."""
        self._given_s = seconds
        self._at = time.monotonic() + seconds

    def left_s(self) -> float:
        """
        Give the seconds that are left.

        Raises:
            TimeoutError: None are.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done within {self._given_s:g} s")
        return left


class TimedReader(io.RawIOBase):
    """Reads *connection* through *raw*, its own unbuffered file, until *left_s* says that time is up."""

    def __init__(self, connection: socket.socket, left_s: Callable[[], float]) -> None:
        self._connection = connection
        self._raw = cast("io.RawIOBase", connection.makefile("rb", buffering=0))
        self._left_s = left_s

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        """Read what is there; TimeoutError when the deadline comes first."""
        self._connection.settimeout(self._left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let the file go; the connection stays its owner's."""
        self._raw.close()
        super().close()


def send_all(connection: socket.socket, data: bytes, deadline: Deadline) -> None:
    """
    Send *data* whole; a TLS socket's own ``sendall`` would count the time anew for each record.

    Raises:
        OSError: The peer does not take it, or not in time.
    """
    view = memoryview(data)
    while view:
        connection.settimeout(deadline.left_s())
        view = view[connection.send(view) :]
