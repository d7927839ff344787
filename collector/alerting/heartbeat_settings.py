"""Settings of the dead-man's heartbeat."""

from __future__ import annotations

from dataclasses import dataclass

from collector.alerting.receivers import Receiver
from collector.errors import Malformed


@dataclass(frozen=True)
class HeartbeatSettings:
    """
    To whom, and how often.

    Raises:
        Malformed: *interval_s* is out of bounds.

    Attributes:
        receiver: One of the receivers, or of its own.
        interval_s: Seconds between beats.
    """

    receiver: Receiver
    interval_s: float

    def __post_init__(self) -> None:
        if not 5 <= self.interval_s <= 86_400:
            raise Malformed(
                "bad_setting",
                f"heartbeat.interval_s = {self.interval_s!r}: give seconds, 5 to 86400",
                "heartbeat.interval_s",
            )
