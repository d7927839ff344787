"""
What happens to the lines of one source on their way to the spool, and in which order.

1. join the pieces that a container runtime has cut a line into (formats ``cri``, ``docker``, ``detect``)
2. redact: before anything is folded, so that patterns see the lines as they were written
3. fold tracebacks and continued lines into one record each
4. filter, then sample: after folding, so that a traceback is one record and, being an error, never sampled
5. limit

A ``Shaper`` belongs to one source (a file, a stream of a command): the rate limit counts per source. What keeps no state
is made once and shared by all.
"""

from collections.abc import Callable, Sequence

from agents.processors import Processor, Tally, changing
from agents.settings_values import RedactSettings, Settings

Settle = Callable[[bytes], int]
ShaperFactory = Callable[[str, str, str | None], "Shaper"]
"""(format, multiline, multiline_start), as in ``[[files]]`` -> the shaper of one source."""

READ_AS_JSON = frozenset(
    {"detect", "json"}
)  # a folded record is a JSON line, which other formats do not read


class Shaper:
    """The processors of one source, used by one thread."""

    def __init__(self, steps: Sequence[Processor], settle: Sequence[Settle] = ()) -> None:
        self._steps = tuple(steps)
        self._settle = tuple(settle)

    def settled_bytes(self, body: bytes) -> int:
        """
        Say how many leading bytes of *body* (whole lines) may be cut into a block now.

        The rest is a record that may still grow: worth waiting for, but not long.
        """
        return min((settle(body) for settle in self._settle), default=len(body))

    def __call__(self, body: bytes, tally: Tally) -> bytes:
        """Give what of *body* (whole lines) is to be shipped; what was taken out is counted in *tally*."""
        for step in self._steps:
            if not body:
                break
            body = step(body, tally)
        return body


def shapers(settings: Settings) -> ShaperFactory:
    """Make what all sources share, once, and give the maker of shapers."""
    redaction = _redaction(settings.redact)

    def make(format_: str, multiline: str, multiline_start: str | None) -> Shaper:
        joining, join_settle = _joining(format_)
        folding, fold_settle = _folding(format_, multiline, multiline_start)
        return Shaper((*joining, *redaction, *folding), (*join_settle, *fold_settle))

    return make


def _joining(format_: str) -> tuple[Sequence[Processor], Sequence[Settle]]:
    """Give what joins a container runtime's partial lines, and what waits for their last piece."""
    if format_ not in {"cri", "docker", "detect"}:
        return (), ()
    from agents.processors.container_lines import join_cri, join_docker, settled_cri, settled_docker

    cri = ((join_cri, settled_cri),) if format_ != "docker" else ()
    docker = ((join_docker, settled_docker),) if format_ != "cri" else ()
    return [changing(join) for join, _ in (*cri, *docker)], [settle for _, settle in (*cri, *docker)]


def _redaction(settings: RedactSettings) -> Sequence[Processor]:
    if not settings.presets:
        return ()
    from agents.processors.redact import PRESETS

    return [changing(PRESETS[preset]) for preset in settings.presets if preset in PRESETS]


def _folding(
    format_: str, multiline: str, _start: str | None
) -> tuple[Sequence[Processor], Sequence[Settle]]:
    if multiline == "off" or format_ not in READ_AS_JSON:
        return (), ()
    from agents.processors.multiline import fold, settled_bytes

    return (changing(fold),), (settled_bytes,)
