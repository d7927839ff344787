"""
The collector's settings: ``fuseboard.toml``, overridden by ``FUSEBOARD_<NAME>``, overridden by options.

Frozen, built once, passed in. Each field has its help and unit, and ``fuseboard check`` prints them all with secrets masked.
A wrong or unknown setting is a `SettingsError` that names it and quotes the value; the program exits with 2.

``sources.py``    `load`: file, environment and options -> `Settings`
``whole.py``      `Settings`: the fields of every subject, and what one setting demands of another
``telling.py``    `describe`, and what is wrong as a sentence; secrets masked

A file for each subject, its ``[table]`` or ``[[tables]]`` in it::

    listening.py  where it listens, and where its files are
    storage.py    which ClickHouse, which database of state
    access.py     keys, people, providers
    keeping.py    how long rows are kept, on how much disk
    intake.py     bounds of journal and bodies
    alerting.py   rules, incidents, the canary; ``receivers.py`` where alerts go, ``routing.py`` who is told of which
    asking.py     what a question may cost

In: texts of people. Out: one `Settings`; ``collector/wiring.py`` reads out of it what each part is given.
"""

from collector.settings.access import KeySettings, OidcSettings
from collector.settings.keeping import RetentionSettings
from collector.settings.listening import is_loopback
from collector.settings.receivers import HeartbeatSettings, ReceiverSettings
from collector.settings.routing import InhibitSettings, RouteSettings
from collector.settings.sources import ENV_PREFIX, SettingsError, load
from collector.settings.telling import describe
from collector.settings.whole import Settings

__all__ = [
    "ENV_PREFIX",
    "HeartbeatSettings",
    "InhibitSettings",
    "KeySettings",
    "OidcSettings",
    "ReceiverSettings",
    "RetentionSettings",
    "RouteSettings",
    "Settings",
    "SettingsError",
    "describe",
    "is_loopback",
    "load",
]
