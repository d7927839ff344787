"""
How one setting is read: its kind, its default, its help, and the sentence said when its value is wrong.

A value comes from TOML (typed) or from the environment (text); ``Field.read`` takes either.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agents.errors import WrongSetting

Reader = Callable[[str, object], object]
REQUIRED = object()  # the default of a field that has none


@dataclass(frozen=True, slots=True)
class Field:
    """One key: *read* takes (setting name, raw value) and returns the value or raises ``WrongSetting``."""

    key: str
    read: Reader
    default: object
    help: str


def wrong(name: str, value: object, wanted: str) -> WrongSetting:
    """Say what was found and what is wanted."""
    return WrongSetting(name, f"{value!r} is not usable: {wanted}")


def text(name: str, value: object) -> str:
    """Read a non-empty string."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(name, value, "give a non-empty text")
    return value


def path(name: str, value: object) -> Path:
    """Read a path."""
    return Path(text(name, value)).expanduser()


def flag(name: str, value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0"}:
        return value.lower() in {"true", "1"}
    raise wrong(name, value, "give true or false")


def count(least: int, most: int | None = None) -> Reader:
    """Make a reader of whole numbers from *least* up, to *most* if that is given."""
    wanted = f"give a whole number of at least {least}" + ("" if most is None else f" and at most {most}")

    def read(name: str, value: object) -> int:
        if isinstance(value, str) and value.strip().isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise wrong(name, value, wanted)
        if most is not None and value > most:
            raise wrong(name, value, wanted)
        return value

    return read


def seconds(least: float) -> Reader:
    """Make a reader of seconds from *least* up."""

    def read(name: str, value: object) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not least <= number <= 86400:
            raise wrong(name, value, f"give seconds from {least:g} to 86400")
        return number

    return read


def ratio(name: str, value: object) -> float:
    """Read a number from 0 to 1."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise wrong(name, value, "give a number from 0 to 1")
    return number


def pattern(name: str, value: object) -> str:
    """Read a regular expression; it is matched against bytes, one line at a time."""
    expression = text(name, value)
    try:
        re.compile(expression.encode())
    except re.error as error:
        raise wrong(name, value, f"give a regular expression ({error})") from error
    from agents.processors.expressions import refusal

    reason = refusal(expression)
    if reason is not None:
        raise wrong(name, value, reason)
    return expression


def secret_pattern(name: str, value: object) -> str:
    """Read a regular expression whose matches are taken out."""
    from agents.processors.expressions import matches_nothing

    expression = pattern(name, value)
    if matches_nothing(expression):
        raise wrong(name, value, "it also matches where nothing is: let it match at least one character")
    return expression


def choice(*allowed: str) -> Reader:
    """Make a reader of one of *allowed*."""

    def read(name: str, value: object) -> str:
        if value not in allowed:
            raise wrong(name, value, f"give one of {', '.join(allowed)}")
        return str(value)

    return read


def several(read_one: Reader, *, split: bool = True) -> Reader:
    """Make a reader of a list; text is split at commas unless *split* is false, one value alone is a list of one."""

    def read(name: str, value: object) -> tuple[object, ...]:
        if isinstance(value, str) and not split:
            value = [value] if value else []
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list):
            raise wrong(name, value, "give a list")
        return tuple(read_one(name, item) for item in value)

    return read


def url(name: str, value: object) -> str:
    """Read an http or https URL with a host; a trailing slash is dropped."""
    address = text(name, value)
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise wrong(name, value, "give a URL such as http://collector:4318")
    return address.rstrip("/")


def probe_url(name: str, value: object) -> str:
    """Read what a probe asks: an http, https or tcp URL; tcp needs a port."""
    address = text(name, value)
    if not address.startswith("tcp://"):
        return url(name, value)
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and bool(parts.port) and parts.path in {"", "/"}
    except ValueError:
        usable = False
    if not usable:
        raise wrong(name, value, "give a host and a port, such as tcp://127.0.0.1:5432")
    return address.rstrip("/")


def listen(name: str, value: object) -> tuple[str, int]:
    """Read a loopback address and a port; port 0 means any free one."""
    address = text(name, value)
    host, _, port = address.rpartition(":")
    if host not in {"127.0.0.1", "localhost", "[::1]"} or not port.isdigit() or int(port) > 65535:
        raise wrong(name, value, "give a loopback address and a port, such as 127.0.0.1:4318")
    return host.strip("[]"), int(port)


def attributes(name: str, value: object) -> dict[str, str]:
    """Read resource attributes: a table of scalars, or ``k=v,k=v`` with percent-encoded values."""
    if isinstance(value, str):
        return _from_pairs(name, value)
    if not isinstance(value, Mapping):
        raise wrong(name, value, 'give a table such as "service.name" = "checkout"')
    for key, item in value.items():
        if not isinstance(item, str | int | float):
            raise wrong(f"{name}.{key}", item, 'quote the key, "service.name", and give a text or a number')
    return {str(key): str(item) for key, item in value.items()}


def _from_pairs(name: str, value: str) -> dict[str, str]:
    pairs = [part.strip() for part in value.split(",") if part.strip()]
    if any(not pair.partition("=")[0] or "=" not in pair for pair in pairs):
        raise wrong(name, value, "give k=v,k=v")
    return {key.strip(): unquote(item.strip()) for key, _, item in (pair.partition("=") for pair in pairs)}
