"""
Templates of log messages: which words of many similar texts are constant, and which are values.

The engine does the heavy part (`collector.read.patterns`): words with a digit become the mark `MASK`, and equal texts
are counted. What remains are *shapes*, at most some ten thousands however many records there are; they are grouped
here:

1. Shapes of one *layout* (the same separators between the same number of words) are looked at together.
2. In each shape the words that occur equally often at their places belong together: a template's constant words
   occur as often as the template. The largest such set, weighed by how often it occurs, is the shape's core.
3. Shapes of one core are one template, but for places with a few different words (``opened``, ``closed``): those are
   constants of as many templates.

Source: the bidirectional tree of Yu et al., "Brain: Log Parsing with Bidirectional Parallel Tree" (2023), on counted
shapes instead of lines, and with first words taken for constants as Drain (He et al., 2017) takes them.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What the engine writes for a word with a digit: a control character (no separator) that no message has (messages that have it
# lose nothing but this distinction).
MASK = "\x02"
# What people see for a value.
WILDCARD = "<*>"
# A place with more different words than this holds values; at the beginning of a message words are verbs and
# subjects, of which there are more.
_BRANCHES, _FIRST_BRANCHES, _FIRST_PLACES = 3, 40, 1

_SEPARATORS = re.compile(r"""(\s+|[=:,;()\[\]"'{}<>|/])""")
# Paths of different depths are one value.
_PATHS = re.compile(rf"(?:/{MASK})+")
_VALUES_IN_A_ROW = re.compile(rf"{MASK}(?:[:.,/_+-]{MASK})+")


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with its numbers masked, and how many records have it."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its text with `WILDCARD` for values, and the numbers of its shapes in the order they were given."""

    text: str
    shapes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Words:
    """A shape taken apart: its words, which stand between the separators of its layout."""

    number: int
    words: tuple[str, ...]
    count: int


def group(shapes: Sequence[Shape]) -> list[Template]:
    """
    Group *shapes* into templates; those with equal texts are one.

    Returns:
        Templates in no particular order; each shape belongs to exactly one.
    """
    layouts: dict[tuple[str, ...], list[_Words]] = defaultdict(list)
    for number, shape in enumerate(shapes):
        parts = _SEPARATORS.split(_VALUES_IN_A_ROW.sub(MASK, shape.text))
        layouts[tuple(parts[1::2])].append(_Words(number, tuple(parts[::2]), shape.count))
    members: dict[str, list[int]] = defaultdict(list)
    for separators, alike in layouts.items():
        for words, numbers in _templates(alike):
            members[_text(words, separators)].extend(numbers)
    return [Template(text, tuple(sorted(numbers))) for text, numbers in members.items()]


def _text(words: Sequence[str], separators: Sequence[str]) -> str:
    parts = [part for pair in zip(words, [*separators, ""], strict=True) for part in pair]
    return _PATHS.sub("/" + MASK, "".join(parts)).replace(MASK, WILDCARD)


def _templates(alike: list[_Words]) -> Iterable[tuple[tuple[str, ...], list[int]]]:
    """Yield (words, shape numbers) for the shapes of one layout."""
    frequency: Counter[tuple[int, str]] = Counter()
    for each in alike:
        for place, word in enumerate(each.words):
            frequency[place, word] += each.count
    cores: dict[tuple[tuple[int, str], ...], list[_Words]] = defaultdict(list)
    for each in alike:
        cores[_core(each, frequency)].append(each)
    for core, members in cores.items():
        constant = {place for place, _ in core}
        yield from _branches(members, [p for p in range(len(members[0].words)) if p not in constant])


def _core(shape: _Words, frequency: Counter[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Give the words that belong together in *shape*: as many as possible that occur as often as each other."""
    together: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for place, word in enumerate(shape.words):
        if word and MASK not in word:
            together[frequency[place, word]].append((place, word))
    if not together:
        return ()
    best = max(together, key=lambda often: (len(together[often]) * math.log1p(often), often))
    return tuple(together[best])


def _branches(members: list[_Words], places: list[int]) -> Iterable[tuple[tuple[str, ...], list[int]]]:
    """Split shapes of one core by places with a few words; what varies more is a value."""
    varying = {place: {each.words[place] for each in members} for place in places}
    few = [place for place in places if _is_choice(place, varying[place])]
    if few:
        place = min(few, key=lambda place: len(varying[place]))
        by_word: dict[str, list[_Words]] = defaultdict(list)
        for each in members:
            by_word[each.words[place]].append(each)
        for alike in by_word.values():
            yield from _branches(alike, places)
        return
    words = list(members[0].words)
    for place in places:
        if len(varying[place]) > 1:
            words[place] = MASK
    yield tuple(words), [each.number for each in members]


def _is_choice(place: int, words: set[str]) -> bool:
    """Whether the different *words* at *place* are constants of different templates."""
    most = _FIRST_BRANCHES if place < _FIRST_PLACES else _BRANCHES
    return 1 < len(words) <= most and not any(MASK in word for word in words)
