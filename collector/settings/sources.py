"""Where settings come from: a file, the environment, options; whatever is wrong as a sentence."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from collector.settings.telling import sentence
from collector.settings.whole import Settings

ENV_PREFIX = "FUSEBOARD_"
# Read by the program itself or by other programs of ours, not settings of the collector.
_NOT_SETTINGS = (
    "FUSEBOARD_AGENT_",
    "FUSEBOARD_DASHBOARDS_",
    "FUSEBOARD_ENGINE_",
    "FUSEBOARD_DEMO_",
    "FUSEBOARD_TEST_",
    "FUSEBOARD_CONFIG",
)
# The same, whole names: where the terminal's commands ask, and with which key.
_OF_THE_TERMINAL = frozenset({"FUSEBOARD_URL", "FUSEBOARD_KEY"})


class SettingsError(Exception):
    """A setting is wrong; the text is for the person who wrote it."""


def load(
    config: Path | None, options: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Settings:
    """
    Build the settings.

    Args:
        config: TOML file, or ``None``.
        options: From the command line; ``None`` values are left out.
        environ: ``FUSEBOARD_<NAME>``; lists and tables as JSON.

    Raises:
        SettingsError: Naming the setting and quoting the value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values.update(_from_file(config))
    values.update(_from_environ(environ))
    values.update({name: value for name, value in options.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(sentence(problem) for problem in error.errors())) from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"--config: cannot read {str(path)!r}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"--config: {str(path)!r} is not TOML: {error}") from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable.startswith(_NOT_SETTINGS):
            continue
        if variable in _OF_THE_TERMINAL:
            continue
        name = variable[len(ENV_PREFIX) :].lower()
        values[name] = _parsed(variable, name, text)
    return values


def _parsed(variable: str, name: str, text: str) -> Any:
    if name not in {
        "keys",
        "receivers",
        "route",
        "inhibit",
        "retention",
        "rule_files",
        "allowed_hosts",
        "egress_allow",
        "external_labels",
        "heartbeat",
        "oidc",
        "trusted_proxies",
    }:
        return text
    if not text.lstrip().startswith(("[", "{")):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{variable}: not JSON: {error}") from error
