"""What was read for one answer and may serve the next: about the past, or a week, a minute more or less changes nothing."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

# Late data show after this; a page about the past asks several questions within it.
_KEPT_S = 60.0
# Of a kind, which the first word of what is asked tells. Signs of 200 ill services weigh 100 kB, twenty causes 70 (docs/adr/0041): all of a kind some megabytes.
_MOST = 64
# The states of ten thousand breakers' instances, written answers included, are about ten megabytes, a week's counts of half as many breakers three.
_MOST_OF: Mapping[Hashable, int] = {"breakers": 6, "weeks": 8}
# Parts of answers (a deploy and its comparison): a kilobyte or two each.
_PARTS_MOST = 2000


class Kept:
    """
    Answers by what was asked, each kept for a minute; the oldest of its kind makes room: no kind pushes another out. Thread-safe.

    Args:
        clock_s: Seconds, monotonic.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[Hashable, tuple[float, Any]]] = defaultdict(dict)
        self._parts: dict[Hashable, tuple[float, Any]] = {}

    def answer(self, asked: tuple[str, *tuple[Hashable, ...]], read: Callable[[], Any]) -> Any:
        """
        Return what *read* gave for *asked* within the last minute, else what it gives now; two who ask at once may both read.

        Args:
            asked: The kind of question, then what of it.
            read: Answers it.
        """
        now_s = self._clock_s()
        with self._lock:
            answers = self._kinds[asked[0]]
            kept = answers.get(asked)
        if kept is not None and now_s < kept[0] + _KEPT_S:
            return kept[1]
        found = read()
        with self._lock:
            _put(answers, {asked: found}, now_s, _MOST_OF.get(asked[0], _MOST))
        return found

    def parts(
        self,
        asked: Iterable[Hashable],
        read: Callable[[Sequence[Hashable]], Mapping[Hashable, Any]],
        lasting: Callable[[Any], bool],
    ) -> Mapping[Hashable, Any]:
        """Return what *read* gave for each of *asked* within the last minute, of those that are *lasting*; it is called once with all others, if there are any."""
        now_s = self._clock_s()
        wanted = list(dict.fromkeys(asked))
        with self._lock:
            kept = {each: self._parts[each] for each in wanted if each in self._parts}
        found = {each: part for each, (at_s, part) in kept.items() if now_s < at_s + _KEPT_S}
        missing = [each for each in wanted if each not in found]
        new = read(missing) if missing else {}
        with self._lock:
            _put(self._parts, {each: part for each, part in new.items() if lasting(each)}, now_s, _PARTS_MOST)
        return {**found, **new}


def _put(
    kept: dict[Hashable, tuple[float, Any]], new: Mapping[Hashable, Any], now_s: float, most: int
) -> None:
    """Add *new* to *kept*; the oldest make room, and what is over goes."""
    for asked, answer in new.items():
        kept.pop(asked, None)
        kept[asked] = (now_s, answer)
    while len(kept) > most or (kept and now_s >= next(iter(kept.values()))[0] + _KEPT_S):
        del kept[next(iter(kept))]
