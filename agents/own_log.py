"""The agent's own log: one JSON line per happening on standard error, static names and identifiers, never per line."""

import contextlib
import json
import sys
import time


def log(level: str, event: str, **fields: object) -> None:
    """Write one line; *level* is info, warning or error (error: data is at risk or a person is needed)."""
    record = {"timestamp": rfc3339(time.time()), "level": level, "event": event, **fields}
    with contextlib.suppress(
        OSError
    ):  # a full disk or a closed pipe behind standard error must not stop the shipping
        sys.stderr.write(json.dumps(record, default=str) + "\n")
        sys.stderr.flush()


def rfc3339(at: float) -> str:
    """Write epoch seconds as RFC 3339 in UTC with milliseconds."""
    whole, thousandths = divmod(round(at * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{thousandths:03d}Z"
