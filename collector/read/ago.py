"""
From what is kept of instances (held.py) to the states of breakers: now, and as they stood some minutes ago. Pure.

Of ten thousand instances few change within minutes: a breaker that has not is the same object then and now, with the row that was written of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from collector.read.breakers import FLAPPING_OPENS, STALE_NS, BreakerState, InstanceState
from collector.read.held import Held, Look
from collector.read.transitions import Holder, Transition

Breaker = tuple[str, str, str]  # env, service, breaker
Who = tuple[str, str]  # env, service


def together(
    breaker: Breaker, looks: Sequence[Look], state: Callable[[Transition], str], now_ns: int
) -> BreakerState:
    """
    Put the instances of one breaker together.

    Args:
        breaker: Which.
        looks: Its instances by name; one at least is shown.
        state: Gives the state that an instance's transition means.
        now_ns: For what is counted in minutes.
    """
    env, service, name = breaker
    instances = tuple(InstanceState(it.shown, state(it.shown)) for it in looks if it.shown is not None)
    return BreakerState(service, env, name, instances, _hour(looks), now_ns)


def _hour(looks: Sequence[Look]) -> tuple[Transition, ...]:
    if len(looks) == 1:
        return looks[0].hour
    return tuple(sorted((each for look in looks for each in look.hour), key=lambda each: -each.at_ns))


def timed(state: BreakerState, now_ns: int) -> BreakerState:
    """Give the state as the clock has it: whether it flaps or is stuck changes by time alone."""
    counts = len(state.hour) >= FLAPPING_OPENS or any(it.state == "half_open" for it in state.instances)
    return replace(state, now_ns=now_ns) if counts else state


def quiet_ago(
    held: Mapping[Holder, Held], known: Iterable[Who], heard: Mapping[Who, int], then_ns: int
) -> frozenset[Who]:
    """
    Give which of *known* had been quiet at *then_ns*.

    Args:
        held: What is kept, looked at.
        known: Whoever has breakers.
        heard: When each was last heard of before *then_ns* by anything but transitions.
        then_ns: No more than `held.BACK_NS` before the last look.
    """
    since = then_ns - STALE_NS
    silent = {who for who in known if heard.get(who, 0) < since}
    its = ((holder[:2], each) for holder, each in held.items() if holder[:2] in silent)
    return frozenset(silent - {who for who, each in its if each.as_of(then_ns, then_ns).heard_ns >= since})


def states_ago(
    held: Mapping[Holder, Held],
    states: Mapping[Breaker, BreakerState],
    quiet: tuple[Collection[Who], Collection[Who]],
    then_ns: int,
    now_ns: int,
) -> list[BreakerState]:
    """
    Return every breaker as it stood at *then_ns*, by env, service and name.

    Args:
        held: What is kept, looked at.
        states: As they are now.
        quiet: Who had gone quiet then, and who has now.
        then_ns: No more than `held.BACK_NS` before *now_ns*.
        now_ns: Of the last look.
    """
    turned = set(quiet[0]) ^ set(quiet[1])
    changed = {
        holder[:3] for holder, each in held.items() if holder[:2] in turned or not each.stood(then_ns, now_ns)
    }
    looks: dict[Breaker, list[Look]] = defaultdict(list)
    for holder in sorted(holder for holder in held if holder[:3] in changed):
        looks[holder[:3]].append(held[holder].as_of(then_ns, then_ns))

    def state(shown: Transition) -> str:
        return "unknown" if (shown.env, shown.service) in quiet[0] else shown.to_state

    found = {key: timed(each, then_ns) for key, each in states.items() if key not in changed}
    for key, its in looks.items():
        if any(look.shown is not None for look in its):
            found[key] = together(key, its, state, then_ns)
    return [found[key] for key in sorted(found)]
