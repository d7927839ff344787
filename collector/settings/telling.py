"""Settings told to people: the list of ``fuseboard check``, and what is wrong with one. Secrets are masked in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from collector.settings.whole import Settings

# Of a receiver, whose other fields may be secrets or hold one.
_SHOWN = (
    ".name",
    ".kind",
    ".types",
    ".timeout_s",
    ".rate_per_minute",
    ".allow_private",
    ".starttls",
    ".interval_s",
    ".receiver",
)


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (name, value with secrets masked, help) of every setting."""
    fields = type(settings).model_fields
    return [
        (name, _shown(getattr(settings, name)), field.description or "") for name, field in fields.items()
    ]


def sentence(problem: Mapping[str, Any]) -> str:
    """Say what is wrong with one setting; *problem* is one of `ValidationError.errors`."""
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown setting; 'fuseboard check' lists the known ones"
    words = ("key", "secret", "oidc.client_secret", "clickhouse", "state", "receivers", "heartbeat")
    secret = any(word in where for word in words) and not where.endswith(_SHOWN)
    secret = secret or (where.startswith("oidc") and isinstance(problem["input"], Mapping))
    value = "" if secret or not where else f" (got {problem['input']!r})"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}{value}" if where else text


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, BaseModel):
        return (
            "{"
            + ", ".join(f"{name}={_shown(getattr(value, name))}" for name in type(value).model_fields)
            + "}"
        )
    return "" if value is None else str(value)
