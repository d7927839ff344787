"""The groups in force: what the files said when they were last right."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

import structlog

from collector.alerting.rules.load import load_groups, paths
from collector.alerting.rules.pack import beside
from collector.alerting.rules.rule import Group, Rule
from collector.errors import Malformed

log = structlog.get_logger(__name__)

Seen = tuple[tuple[str, int, int], ...]  # path, mtime in ns, size


class Rules:
    """One reading of the files; never changes."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)

    @cached_property
    def all(self) -> tuple[Rule, ...]:
        """Give every rule."""
        return tuple(rule for group in self.groups for rule in group.rules)

    @cached_property
    def by_id(self) -> Mapping[str, Rule]:
        """Give every rule by its identity."""
        return {rule.id: rule for rule in self.all}

    @cached_property
    def ticked(self) -> tuple[Rule, ...]:
        """Give the rules about breakers' states, looked at in each round."""
        return tuple(rule for rule in self.all if rule.asking is None)

    @cached_property
    def asked(self) -> tuple[Group, ...]:
        """Give the groups with rules that ask."""
        return tuple(group for group in self.groups if group.asked)


class RuleBook:
    """
    Rules that can be read again. Thread-safe: readers take :attr:`rules` once and keep it.

    Args:
        patterns: Paths or globs.
        default: Groups that are there beside the files'.

    Raises:
        Malformed: A file is wrong.
    """

    def __init__(self, patterns: Sequence[str], default: Sequence[Group] = ()) -> None:
        self._patterns = tuple(patterns)
        self._default = tuple(default)
        self._lock = threading.Lock()
        self._seen = self._look()
        self.rules = self._read()
        self.problem: str | None = None

    def reread_if_changed(self) -> bool:
        """Read the files again if one is another than before; say whether the rules are."""
        seen = self._look()
        return seen != self._seen and self.reread(seen)

    def reread(self, seen: Seen | None = None) -> bool:
        """Read the files again. If one is wrong the rules stay as they are, and :attr:`problem` says why."""
        with self._lock:
            self._seen = self._look() if seen is None else seen
            try:
                self.rules = self._read()
            except Malformed as error:
                self.problem = error.message
                log.warning("rules_kept", error=error.message)
                return False
            self.problem = None
        log.info("rules_read", groups=len(self.rules.groups), rules=len(self.rules.all))
        return True

    def _read(self) -> Rules:
        own = load_groups(self._patterns)
        return Rules((*own, *beside(self._default, own)))

    def _look(self) -> Seen:
        """Say which files there are, and when they were written."""
        try:
            found = list(paths(self._patterns))
        except Malformed:
            return ()
        seen = []
        for path in found:
            try:
                stat = path.stat()
            except OSError:
                seen.append((str(path), 0, 0))
            else:
                seen.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(seen)
