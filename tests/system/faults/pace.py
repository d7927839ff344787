"""How long the faults last: seconds under ``make test``, minutes under ``make soak`` (``FUSEBOARD_TEST_SOAK=1``)."""

from __future__ import annotations

import os

SOAKING = bool(os.environ.get("FUSEBOARD_TEST_SOAK"))
KILLS = int(os.environ.get("FUSEBOARD_TEST_KILLS", "220" if SOAKING else "14"))
OUTAGE_S = 300.0 if SOAKING else 8.0
STORM_S = 120.0 if SOAKING else 8.0
MEMORY_S = float(os.environ.get("FUSEBOARD_TEST_MEMORY_S", "1800"))
TIMEOUT_S = 2700 if SOAKING else 240
DRAIN_S = 300.0 if SOAKING else 90.0
"""What a storm of minutes leaves waiting takes longer to ship."""
