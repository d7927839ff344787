"""What changed beside the minutes: breakers that opened, versions that began. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from collector.health.anomaly import MINUTE_S, Bounds
from collector.health.suspect import Node, Suspect
from collector.query.window import SECOND_NS, parse_time
from collector.read.sql import Row
from collector.read.transitions import Transition

# A deploy this long before trouble began explains it.
DEPLOY_S = 900.0


def held_minutes(transitions: Sequence[Transition], until_s: int) -> dict[Node, set[int]]:
    """Give the minutes in which some breaker of a service was not closed."""
    by_breaker: dict[tuple[str, str, str, str], list[Transition]] = defaultdict(list)
    for each in sorted(transitions, key=lambda each: each.at_ns):
        by_breaker[each.service, each.env, each.breaker, each.instance].append(each)
    held: dict[Node, set[int]] = defaultdict(set)
    for (service, env, _, _), changes in by_breaker.items():
        for change, following in zip(changes, [*changes[1:], None], strict=True):
            if change.to_state in {"open", "forced_open", "half_open"}:
                end_s = following.at_ns // SECOND_NS if following else until_s
                first = change.at_ns // SECOND_NS // MINUTE_S * MINUTE_S
                held[service, env].update(range(first, max(end_s, first) + 1, MINUTE_S))
    return held


def note_openings(graph: Mapping[Node, Suspect], transitions: Sequence[Transition], window: Bounds) -> None:
    """Note the breakers that others opened on suspects within the window."""
    for each in transitions:
        node = (each.target or each.breaker, each.env)
        if each.opens and each.at_ns >= window[0] * SECOND_NS and node in graph and node[0] != each.service:
            graph[node].opened.append(each)


def note_deploys(graph: Mapping[Node, Suspect], deploys: Sequence[Row]) -> None:
    """Note versions that began shortly before a suspect's trouble; a version that was there from the first is none."""
    first: dict[Node, int] = {}
    for row in deploys:
        node = (row["service"], row["env"])
        seen_ns = parse_time(row["first_seen"], "first_seen", 0)
        first[node] = min(first.get(node, seen_ns), seen_ns)
    for row in deploys:
        node = (row["service"], row["env"])
        it = graph.get(node)
        seen_ns = parse_time(row["first_seen"], "first_seen", 0)
        if (
            it is None
            or not it.own
            or (
                seen_ns == first[node]
                and sum(each["service"] == node[0] and each["env"] == node[1] for each in deploys) == 1
            )
        ):
            continue
        lead_s = (it.began_ns - seen_ns) / SECOND_NS
        if -2 * MINUTE_S <= lead_s <= DEPLOY_S and it.deploy is None:
            it.deploy = row
