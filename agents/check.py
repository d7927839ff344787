"""``fuseboard-agent check``: every setting with its help and the value that it has, secrets masked."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agents.settings_fields import Field
from agents.settings_tables import LISTS, TABLES, TOP
from agents.settings_values import Settings

SECRETS = frozenset({"key", "password", "bearer_token"})
MASK = "(masked)"
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


def described(settings: Settings) -> str:
    """Print the settings as ``agent.toml`` has them, each below its help."""
    lines = list(_fields(TOP, settings))
    for name, fields in TABLES.items():
        lines += ["", f"[{name}]", *_fields(fields, getattr(settings, name))]
    for name, fields in LISTS.items():
        for item in getattr(settings, name):
            lines += ["", f"[[{name}]]", *_fields(fields, item)]
        if not getattr(settings, name):
            lines += ["", f"# [[{name}]] is not used"]
    return "\n".join(lines)


def as_json(settings: Settings) -> str:
    """Print the settings for programs: ``{"ok": true, "settings": {…}}``."""
    shown: dict[str, Any] = _values(TOP, settings)
    shown |= {name: _values(fields, getattr(settings, name)) for name, fields in TABLES.items()}
    shown |= {name: [_values(fields, it) for it in getattr(settings, name)] for name, fields in LISTS.items()}
    return json.dumps({"ok": True, "settings": shown}, indent=2)


def notes(settings: Settings) -> list[str]:
    """Say what is allowed and worth a second look, as far as it can be seen from here."""
    return [*_clear_text(settings), *_unreadable(settings), *_costly(settings)]


def _clear_text(settings: Settings) -> Iterator[str]:
    for collector in settings.collector:
        parts = urlsplit(collector)
        away = parts.hostname not in {"127.0.0.1", "localhost", "::1"}
        if settings.key and parts.scheme == "http" and away:
            yield f"collector: {collector!r} is not https, so the key travels in clear text"


def _unreadable(settings: Settings) -> Iterator[str]:
    home = next(it for it in (settings.data_dir, *settings.data_dir.parents) if it.exists())
    if not os.access(home, os.W_OK):
        yield f"data_dir: {str(settings.data_dir)!r} cannot be written by this user"
    for scrape in settings.scrape:
        for name in ("password_file", "bearer_token_file"):
            file = getattr(scrape, name)
            if file is not None and not os.access(file, os.R_OK):
                yield f"scrape.{name}: {str(file)!r} cannot be read (yet) by this user"


def _costly(settings: Settings) -> Iterator[str]:
    from agents.processors.patterns import costly

    named = {
        "redact.patterns": settings.redact.patterns,
        "filter.include": settings.filter.include,
        "filter.exclude": settings.filter.exclude,
    }
    for name, expressions in named.items():
        for expression in costly(expressions):
            yield (
                f"{name}: {expression!r} holds no fixed text of three characters, so every line is searched "
                "(see docs/adr/0016)"
            )


def refusal_as_json(setting: str, message: str) -> str:
    """Print a wrong setting for programs: ``{"ok": false, "setting": …, "message": …}``."""
    return json.dumps({"ok": False, "setting": setting, "message": message}, indent=2)


def _fields(fields: tuple[Field, ...], values: object) -> Iterator[str]:
    for field in fields:
        shown = _shown(field.key, getattr(values, field.key))
        text = "(not set)" if shown is None else json.dumps(shown, ensure_ascii=False)
        yield f"# {field.help}"
        yield f"{field.key} = {text}"


def _values(fields: tuple[Field, ...], values: object) -> dict[str, Any]:
    return {field.key: _shown(field.key, getattr(values, field.key)) for field in fields}


def _shown(key: str, value: Any) -> Any:
    """Give a value as it may be seen."""
    if value is None:
        return None
    if key in SECRETS:
        return MASK
    if key.endswith("listen"):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, str | Path):
        return _CREDENTIALS.sub(f"{MASK}@", str(value))
    if isinstance(value, tuple):
        return [_shown(key, item) for item in value]
    return value
