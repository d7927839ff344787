"""
Where bytes come from. A source cuts blocks, gives each its identity, and hands it to the intake; it never parses.

``files``      follows files (``tail`` is one file, ``discovery`` finds them; its docstring lists the others)
``command``    runs a process and reads its output
``scrape``     fetches an exposition (``scrape_target`` asks, ``last_good`` remembers, ``http_get`` speaks HTTP)
``probe``      asks the service whether it is well
``container``  reads the counters of a cgroup or of processes (``cgroup``, ``procfs``, ``network``; ``usage`` names them)
``node``       is all containers of a host: their logs (``node_logs``), their cgroups (``node_host``, ``cgroup_tree``), their names
               (``containers``, ``kubernetes``, ``docker``)
``relay``      takes OTLP and breaker transitions from the service beside us (``relay_request`` judges one request)

What has no file behind it numbers its blocks (``numbered``) and measures in its own moment of each interval (``schedule``);
``measuring`` makes those, and keeps them over a reload.

All are threads; ``Source`` is what the pipeline knows of them, ``Origin`` what they know of the agent.
"""

import zlib
from dataclasses import dataclass
from typing import Protocol

from agents.block import Position, Stream
from agents.headers import pairs


class Source(Protocol):
    """A running source."""

    def start(self) -> None:
        """Begin to hand over blocks."""

    def stop(self) -> None:
        """Hand over what is there and end; returns when nothing more will come."""

    def lag_bytes(self) -> int:
        """Give the bytes that are there and not handed over."""


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Who ships: the agent's id and the resource attributes of the service beside it.

    ``place`` stands for a block's path, in the ledger too, where paths come and go for ever (the pods of a host): counters are kept
    as long as the agent lives. Offsets are told apart by generation.
    """

    agent: str
    resource: dict[str, str]
    place: str = ""

    def with_resource(self, more: dict[str, str]) -> "Origin":
        """Lay attributes over the agent's own, for what is shipped of another than the service beside it."""
        return Origin(self.agent, self.resource | more, self.place) if more else self

    def stream(self, signal: str, source: str) -> Stream:
        """Name the stream that blocks of *source* are counted under."""
        env = self.resource.get(
            "deployment.environment.name", self.resource.get("deployment.environment", "")
        )
        named = f"{source.partition(':')[0]}:{self.place}" if self.place else source
        return Stream(self.resource.get("service.name", ""), env, signal, named)

    def headers(self, kind: str, path: str, position: Position) -> dict[str, str]:
        """Say whose bytes a block holds and where they were read."""
        source = {
            "agent": self.agent,
            "kind": kind,
            "path": self.place or path,
            "generation": position.generation,
            "offset": str(position.start),
            "end": str(position.end),
        }
        return {"Fuseboard-Resource": pairs(self.resource), "Fuseboard-Source": pairs(source)}

    def key(self, position: Position) -> str:
        """Derive a block's identity from what it holds, so that the same range has the same key after any restart."""
        return f"{self.agent}-{position.generation}-{position.start}-{position.end}"


def counted_generation(source: str) -> str:
    """Name the one generation of a source that numbers its blocks; it lasts as long as the data directory."""
    return f"n{zlib.crc32(source.encode()):08x}"
