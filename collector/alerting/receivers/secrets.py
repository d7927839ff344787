"""A receiver's secrets: written in the settings, or read at the start from a file or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from collector.errors import Malformed

# Each may be given as itself, as <name>_env or as <name>_file.
SECRETS = ("url", "secret", "token", "password", "routing_key", "api_key")
# A secret of this size is somebody's log file.
MOST_BYTES = 16_384


def read_secret(
    receiver: str, name: str, value: str, variable: str, path: str, environ: Mapping[str, str]
) -> str:
    """
    Give one secret.

    Args:
        receiver: Whose, for the message.
        name: Which, of :data:`SECRETS`.
        value: As written, "" = not.
        variable: Name of an environment variable, "" = none.
        path: Of a file, "" = none; white space around what it holds is cut off.
        environ: The environment.

    Raises:
        Malformed: Given twice, or the variable or file is missing, empty or unreadable (``bad_secret_source``);
            never quotes a secret.
    """
    if sum(map(bool, (value, variable, path))) > 1:
        raise _bad(receiver, name, f"give one of {name}, {name}_env and {name}_file")
    if variable:
        found = environ.get(variable, "").strip()
        if not found:
            raise _bad(receiver, f"{name}_env", f"the environment has no {variable!r}, or it is empty")
        return found
    return _from_file(receiver, name, Path(path)) if path else value


def _from_file(receiver: str, name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            held = file.read(MOST_BYTES + 1)
        text = held.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _bad(receiver, f"{name}_file", f"{str(path)!r} cannot be read: {why}") from error
    if not text or len(held) > MOST_BYTES:
        raise _bad(receiver, f"{name}_file", f"{str(path)!r} is empty or larger than {MOST_BYTES} bytes")
    return text


def _bad(receiver: str, setting: str, why: str) -> Malformed:
    return Malformed("bad_secret_source", f"receiver {receiver!r}, {setting}: {why}", setting)
