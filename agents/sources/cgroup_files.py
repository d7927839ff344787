"""The shapes that the kernel writes numbers in, in files of cgroups; a file that is not there, or has no answer, is None."""

import os
from collections.abc import Mapping
from pathlib import Path

from agents.sources.usage import DiskUsage


def text_of(directory: object, name: str) -> str | None:
    """Read a small file."""
    try:
        with open(f"{directory}/{name}", encoding="ascii") as file:  # noqa: PTH123 - thousands each interval: twice as fast
            return file.read()
    except OSError:  # no such controller, the group has just ended, or pressure is switched off
        return None


def directories(path: Path) -> list[str]:
    """List the groups in a group; one without any has two links, and is not even opened."""
    try:
        if path.stat().st_nlink == 2:
            return []
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # it has just ended
        return []


def number(directory: object, name: str) -> float | None:
    """Read one number; ``max`` is 0, as cAdvisor writes *none*."""
    text = text_of(directory, name)
    if text is None:
        return None
    return 0 if text.startswith("max") else int(text)


def pairs(directory: object, name: str) -> dict[str, int]:
    """Read lines of ``key number``."""
    lines = (text_of(directory, name) or "").splitlines()
    return {key: int(value) for key, _, value in (line.partition(" ") for line in lines)}


def scaled(value: int | None, unit: float) -> float | None:
    """Turn a count of *unit*ths into the thing itself."""
    return None if value is None else value / unit


def named(disks: Mapping[str, DiskUsage], devices: Mapping[str, str]) -> dict[str, DiskUsage]:
    """Name devices, without those that were never touched."""
    return {devices.get(number, number): disk for number, disk in disks.items() if any(disk)}
