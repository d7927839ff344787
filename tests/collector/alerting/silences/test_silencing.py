"""A silenced alert is shown and not told; when it fires after the silence it is told then."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from collector.alerting.matching import parse_matchers
from collector.alerting.silences.schedule import Schedule
from collector.alerting.silences.service import Wanted
from collector.errors import Conflict, Malformed, NotFound
from tests.collector.alerting.conftest import START


def told(receiving):
    """Give (type, time) of what arrived."""
    return [
        (body["type"], body["timestamp"][11:19])
        for body in (json.loads(request.body) for request in receiving.requests)
    ]


def run(alerting, clock, seconds):
    """Run a round a second."""
    for _ in range(seconds):
        alerting.round()
        alerting.deliver_due()
        clock.forward(1)


def wanted(clock, text='service="checkout"', minutes=10, **more):
    """Give a silence from now on."""
    return Wanted(
        matchers=parse_matchers(text),
        created_by="ada",
        comment="replacing the card terminal",
        ends_at=clock.at + timedelta(minutes=minutes),
        **more,
    )


def test_a_silence_holds_the_page_until_it_ends_also_over_restarts(start, receiving, breakers, clock):
    """Silenced while it begins to fire: nothing is sent; when the silence ends and it still fires, one page."""
    first = start()
    silence = first.silences.put(wanted(clock, minutes=2))
    breakers.set(state="open")
    run(first, clock, 30)
    assert told(receiving) == []
    assert [row["id"] for row in first.silences.all()] == [silence["id"]]

    second = start()
    run(second, clock, 95)

    assert told(receiving) == [("alert.firing", "03:02:00")]


def test_what_begins_and_ends_within_a_silence_is_never_told(start, receiving, breakers, clock):
    """Neither that it fired nor that it was resolved."""
    alerting = start()
    alerting.silences.put(wanted(clock))
    breakers.set(state="open")
    run(alerting, clock, 20)
    breakers.set(state="closed", since=clock.at)
    run(alerting, clock, 3)
    clock.forward(600)
    run(alerting, clock, 3)

    assert told(receiving) == []


def test_a_page_that_was_sent_is_resolved_also_under_a_silence(start, receiving, breakers, clock):
    """Whoever was told that it fires is told that it ended."""
    alerting = start()
    breakers.set(state="open")
    run(alerting, clock, 20)
    alerting.silences.put(wanted(clock))
    breakers.set(state="closed", since=clock.at)
    run(alerting, clock, 3)

    assert [kind for kind, _ in told(receiving)] == ["alert.firing", "alert.resolved"]


def test_ending_a_silence_tells_what_it_held_in_the_next_round(start, receiving, breakers, clock):
    """DELETE is the end, not the time that was asked for at first."""
    alerting = start()
    silence = alerting.silences.put(wanted(clock))
    breakers.set(state="open")
    run(alerting, clock, 20)
    ended = alerting.silences.end(silence["id"])
    run(alerting, clock, 2)

    assert ended["state"] == "expired"
    assert [kind for kind, _ in told(receiving)] == ["alert.firing"]
    assert alerting.silences.end(silence["id"])["ends_at"] == ended["ends_at"]


def test_a_maintenance_window_silences_again_each_time(start, receiving, breakers, clock):
    """Every night from 03:00 to 03:01, without an end of its own."""
    alerting = start()
    window = Wanted(
        parse_matchers('env="demo"'), "ada", "nightly restart", schedule=Schedule(start="03:00", end="03:01")
    )
    row = alerting.silences.put(window)
    breakers.set(state="open")
    run(alerting, clock, 30)
    assert told(receiving) == []
    run(alerting, clock, 32)
    assert told(receiving) == [("alert.firing", "03:01:00")]

    breakers.set(state="closed", since=clock.at)
    run(alerting, clock, 1)
    clock.at = START + timedelta(days=1)
    breakers.set(state="open", since=clock.at)
    run(alerting, clock, 30)

    assert len(told(receiving)) == 2
    (shown,) = alerting.silences.all()
    assert (shown["id"], shown["state"]) == (row["id"], "active")
    assert shown["until"] == "2026-11-23T03:01:00.000000000Z"
    assert shown["next_at"] == "2026-11-24T03:00:00.000000000Z"
    assert shown["alerts_count"] == 1


def test_a_silence_is_changed_in_its_place(start, clock):
    """The id and the beginning stay; author, reason and matchers are those of the change."""
    silences = start().silences
    first = silences.put(wanted(clock))
    clock.forward(60)
    second = silences.put(wanted(clock, text='service="cart"', id=first["id"]))

    assert second["id"] == first["id"]
    assert (second["starts_at"], second["created_at"]) == (first["starts_at"], first["created_at"])
    assert second["text"] == 'service="cart"'
    assert len(silences.all()) == 1


def test_a_preview_names_the_living_alerts_and_keeps_nothing(start, breakers, clock):
    """Pending ones too."""
    alerting = start()
    breakers.set(state="open")
    run(alerting, clock, 2)

    found = alerting.silences.preview(parse_matchers('service=~"check.*"'))
    assert [(alert["rule"], alert["state"]) for alert in found] == [("BreakerOpen", "pending")]
    assert len(alerting.silences.preview(parse_matchers('alertname="BreakerOpen", env=demo'))) == 1
    assert alerting.silences.preview(parse_matchers('service="cart"')) == []
    assert alerting.silences.all() == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"created_by": " "}, "created_by"),
        ({"comment": ""}, "comment"),
        ({"comment": "x" * 3000}, "comment"),
        ({"matchers": ()}, "matchers"),
        ({"matchers": parse_matchers('service=~".*"')}, "matchers"),
        ({"ends_at": None}, "ends_at"),
        ({"ends_at": START - timedelta(hours=1), "starts_at": START - timedelta(hours=2)}, "ends_at"),
        ({"starts_at": START + timedelta(days=1)}, "ends_at"),
    ],
)
def test_a_silence_without_sense_is_refused(start, clock, change, param):
    """The error names the field."""
    from dataclasses import replace

    silences = start().silences
    with pytest.raises(Malformed) as caught:
        silences.put(replace(wanted(clock), **change))

    assert (caught.value.code, caught.value.param) == ("bad_silence", param)
    assert silences.all() == []


def test_what_is_not_there_or_over_cannot_be_changed(start, clock):
    """404 for an unknown id, 409 for one that has ended; ended ones are gone from the list after five days."""
    silences = start().silences
    silence = silences.put(wanted(clock))
    for ask in (silences.one, silences.end, lambda id_: silences.put(wanted(clock, id=id_))):
        with pytest.raises(NotFound):
            ask("nobody")
    clock.forward(3600)
    with pytest.raises(Conflict):
        silences.put(wanted(clock, id=silence["id"]))

    assert [row["state"] for row in silences.all()] == ["expired"]
    clock.forward(6 * 86400)
    assert silences.all() == []
