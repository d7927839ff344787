"""Samples that we make ourselves, written as Prometheus text."""

from collections.abc import Iterable
from typing import NamedTuple


class Sample(NamedTuple):
    """One number; ``kind`` is counter or gauge."""

    name: str
    kind: str
    value: float


def exposition(samples: Iterable[Sample], labels: dict[str, str]) -> bytes:
    """Write *samples*, all under the same *labels* (values without quotes and backslashes)."""
    braces = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
    lines = (f"# TYPE {name} {kind}\n{name}{braces} {_number(value)}\n" for name, kind, value in samples)
    return "".join(lines).encode()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
