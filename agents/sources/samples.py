"""Samples that we make ourselves, written as Prometheus text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """
    One number; ``kind`` is counter or gauge.

    A *value* of None is not known (the kernel has no such file here): it is left out, never written as 0. *labels* are its own,
    beside those of what it was measured of.
    """

    name: str
    kind: str
    value: float | None
    labels: Labels = ()


def exposition(samples: Iterable[Sample], labels: Mapping[str, str]) -> bytes:
    """Write *samples*, all under the same *labels*."""
    return expositions([(pairs(labels), samples)])


def expositions(measured: Iterable[tuple[str, Iterable[Sample]]]) -> bytes:
    """
    Write what was measured of several targets.

    Args:
        measured: Each target's labels as ``pairs`` writes them, and its samples.

    Returns:
        One family after the other, as the format asks: its type, then its samples of all targets.
    """
    families: dict[tuple[str, str], list[str]] = {}
    for labels, samples in measured:
        for name, kind, value, own in samples:
            if value is not None:
                more = pairs(dict(own)) if own else ""
                braces = ",".join(part for part in (labels, more) if part)
                line = f"{name}{{{braces}}} {_number(value)}\n"
                families.setdefault((name, kind), []).append(line)
    return "".join(
        f"# TYPE {name} {kind}\n{''.join(lines)}" for (name, kind), lines in families.items()
    ).encode()


def pairs(labels: Mapping[str, str]) -> str:
    """Write *labels* as they stand between braces."""
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())


def lines_of(body: bytes, targets: Sequence[str]) -> bytes:
    """
    Pick the samples of some targets out of an exposition made by ``expositions``, for their end.

    Args:
        body: The exposition.
        targets: Labels as ``pairs`` writes them; none of them may be the beginning of another target's but up to a comma.
    """
    wanted = tuple(target.encode() for target in targets)
    kept: list[bytes] = []
    for line in body.split(b"\n"):
        rest = line.partition(b"{")[2]
        if any(rest.startswith((target + b"}", target + b",")) for target in wanted):
            kept.append(line + b"\n")
    return b"".join(kept)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
