"""
The last good exposition of a target, kept so that its series can be ended when the target vanishes.

Compressed in memory (an exposition shrinks to about a tenth), never on disk: an agent that was restarted in between knows of
nothing to end, and readers let the series age as they do for any gap (five minutes in PromQL).
"""

from agents.zstd import ZstdCompressor, ZstdDecompressor

LEVEL = 1


class LastGood:
    """One exposition or none."""

    def __init__(self) -> None:
        self._kept: tuple[str, bytes] | None = None

    def keep(self, content_type: str, body: bytes) -> None:
        """Remember *body* in place of the one before."""
        packed = ZstdCompressor(level=LEVEL).compress(body, ZstdCompressor.FLUSH_FRAME)
        self._kept = (content_type, packed)

    def take(self) -> tuple[str, bytes] | None:
        """Give (content type, body) and forget it; None when there was no good one since."""
        if self._kept is None:
            return None
        (content_type, packed), self._kept = self._kept, None
        return content_type, ZstdDecompressor().decompress(packed)
