"""Keys made through the API: shown once, bound, in force everywhere, gone when revoked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.access import roster
from collector.errors import Unauthenticated, Unavailable
from collector.receive.authenticate import Key, Keys, NobodyIssued
from tests.collector.access.conftest import ELSEWHERE_S, Door
from tests.conftest import eventually


def refused(door: Door, secret: str) -> str:
    """Why a writer with *secret* is refused."""
    with pytest.raises(Unauthenticated) as error:
        door.writer(secret)
    return error.value.code


def test_a_key_is_shown_once_and_kept_as_a_digest(opened: Callable[..., Door], tmp_path: Path) -> None:
    """The secret stands in the answer to its making; lists, and the file of the state, do not have it."""
    door = opened()
    made = door.make(name="checkout", services=["checkout"], envs=["prod"])

    listed = door.ask("GET", "/keys").text
    assert made["secret"].startswith("fb_ingest_")
    assert made["secret"] not in listed
    assert made["masked"] in listed
    assert all(made["secret"].encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_an_ingest_key_writes_as_what_it_is_bound_to(door: Door) -> None:
    """Name, services and environments reach the ingest path; it may not ask."""
    secret = door.make(name="checkout", services=["checkout"], envs=["prod"])["secret"]

    key = door.writer(secret)

    assert (key.name, key.role, tuple(key.services), tuple(key.envs)) == (
        "checkout",
        "ingest",
        ("checkout",),
        ("prod",),
    )
    assert door.ask("GET", "/rules", secret).status_code == 403


@pytest.mark.parametrize(
    ("role", "reads", "changes", "manages"),
    [(None, 200, 403, 403), ("viewer", 200, 403, 403), ("editor", 200, 404, 403), ("admin", 200, 404, 200)],
)
def test_a_read_key_may_what_its_role_says(
    door: Door, role: str | None, reads: int, changes: int, manages: int
) -> None:
    """Viewers ask, editors change what people keep, admins manage; 404: let through, and no views are kept here."""
    secret = door.make(name="k", kind="read", role=role)["secret"]

    assert door.ask("GET", "/rules", secret).status_code == reads
    assert door.ask("DELETE", "/views/x", secret).status_code == changes
    assert door.ask("GET", "/keys", secret).status_code == manages


def test_a_key_is_in_force_at_the_other_collector_and_gone_when_revoked(opened: Callable[..., Door]) -> None:
    """Two collectors on one state: made at one, taken at the other within a second; the same for revoking."""
    first, second = opened(), opened()
    made = first.make(name="k")

    assert roster.EVERY_S <= 0.5
    eventually(lambda: _takes(second, made["secret"]), ELSEWHERE_S, 0.02)
    assert second.ask("DELETE", f"/keys/{made['id']}").status_code == 200
    assert refused(second, made["secret"]) == "key_unknown"
    eventually(lambda: not _takes(first, made["secret"]), ELSEWHERE_S, 0.02)


def _takes(door: Door, secret: str) -> bool:
    try:
        return bool(door.writer(secret))
    except Unauthenticated:
        return False


def test_keys_survive_a_restart(opened: Callable[..., Door]) -> None:
    """A collector that begins anew knows them before its first request."""
    secret = opened().make(name="k")["secret"]

    assert opened().writer(secret).name == "k"


def test_rotation_overlaps_as_long_as_is_said(door: Door) -> None:
    """With an overlap both secrets open; without, the old one ends at once; revoking ends both."""
    first = door.make(name="k")
    second = door.ask("POST", f"/keys/{first['id']}/rotate", json={"overlap_s": 60}).json()["data"][0]
    assert {door.writer(each["secret"]).name for each in (first, second)} == {"k"}
    assert second["overlap_until"] is not None
    third = door.ask("POST", f"/keys/{first['id']}/rotate", json={}).json()["data"][0]

    assert refused(door, first["secret"]) == refused(door, second["secret"]) == "key_unknown"
    assert door.writer(third["secret"]).name == "k"
    door.ask("POST", f"/keys/{first['id']}/rotate", json={"overlap_s": 60})
    door.ask("DELETE", f"/keys/{first['id']}")
    assert refused(door, third["secret"]) == "key_unknown"


def test_an_expired_key_says_so(opened: Callable[..., Door]) -> None:
    """401 key_expired once its time is over, without anybody writing anything."""
    door = opened()
    secret = door.make(name="k", expires_in_days=1)["secret"]
    later = Keys(
        [Key("a", "admin", "admin")], door.access.roster, now_ns=lambda: time.time_ns() + 2 * 86_400 * 10**9
    )

    with pytest.raises(Unauthenticated, match="'k' has expired") as error:
        later.authenticate({b"authorization": f"Bearer {secret}".encode()}, "write")

    assert error.value.code == "key_expired"


def test_use_is_remembered(opened: Callable[..., Door]) -> None:
    """When a key was used last is written at the latest when the collector ends."""
    door = opened()
    secret = door.make(name="k")["secret"]
    door.writer(secret)
    door.access.roster.stop()

    (listed,) = [key for key in door.ask("GET", "/keys").json()["data"] if key["name"] == "k"]
    assert listed["last_used_at"] is not None


def test_a_name_is_one_living_keys(door: Door) -> None:
    """Not another's, not one of the settings'; a revoked one's is free."""
    made = door.make(name="k")
    for taken in ("k", "a", "canary"):
        answer = door.ask("POST", "/keys", json={"name": taken})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_exists")
    door.ask("DELETE", f"/keys/{made['id']}")

    assert door.make(name="k")["id"] != made["id"]
    assert [key["state"] for key in door.ask("GET", "/keys").json()["data"] if key["source"] == "api"] == [
        "active",
        "revoked",
    ]


