"""
The state file of a running shop, ``<data dir>/shop.json``: what the fault command and tests need to find it.

::

    {"pid": 1, "gateway": "http://127.0.0.1:P", "services": {"payment": {"pid", "port", "url", "control_port",
     "log", "restarts", "agent_pid", "agent_restarts", "relay_port"}}, "load": {"pid", "restarts", "log"}}
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from demo.errors import UsageError

_NAME = "shop.json"


def write(data_dir: Path, state: dict[str, Any]) -> None:
    """Replace the state file in one step."""
    draft = data_dir / f"{_NAME}.new"
    draft.write_text(json.dumps(state, indent=1))
    draft.replace(data_dir / _NAME)


def read(data_dir: Path) -> dict[str, Any]:
    """
    Read the state of the shop that runs in *data_dir*.

    Raises:
        UsageError: None runs there.
    """
    path = data_dir / _NAME
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"no shop runs in {str(data_dir)!r}: start one with python -m demo up") from error
    if not _is_alive(int(state["pid"])):
        raise UsageError(f"the shop of {str(path)!r} is gone: start one with python -m demo up")
    return state


def remove(data_dir: Path) -> None:
    """Say that no shop runs here."""
    (data_dir / _NAME).unlink(missing_ok=True)


def refuse_second(data_dir: Path) -> None:
    """
    Raise if a shop already runs in *data_dir*.

    Raises:
        UsageError: With its pid and what to do.
    """
    try:
        running = read(data_dir)
    except UsageError:
        return
    raise UsageError(
        f"a shop runs in {str(data_dir)!r} already (pid {running['pid']}): stop it or give another --data-dir"
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
