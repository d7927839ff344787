"""How much comes in at most: the journal, and one request's body."""

from __future__ import annotations

from pydantic import Field

from collector.settings.frozen import Subject


class IntakeFields(Subject):
    """Bounds of journal and bodies, and how long little may gather."""

    journal_max_bytes: int = Field(
        4 << 30, ge=16 << 20, description="Bytes of unloaded journal; beyond it requests get 429."
    )
    quiet_gather_s: float = Field(
        300.0,
        ge=0,
        le=300,
        description="Seconds that few records may wait to be loaded while nobody reads; a reader has them at once. 0 = never; embedded only.",
    )
    body_bytes: int = Field(32 << 20, ge=1024, description="Bytes of a request body as sent.")
    decoded_bytes: int = Field(128 << 20, ge=1024, description="Bytes of a request body decompressed.")
    ratio: int = Field(200, ge=2, description="Decompressed over sent, for bodies over 4 MiB.")