@pytest.mark.parametrize("key", ["read", "edit", "ingest", "wrong", ""])
@pytest.mark.parametrize(("method", "path"), [("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/x"), ("POST", "/keys/x/rotate"), ("GET", "/users"), ("POST", "/users"), ("PUT", "/users/x"), ("DELETE", "/users/x"), ("GET", "/settings")])  # fmt: skip
def test_only_admins_manage(door: Door, key: str, method: str, path: str) -> None:
    """401 without a key that is one, 403 for other roles, before a body is looked at."""
    assert door.ask(method, path, key).status_code == (403 if key in ("read", "edit", "ingest") else 401)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "bad_parameter"),
        ({"name": ""}, "bad_parameter"),
        ({"name": "  "}, "bad_parameter"),
        ({"name": "x" * 101}, "bad_parameter"),
        ({"name": "a\nb"}, "bad_parameter"),
        ({"name": "k\x00"}, "bad_parameter"),
        ({"name": "k", "kind": "root"}, "bad_parameter"),
        ({"name": "k", "role": "admin"}, "bad_key_scope"),
        ({"name": "k", "kind": "read", "services": ["s"]}, "bad_key_scope"),
        ({"name": "k", "kind": "read", "role": "owner"}, "bad_parameter"),
        ({"name": "k", "services": [""]}, "bad_parameter"),
        ({"name": "k", "services": ["s"] * 201}, "bad_parameter"),
        ({"name": "k", "services": "checkout"}, "bad_parameter"),
        ({"name": "k", "expires_at": "2001-01-01T00:00:00Z"}, "bad_expiry"),
        ({"name": "k", "expires_at": "soon"}, "bad_parameter"),
        ({"name": "k", "expires_at": "2099-01-01T00:00:00Z", "expires_in_days": 3}, "bad_expiry"),
        ({"name": "k", "expires_in_days": 0}, "bad_parameter"),
        ({"name": "k", "secret": "mine"}, "unknown_parameter"),
        ({"name": "k", "digest": "0" * 64}, "unknown_parameter"),
    ],
)
def test_a_key_nobody_means_is_not_made(door: Door, fields: dict[str, Any], code: str) -> None:
    """Bad fields are 400s; nothing is made."""
    answer = door.ask("POST", "/keys", json=fields)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert [key for key in door.ask("GET", "/keys").json()["data"] if key["source"] == "api"] == []


@pytest.mark.parametrize("identifier", ["x", "' OR 1=1 --", "%00", "../users", "x" * 5000])
def test_ids_nobody_has(door: Door, identifier: str) -> None:
    """404, whatever is written there."""
    door.make(name="k")

    assert door.ask("DELETE", f"/keys/{identifier}").status_code in (404, 405)
    assert [key["state"] for key in door.ask("GET", "/keys").json()["data"] if key["source"] == "api"] == [
        "active"
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"name": "k"', b"[" * 100_000])
def test_bodies_that_are_no_key(door: Door, body: bytes) -> None:
    """A half-finished or other body is a 400."""
    answer = door.ask("POST", "/keys", content=body)

    assert answer.status_code == 400


def test_a_body_of_any_size_is_refused_before_it_is_held(door: Door) -> None:
    """413 for a declared length, and for one that nobody declared."""
    large = json.dumps({"name": "x" * (2 << 20)}).encode()

    assert door.ask("POST", "/session", "", content=large).status_code == 413
    assert door.ask("POST", "/session", "", content=iter([large])).status_code == 413


def test_an_open_collector_notices_a_key_of_ours_that_is_none(opened: Callable[..., Door]) -> None:
    """On loopback without keys programs write as before; a revoked secret is still refused, and a bound one still binds."""
    door = opened(static=())
    made = door.make(name="k", services=["s"])

    assert door.writer("whatever").name == ""
    assert tuple(door.writer(made["secret"]).services) == ("s",)
    door.ask("DELETE", f"/keys/{made['id']}")
    assert refused(door, made["secret"]) == "key_unknown"
    assert door.ask("GET", "/rules", "").status_code == 200


def test_a_state_that_was_never_reached_is_not_a_wrong_key() -> None:
    """503 and try again, so that an agent keeps what it has."""
    away = NobodyIssued()
    away.reached = False
    keys = Keys([Key("a", "admin", "admin")], away)
    with pytest.raises(Unavailable, match="could not be read yet"):
        keys.authenticate({b"authorization": b"Bearer fb_ingest_x"}, "write")

    assert keys.authenticate({b"authorization": b"Bearer admin"}, "write").name == "a"
