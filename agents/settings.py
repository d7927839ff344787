"""
The agent's settings: ``agent.toml``, then the environment over it, checked once and frozen.

Every key is also ``FUSEBOARD_AGENT_<KEY>``, in a table ``FUSEBOARD_AGENT_<TABLE>_<KEY>`` (lists with commas). A key of
``[[files]]`` or ``[[scrape]]`` given by the environment applies to each such table, and makes one when there is none.
``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` override the file's ``[resource]``; ``FUSEBOARD_AGENT_RESOURCE``
overrides both. ``FUSEBOARD_AGENT_CONFIG`` names the file.
"""

import socket
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from agents.errors import WrongSetting
from agents.settings_checks import check
from agents.settings_fields import REQUIRED, Field, attributes
from agents.settings_tables import LISTS, TABLES, TOP
from agents.settings_values import (
    BreakerSettings,
    ContainerSettings,
    FilesSettings,
    FilterSettings,
    LimitSettings,
    NodeSettings,
    ProbeSettings,
    RedactSettings,
    RelaySettings,
    SampleSettings,
    ScrapeSettings,
    Settings,
    SpoolSettings,
    TlsSettings,
)

PREFIX = "FUSEBOARD_AGENT_"
_TABLE_VALUES: dict[str, Callable[..., Any]] = {
    "container": ContainerSettings,
    "node": NodeSettings,
    "relay": RelaySettings,
    "redact": RedactSettings,
    "filter": FilterSettings,
    "sample": SampleSettings,
    "limit": LimitSettings,
    "spool": SpoolSettings,
    "tls": TlsSettings,
    "breaker": BreakerSettings,
}
_LIST_VALUES: dict[str, Callable[..., Any]] = {
    "files": FilesSettings,
    "scrape": ScrapeSettings,
    "probe": ProbeSettings,
}


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """
    Read the file, then the environment, and check everything.

    Args:
        config: The TOML file; None = the environment alone.
        environ: All variables; only ours and OpenTelemetry's two are looked at.

    Raises:
        WrongSetting: Unknown key, wrong value, missing ``collector``, or a collector that is our own relay.
    """
    raw = _read_file(config) if config else {}
    _overlay(raw, environ)
    top = _values("", TOP, {key: value for key, value in raw.items() if key not in {*TABLES, *LISTS}})
    resource = _resource(top.pop("resource"), environ)
    tables: dict[str, Any] = {
        name: made(**_values(name, TABLES[name], _table(raw, name))) for name, made in _TABLE_VALUES.items()
    }
    lists: dict[str, Any] = {
        name: tuple(made(**_values(name, LISTS[name], table)) for table in _tables(raw, name))
        for name, made in _LIST_VALUES.items()
    }
    top["collector"] = top["collector"] or _missing("collector")
    top["key"] = _key(top["key"], top["key_file"])
    top["name"] = top["name"] or resource.get("service.instance.id") or socket.gethostname()
    settings = Settings(**top, resource=resource, **tables, **lists)
    _refuse_own_relay(settings)
    check(settings)
    return settings


def _read_file(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting("--config", f"{str(config)!r} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise WrongSetting("--config", f"{str(config)!r} is not TOML: {error}") from error


def _overlay(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put the environment's values over the file's."""
    places: dict[str, tuple[str | None, str]] = {field.key: (None, field.key) for field in TOP}
    places |= {
        f"{table}_{field.key}": (table, field.key)
        for table, fields in (TABLES | LISTS).items()
        for field in fields
    }
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable == PREFIX + "CONFIG":
            continue
        place = places.get(variable.removeprefix(PREFIX).lower())
        if place is None:
            raise WrongSetting(variable, f"is not known (value {value!r}); see `fuseboard-agent --help`")
        _put(raw, place[0], place[1], value)


def _put(raw: dict[str, Any], table: str | None, key: str, value: str) -> None:
    if table is None:
        raw[key] = value
    elif table in LISTS:
        raw.setdefault(table, [{}])
        for item in _tables(raw, table):
            item[key] = value
    else:
        raw.setdefault(table, {})
        _table(raw, table)[key] = value


def _values(table: str, fields: tuple[Field, ...], given: Mapping[str, object]) -> dict[str, Any]:
    """Read every field of one table; a key that no field has is refused."""
    prefix = f"{table}." if table else ""
    known = {field.key for field in fields}
    for key, value in given.items():
        if key not in known:
            raise WrongSetting(
                prefix + key, f"is not known (value {value!r}); known here: {', '.join(sorted(known))}"
            )
    return {field.key: _value(prefix + field.key, field, given) for field in fields}


def _value(name: str, field: Field, given: Mapping[str, object]) -> object:
    if field.key in given:
        return field.read(name, given[field.key])
    if field.default is REQUIRED:
        return _missing(name)
    return field.default


def _missing(name: str) -> Any:
    variable = PREFIX + name.replace(".", "_").upper()
    raise WrongSetting(name, f"is required; set it in agent.toml or as {variable}")


def _table(raw: Mapping[str, Any], name: str) -> dict[str, object]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise WrongSetting(name, f"{table!r} is not a table; write [{name}]")
    return cast("dict[str, object]", table)


def _tables(raw: Mapping[str, Any], name: str) -> list[dict[str, object]]:
    tables = raw.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise WrongSetting(name, f"{tables!r} is not a list of tables; write [[{name}]]")
    return cast("list[dict[str, object]]", tables)


def _resource(given: dict[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Lay OpenTelemetry's two variables over the file's attributes; ours, if given, has replaced the file's already."""
    merged = dict(given)
    if PREFIX + "RESOURCE" not in environ:
        merged |= attributes("OTEL_RESOURCE_ATTRIBUTES", environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
        if environ.get("OTEL_SERVICE_NAME"):
            merged["service.name"] = environ["OTEL_SERVICE_NAME"]
    merged.setdefault("service.name", "unknown_service")
    merged.setdefault("host.name", socket.gethostname())
    return merged


def _key(key: str | None, key_file: Path | None) -> str | None:
    if key is None and key_file is not None:
        try:
            key = key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSetting("key_file", f"{str(key_file)!r} cannot be read: {error}") from error
    if key is not None and not (key.isascii() and key.isprintable()):
        raise WrongSetting("key", "holds characters that no header can carry; give printable ASCII")
    return key


def _refuse_own_relay(settings: Settings) -> None:
    """Refuse a loop: what the relay takes in would come back to it."""
    if settings.relay.listen is None:
        return
    for collector in settings.collector:
        parts = urlsplit(collector)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if port == settings.relay.listen[1] and parts.hostname in {
            "127.0.0.1",
            "localhost",
            "::1",
            "0.0.0.0",
        }:
            raise WrongSetting(
                "collector",
                f"{collector!r} is this agent's own relay ({settings.relay.listen[0]}:{port}): name the collector, "
                "or let the relay listen elsewhere",
            )
