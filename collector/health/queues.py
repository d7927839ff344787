"""
Queues with a verdict: is it kept up with, and if not, why.

What spans tell (who, how often) and what brokers tell (how long) meet by system and name. RabbitMQ's newer names of destinations are
``exchange:key:queue``; the broker says the queue. A broker that names no environment is the one of the environment in which its queue is used.

``stuck``       messages wait and nobody takes them
``growing``     longer by the minute
``draining``    shorter; ``drain_s`` says how long still
``behind``      as long as it was, and longer than a minute's messages
``keeping_up``  short, or empty
``unknown``     nobody says how long it is
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.query.window import SECOND_NS, Window
from collector.read import queues as queue_reads
from collector.read.queues import TREND_S
from collector.read.sql import Reader, Row

Key = tuple[str, str, str]  # env, system, queue

# Within the ten minutes of a trend: by so many messages, and by a twentieth of what waits.
_GROWN, _GROWN_RATIO = 10.0, 0.05
# What a queue may hold and still be kept up with: a minute of its messages, or a hundred.
_SHORT_S, _SHORT = 60.0, 100.0
_DRAIN_MOST_S = 30 * 86_400
_DEAD = re.compile(
    r"(?i)(?:^|[._:/-])(?:dlq|dlx|dlt|dead[._-]?letter(?:s|ed)?|parking[._-]?lot|poison)(?:[._:/-]|$)|_(?:error|skipped)$"
)


@dataclass(slots=True)
class Queue:
    """
    One queue as it is put together.

    Attributes:
        told: Role -> amount, over all consumer groups.
        slopes: Role -> messages per second, over the last ten minutes.
        groups: Consumer group -> role -> (amount, per second).
    """

    producers: dict[str, Row] = field(default_factory=dict)
    consumers: dict[tuple[str, str], Row] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    slopes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    groups: dict[str, dict[str, tuple[float, float]]] = field(default_factory=lambda: defaultdict(dict))
    waited_ms: list[float] | None = None

    @property
    def lag(self) -> float | None:
        """Messages sent and not yet done with; of several consumer groups, those of the one that is furthest behind."""
        if "ready" in self.told:
            return self.told["ready"] + self.told.get("unacked", 0.0)
        behind = [roles["lag"][0] for roles in self.groups.values() if "lag" in roles]
        return max(behind, default=None)

    @property
    def slope(self) -> float:
        """How fast it grows, messages per second."""
        if "ready" in self.told:
            return self.slopes["ready"] + self.slopes.get("unacked", 0.0)
        worst = max(self.groups.values(), key=lambda roles: roles.get("lag", (0.0, 0.0))[0], default={})
        return worst.get("lag", (0.0, 0.0))[1]

    @property
    def takers(self) -> float | None:
        """How many take from it, as its broker says; None = it does not."""
        if "consumers" in self.told:
            return self.told["consumers"]
        members = [
            roles["members"][0] for roles in self.groups.values() if "members" in roles and "lag" in roles
        ]
        return sum(members) if members else None


def queues(reader: Reader, window: Window, env: str, limit: int) -> list[Row]:
    """Return every queue that spans or brokers name, the worst first (see `collector.api.v1.queues` for the fields)."""
    users, pairs, amounts = reader.together(
        lambda each: queue_reads.users(each, window, env),
        lambda each: queue_reads.pairs(each, window, env),
        lambda each: queue_reads.amounts(each, window, env),
    )
    found: dict[Key, Queue] = defaultdict(Queue)
    _use(found, users, window)
    _pair(found, pairs, window)
    _measure(found, amounts)
    rows = [_row(key, queue, found) for key, queue in found.items()]
    return sorted(rows, key=_worst_first)[:limit]


_ORDER = ("stuck", "growing", "behind", "draining", "keeping_up", "unknown")


def _worst_first(row: Row) -> tuple[int, float, str]:
    return _ORDER.index(row["verdict"]), -(row["lag"] or 0), row["queue"]


def _use(found: dict[Key, Queue], users: Iterable[Row], window: Window) -> None:
    for row in users:
        queue = found[row["env"], row["system"], _broker_name(row)]
        seconds = max(min(window.seconds, window.end_ns / SECOND_NS - row["first"]), 1.0)
        user = {
            "service": row["service"],
            "rate": round(row["messages"] / seconds, 4),
            "error_ratio": round(row["failed"] / row["calls"], 6),
            "mean_ms": round(row["mean_ms"], 3),
            "last_seen": row["last_at"],
        }
        if row["role"] == "producer":
            queue.producers[row["service"]] = {**user, "sends_to": row["queue"]}
        else:
            queue.consumers[row["service"], row["consumer_group"]] = {**user, "group": row["consumer_group"]}


def _broker_name(row: Row) -> str:
    """Give the queue's own name: RabbitMQ's consumers may say ``exchange:key:queue``."""
    name: str = row["queue"]
    if row["system"] == "rabbitmq" and row["role"] == "consumer" and name.count(":") >= 2:
        return name.rpartition(":")[2]
    return name


def _pair(found: dict[Key, Queue], pairs: Iterable[Row], window: Window) -> None:
    """Put producers that send by another name (an exchange, a topic behind a subscription) to the queue where their messages came out."""
    for row in pairs:
        taken = {"system": row["system"], "role": "consumer", "queue": row["received_from"]}
        queue = found[row["env"], row["system"], _broker_name(taken)]
        queue.waited_ms = queue.waited_ms or row["waited_ms"]
        if row["producer"] in queue.producers:
            continue
        origin = found.get((row["env"], row["system"], row["sent_to"]))
        known = origin.producers.get(row["producer"]) if origin is not None else None
        rate = round(row["calls"] / window.seconds, 4)
        nothing = {"error_ratio": None, "mean_ms": None, "last_seen": None}
        queue.producers[row["producer"]] = {
            "service": row["producer"], "rate": rate, **{name: (known or nothing)[name] for name in nothing}, "sends_to": row["sent_to"],
        }  # fmt: skip
        if origin is not None and origin is not queue and not origin.consumers:
            origin.producers.pop(row["producer"], None)
    for key in [key for key, queue in found.items() if not queue.producers and not queue.consumers]:
        del found[key]


def _measure(found: dict[Key, Queue], amounts: Iterable[Row]) -> None:
    rows = list(amounts)
    members = {(row["env"], row["consumer_group"]): row for row in rows if row["role"] == "members"}
    for row in rows:
        if row["role"] == "members":
            continue
        queue = found[_place(found, row)]
        queue.told[row["role"]] += row["amount"]
        queue.slopes[row["role"]] += row["per_s"]
        if row["consumer_group"]:
            group = queue.groups[row["consumer_group"]]
            group[row["role"]] = (row["amount"], row["per_s"])
            member = members.get((row["env"], row["consumer_group"]))
            if member is not None:
                group["members"] = (member["amount"], 0.0)


def _place(found: dict[Key, Queue], row: Row) -> Key:
    """Choose the queue that a broker without an environment tells of."""
    key = (row["env"], row["system"], row["queue"])
    if key in found or row["env"]:
        return key
    used = [known for known in found if known[1:] == key[1:]]
    return used[0] if len(used) == 1 else key


def _row(key: Key, queue: Queue, found: dict[Key, Queue]) -> Row:
    env, system, name = key
    rate_in, rate_out = _rates(queue)
    verdict, drain_s, evidence = _verdict(queue, rate_in)
    dead = _DEAD.search(name) is not None
    if dead and queue.lag:
        evidence.append(
            _said(
                "dead_letters", f"{queue.lag:.0f} messages that nobody could process wait here", queue.lag, 0
            )
        )
    return {
        "queue": name,
        "system": system,
        "env": env,
        "producers": sorted(queue.producers.values(), key=lambda user: (-user["rate"], user["service"])),
        "consumers": sorted(queue.consumers.values(), key=lambda user: (-user["rate"], user["service"])),
        "rate_in": rate_in,
        "rate_out": rate_out,
        "lag": queue.lag,
        "ready": queue.told.get("ready"),
        "unacked": queue.told.get("unacked"),
        "consumer_count": queue.takers,
        "groups": [_group(group, roles) for group, roles in sorted(queue.groups.items())],
        "waited_p50_ms": queue.waited_ms[0] if queue.waited_ms else None,
        "waited_p95_ms": queue.waited_ms[1] if queue.waited_ms else None,
        "verdict": verdict,
        "drain_s": drain_s,
        "evidence": evidence,
        "dead_letter": dead,
        "dead_letters_of": _origin(key, found) if dead else None,
    }


def _rates(queue: Queue) -> tuple[float | None, float | None]:
    """Give messages per second in and out: by the broker's offsets, else by spans."""
    sent = round(sum(user["rate"] for user in queue.producers.values()), 4) if queue.producers else None
    taken = round(sum(user["rate"] for user in queue.consumers.values()), 4) if queue.consumers else None
    if "produced" in queue.slopes:
        sent = round(queue.slopes["produced"], 4)
    if "consumed" in queue.slopes:
        taken = round(queue.slopes["consumed"], 4)
    return sent, taken


