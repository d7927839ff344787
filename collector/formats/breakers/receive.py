"""
The promise made to a client that posts breaker transitions: ``POST /v1/breakers``, ``200 {"accepted": n}``.

One JSON object, an array, or NDJSON. Transitions are rare by nature, so each is validated here, in a loop
(≈ 400 k transitions/s): the client learns which one is wrong, and nothing of a wrong body is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.errors import Malformed
from collector.receive.headers import pairs, time_ns
from collector.receive.protocol import Judged, Protocol, Response

OPEN = frozenset({"open", "forced_open"})
STATES = ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")


class Transition(msgspec.Struct, rename={"from_": "from"}):
    """One transition as posted; ``from`` and ``to`` in any case, ``half-open`` accepted."""

    breaker: str
    to: str
    service: str = ""
    target: str = ""
    instance: str = ""
    from_: str | None = None
    at: str | float | int | None = None
    reason: str | None = None
    failure_rate: float | None = None
    slow_call_rate: float | None = None
    calls: int | None = None
    not_permitted: int | None = None
    trace_id: str | None = None
    span_id: str | None = None


_MANY = msgspec.json.Decoder(list[Transition])
_ONE = msgspec.json.Decoder(Transition)


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Validate every transition.

    Raises:
        Malformed: ``bad_transition``, naming the field and quoting the value.
    """
    if not body.strip():
        raise Malformed("empty_body", "the body is empty; send one transition, an array, or one per line")
    resource = pairs(headers.get(b"fuseboard-resource", b"").decode("latin-1"), "Fuseboard-Resource")
    transitions = _parsed(body)
    for number, transition in enumerate(transitions):
        _check(transition, number, resource.get("service.name", ""))
    timed = all(transition.at is not None for transition in transitions)
    return Judged(
        len(transitions), timed=timed, hurries=any(_opens(transition) for transition in transitions)
    )


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what the client is told."""
    del batch_id, size
    return {"accepted": records}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return the 200; a repeat's says so in ``Fuseboard-Duplicate``."""
    return Response(
        200, msgspec.json.encode(given), headers={"fuseboard-duplicate": "true"} if duplicate else {}
    )


def _parsed(body: bytes) -> list[Transition]:
    try:
        if body.lstrip().startswith(b"["):
            return _MANY.decode(body)
        try:
            return [_ONE.decode(body)]
        except msgspec.DecodeError:
            return [_ONE.decode(line) for line in body.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(
            "bad_transition", f"not a transition, an array of them, or one per line: {error}"
        ) from error


def _opens(transition: Transition) -> bool:
    """Say whether somebody may have to be woken; that a trial began or went well may be told a second later."""
    return transition.to.lower().replace("-", "_") in OPEN


def _check(transition: Transition, number: int, declared_service: str) -> None:
    if not (transition.service or declared_service):
        raise Malformed(
            "bad_transition",
            f"transition {number}: 'service' is missing (or declare it in Fuseboard-Resource)",
            "service",
        )
    if not transition.breaker:
        raise Malformed("bad_transition", f"transition {number}: 'breaker' is empty", "breaker")
    for name, state in (("to", transition.to), ("from", transition.from_)):
        if state and state.lower().replace("-", "_") not in STATES:
            raise Malformed(
                "bad_transition",
                f"transition {number}: {name!r} is {state[:40]!r}; known: {', '.join(STATES)}",
                name,
            )
    if not transition.to:
        raise Malformed("bad_transition", f"transition {number}: 'to' is empty", "to")
    if isinstance(transition.at, str) and not transition.at.replace(".", "", 1).isdigit():
        time_ns(transition.at, "at")


PROTOCOL = Protocol(
    name="breakers",
    paths=("/v1/breakers",),
    group="breakers",
    signal="breakers",
    tables=("breaker_transitions",),
    judge=judge,
    answer=answer,
    respond=respond,
    seal_age_s=0.5,
    quiet_s=5.0,
)
