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

from agents.processors import Processor, Redactions, Tally, changing
from agents.settings_values import LimitSettings, RedactSettings, Settings

Settle = Callable[[bytes], int]
ShaperFactory = Callable[[str, str, str | None], "Shaper"]
"""(format, multiline, multiline_start), as in ``[[files]]`` -> the shaper of one source."""

READ_AS_JSON = frozenset({"detect", "json", "cri", "docker"})
"""A folded record is a JSON line, which the other formats do not read."""


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


def shapers(settings: Settings, redactions: Redactions) -> ShaperFactory:
    """Make what all sources share, once, and give the maker of shapers."""
    redacting = _redacting(settings.redact, redactions)
    choosing = _choosing(settings)

    def make(format_: str, multiline: str, multiline_start: str | None) -> Shaper:
        joining, join_settle = _joining(format_)
        folding, fold_settle = _folding(format_, multiline, multiline_start)
        steps = (*joining, *redacting, *folding, *choosing, *_limiting(settings.limit))
        return Shaper(steps, (*join_settle, *fold_settle))

    return make


def _joining(format_: str) -> tuple[Sequence[Processor], Sequence[Settle]]:
    """Give what joins a container runtime's partial lines, and what waits for their last piece."""
    if format_ not in {"cri", "docker", "detect"}:
        return (), ()
    from agents.processors.container_lines import join_cri, join_docker, settled_cri, settled_docker

    cri = ((join_cri, settled_cri),) if format_ != "docker" else ()
    docker = ((join_docker, settled_docker),) if format_ != "cri" else ()
    return [changing(join) for join, _ in (*cri, *docker)], [settle for _, settle in (*cri, *docker)]


def _redacting(settings: RedactSettings, redactions: Redactions) -> Sequence[Processor]:
    if not (settings.presets or settings.keys or settings.patterns):
        return ()
    from agents.processors.redact import redaction

    return redaction(settings, redactions)


def _folding(format_: str, multiline: str, start: str | None) -> tuple[Sequence[Processor], Sequence[Settle]]:
    if format_ not in READ_AS_JSON or (multiline == "off" and start is None):
        return (), ()
    from agents.processors.multiline import records, tracebacks

    may_be_wrapped = format_ != "json"
    if start is None:
        folder = tracebacks(multiline, may_be_wrapped=may_be_wrapped)
    else:
        folder = records(start, may_be_wrapped=may_be_wrapped)
    return (changing(folder.fold),), (folder.settled_bytes,)


def _choosing(settings: Settings) -> Sequence[Processor]:
    chosen: list[Processor] = []
    if settings.filter.include or settings.filter.exclude:
        from agents.processors.filter import Filter

        chosen.append(Filter(settings.filter))
    shares = settings.sample
    if min(shares.trace, shares.debug, shares.info, shares.warn) < 1:
        from agents.processors.sample import Sampler

        chosen.append(Sampler(shares))
    return chosen


def _limiting(settings: LimitSettings) -> Sequence[Processor]:
    if not (settings.lines_per_s or settings.bytes_per_s):
        return ()
    from agents.processors.limit import Limit

    return (Limit(settings),)