def _verdict(queue: Queue, rate_in: float | None) -> tuple[str, float | None, list[Row]]:
    lag, slope = queue.lag, queue.slope
    if lag is None:
        return (
            "unknown",
            None,
            [_said("no_broker", "no metrics of its broker: how long it is nobody says", 0, 0)],
        )
    short = max(_SHORT, _SHORT_S * (rate_in or 0.0))
    length = _said("lag", f"{lag:.0f} messages wait", lag, short)
    if lag > 0 and queue.takers == 0:
        return (
            "stuck",
            None,
            [_said("no_consumers", f"nobody takes from it, and {lag:.0f} messages wait", 0, 1), length],
        )
    change = slope * TREND_S
    moved = max(_GROWN, _GROWN_RATIO * lag)
    if change > moved:
        return (
            "growing",
            None,
            [_said("growing", f"{change:.0f} messages more than ten minutes ago", change, moved), length],
        )
    if -change > moved and lag > 0:
        drain_s = round(min(lag / -slope, _DRAIN_MOST_S), 1)
        return (
            "draining",
            drain_s,
            [_said("draining", f"{-change:.0f} messages fewer than ten minutes ago", change, -moved), length],
        )
    return ("behind" if lag > short else "keeping_up"), None, [length]


def _group(name: str, roles: dict[str, tuple[float, float]]) -> Row:
    return {
        "group": name,
        "lag": roles.get("lag", (None, 0))[0],
        "members": roles.get("members", (None, 0))[0],
        "rate_out": round(roles["consumed"][1], 4) if "consumed" in roles else None,
    }


def _origin(key: Key, found: dict[Key, Queue]) -> str | None:
    """Give the queue whose dead letters these are, if there is one of that name."""
    env, system, name = key
    plain = re.sub(
        r"(?i)[._:/-]?(?:dlq|dlx|dlt|dead[._-]?letter(?:s|ed)?|parking[._-]?lot|poison)[._:/-]?|_(?:error|skipped)$",
        "",
        name,
    )
    return plain if plain != name and (env, system, plain) in found else None


def _said(code: str, message: str, value: float, threshold: float) -> Row:
    return {"code": code, "message": message, "value": round(value, 4), "threshold": round(threshold, 4)}
