"""
Which collector, and whose key: the options, else ``FUSEBOARD_URL`` and ``FUSEBOARD_KEY``, else ``url`` and ``key`` of the file, else this machine.

The file is ``$XDG_CONFIG_HOME/fuseboard/terminal.toml`` (``~/.config/…``).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from collector.terminal.output import TerminalError

DEFAULT_URL = "http://127.0.0.1:4318"
_NAMES = frozenset({"url", "key"})


@dataclass(frozen=True, slots=True)
class Address:
    """
    A collector.

    Attributes:
        url: Without a slash at its end; may have a path where a proxy puts it under one.
        key: Its read key; "" = none.
    """

    url: str
    key: str = field(default="", repr=False)


def address(url: str | None, key: str | None, environ: Mapping[str, str] = os.environ) -> Address:
    """
    Find the collector.

    Args:
        url: Of the option; ``None`` = not given.
        key: Of the option.
        environ: The environment.

    Raises:
        TerminalError: The URL is none, or the file cannot be read.
    """
    kept = _file(_path(environ))
    chosen = url or environ.get("FUSEBOARD_URL") or kept.get("url") or DEFAULT_URL
    secret = key or environ.get("FUSEBOARD_KEY") or kept.get("key") or ""
    if not (secret.isascii() and (secret.isprintable() or not secret)):
        raise TerminalError("the key has characters that no key has; check --key or FUSEBOARD_KEY")
    return Address(_checked(chosen), secret)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in url):
        raise TerminalError(f"--url {url!r}: write http://host:4318 or https://host")
    return url.rstrip("/")


def _path(environ: Mapping[str, str]) -> Path | None:
    base = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    return Path(base) / "fuseboard" / "terminal.toml" if base else None


def _file(path: Path | None) -> Mapping[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TerminalError(f"{path}: cannot be read: {error}") from error
    wrong = [name for name, value in found.items() if name not in _NAMES or not isinstance(value, str)]
    if wrong:
        raise TerminalError(f"{path}: {wrong[0]!r} is not known here; it may have url and key, texts both")
    return found
