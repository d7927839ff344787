"""
A service that writes far more than the pipeline may take, and minds how long its writes last.

    python -m tests.system.faults.flood LINES BYTES_PER_S RESULT

Writes to standard output, one ``write`` per line, lines of about 1 kB that hardly compress; then leaves
``{"slowest_write_s", "seconds"}`` in RESULT.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import time
from pathlib import Path

from tests.system.faults.producer import body_of

PAD_BYTES = 660


def main(lines: int, per_s: int, result: Path) -> None:
    """Write, at most *per_s* bytes per second."""
    rng = random.Random(1)
    began, sent, slowest = time.monotonic(), 0, 0.0
    for number in range(lines):
        unique = f"flood-{number}"
        pad = base64.b64encode(rng.randbytes(PAD_BYTES)).decode()
        line = (
            json.dumps({"level": "info", "msg": body_of(unique), "unique": unique, "pad": pad}).encode()
            + b"\n"
        )
        at = time.monotonic()
        while line:
            written = os.write(1, line)
            sent, line = sent + written, line[written:]
        slowest = max(slowest, time.monotonic() - at)
        ahead = sent / per_s - (time.monotonic() - began)
        if ahead > 0.005:
            time.sleep(ahead)
    result.write_text(json.dumps({"slowest_write_s": slowest, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
