"""People: added, signed in, limited in their attempts, never all gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.access.attempts import FREE, Attempts
from collector.access.passwords import Passwords
from collector.access.sessions import SESSIONS_MOST
from collector.errors import NoRoom
from tests.collector.access.conftest import ELSEWHERE_S, PASSWORD, Door
from tests.conftest import eventually


def add(door: Door, name: str, role: str = "viewer", key: str = "admin") -> None:
    """Add a person."""
    answer = door.ask("POST", "/users", key, json={"name": name, "role": role, "password": PASSWORD})
    assert answer.status_code == 200, answer.text


def sign_in(door: Door, name: str, password: str = PASSWORD) -> Any:
    """Sign in: the answer."""
    return door.ask("POST", "/session", "", json={"name": name, "password": password})


def token(door: Door, name: str) -> str:
    """Sign in: the token."""
    return str(sign_in(door, name).json()["data"][0]["token"])


def test_a_person_signs_in_and_is_who_they_are(door: Door) -> None:
    """The token stands for the person, with their role, until it is given back."""
    add(door, "ana", "editor")
    session = sign_in(door, "ana").json()["data"][0]

    who = door.ask("GET", "/session", session["token"]).json()["data"][0]

    assert who == {"kind": "person", "name": "ana", "role": "editor", "may": ["read", "change"]}
    assert door.ask("GET", "/keys", session["token"]).status_code == 403
    assert door.ask("DELETE", "/session", session["token"]).status_code == 200
    assert door.ask("GET", "/session", session["token"]).status_code == 401
    assert PASSWORD not in door.ask("GET", "/users").text


def test_an_open_collector_closes_with_its_first_person(opened: Callable[..., Door]) -> None:
    """Who has to be an admin; writing stays open to programs of the machine."""
    door = opened(static=())
    assert door.ask("GET", "/session", "").json()["data"][0]["kind"] == "anyone"
    refused = door.ask("POST", "/users", "", json={"name": "v", "role": "viewer", "password": PASSWORD})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "last_admin")
    add(door, "root", "admin", key="")

    assert door.ask("GET", "/rules", "").status_code == 401
    assert door.ask("GET", "/rules", token(door, "root")).status_code == 200
    assert door.writer("anything").name == ""


def test_the_last_admin_stays(opened: Callable[..., Door]) -> None:
    """Disabled, demoted or removed by nobody, while the settings have no admin key."""
    door = opened(static=())
    add(door, "root", "admin", key="")
    key = token(door, "root")
    for method, body in (("PUT", {"disabled": True}), ("PUT", {"role": "viewer"}), ("DELETE", None)):
        answer = door.ask(method, "/users/root", key, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "last_admin")
    add(door, "second", "admin", key=key)

    assert door.ask("PUT", "/users/root", key, json={"role": "viewer"}).status_code == 200
    assert door.ask("GET", "/users", key).status_code == 403


@pytest.mark.parametrize("change", [{"disabled": True}, {"password": "another long password"}, None])
def test_disabling_a_new_password_and_removing_end_every_session(
    opened: Callable[..., Door], change: dict[str, Any] | None
) -> None:
    """At every collector that shares the state, within a second."""
    first, second = opened(), opened()
    add(first, "ana")
    key = token(first, "ana")
    eventually(lambda: second.ask("GET", "/session", key).status_code == 200, ELSEWHERE_S, 0.02)

    changed = first.ask("PUT" if change else "DELETE", "/users/ana", json=change)

    assert changed.status_code == 200
    assert first.ask("GET", "/session", key).status_code == 401
    eventually(lambda: second.ask("GET", "/session", key).status_code == 401, ELSEWHERE_S, 0.02)
    assert sign_in(first, "ana").status_code == 401


def test_a_role_changes_under_a_living_session(door: Door) -> None:
    """The next request has the new role."""
    add(door, "ana", "admin")
    key = token(door, "ana")
    door.ask("PUT", "/users/ana", json={"role": "viewer"})

    assert door.ask("GET", "/session", key).json()["data"][0]["role"] == "viewer"


def test_a_session_ends(opened: Callable[..., Door]) -> None:
    """After session_h hours."""
    door = opened(session_h=1e-6)
    add(door, "ana")
    key = token(door, "ana")

    answer = eventually(
        lambda: (got := door.ask("GET", "/session", key)).status_code == 401 and got, 30.0, 0.01
    )

    assert answer.json()["error"]["code"] == "key_expired"


def test_a_person_has_so_many_sessions(door: Door) -> None:
    """The oldest end when there are more."""
    add(door, "ana")
    keys = [token(door, "ana") for _ in range(SESSIONS_MOST + 2)]

    living = [key for key in keys if door.ask("GET", "/session", key).status_code == 200]

    assert living == keys[2:]


def test_wrong_names_and_wrong_passwords_look_alike(door: Door) -> None:
    """The same answer, whatever was wrong; nothing that was sent is quoted."""
    add(door, "ana")
    add(door, "gone")
    door.ask("PUT", "/users/gone", json={"disabled": True})
    answers = [
        sign_in(door, "ana", "wrong-password-1"),
        sign_in(door, "nobody", "wrong-password-1"),
        sign_in(door, "gone"),
    ]

    errors = [{**answer.json()["error"], "request_id": ""} for answer in answers]

    assert {answer.status_code for answer in answers} == {401}
    assert errors[0] == errors[1] == errors[2]
    assert "wrong-password-1" not in answers[0].text


def test_attempts_at_a_name_are_limited(door: Door) -> None:
    """After five wrong ones the right password waits as well; other names do not."""
    add(door, "ana")
    add(door, "bo")
    door.access.sessions._attempts._wrong["ana"] = (FREE, door.access.sessions._attempts._clock())

    answer = sign_in(door, "ana")

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert sign_in(door, "bo").status_code == 200


def test_the_wait_doubles_and_ends() -> None:
    """One minute, two, four, at most fifteen; after an hour without a try all is forgotten; a right one forgets at once."""
    now = 0.0
    attempts = Attempts(lambda: now)
    waits = []
    for _ in range(FREE - 1):
        attempts.wrong("ana")
    attempts.check("ana")
    for _ in range(6):
        attempts.wrong("ana")
        with pytest.raises(NoRoom) as refused:
            attempts.check("ana")
        waits.append(round(refused.value.retry_after_s) - 1)
        now += refused.value.retry_after_s
        attempts.check("ana")
    assert waits == [60, 120, 240, 480, 900, 900]
    attempts.wrong("ana")
    now += 3601

    attempts.check("ana")
    attempts.wrong("ana")
    attempts.check("ana")


def test_names_that_somebody_made_up_are_bounded() -> None:
    """Ten thousand, the oldest go."""
    attempts = Attempts()
    for number in range(10_500):
        attempts.wrong(str(number))

    assert len(attempts._wrong) == 10_000


def test_a_person_changes_their_own_password(door: Door) -> None:
    """With the old one; every session ends; a key has none."""
    add(door, "ana")
    key = token(door, "ana")
    wrong = {"old": "not my password", "new": "another long password"}
    assert door.ask("PUT", "/session/password", key, json=wrong).status_code == 401
    assert door.ask("PUT", "/session/password", "read", json=wrong).status_code == 409

    done = door.ask("PUT", "/session/password", key, json={"old": PASSWORD, "new": "another long password"})

    assert done.status_code == 200
    assert door.ask("GET", "/session", key).status_code == 401
    assert sign_in(door, "ana", "another long password").status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "", "password": PASSWORD}, "bad_parameter"),
        ({"name": "a b", "password": PASSWORD}, "bad_parameter"),
        ({"name": "../x", "password": PASSWORD}, "bad_parameter"),
        ({"name": "<script>", "password": PASSWORD}, "bad_parameter"),
        ({"name": "x" * 101, "password": PASSWORD}, "bad_parameter"),
        ({"name": "ana", "password": "short"}, "bad_password"),
        ({"name": "ana", "password": "x" * 1025}, "bad_parameter"),
        ({"name": "anastasia-long", "password": "anastasia-long1"}, "bad_password"),
        ({"name": "ana", "password": None}, "bad_parameter"),
        ({"name": "ana", "password": PASSWORD, "role": "root"}, "bad_parameter"),
        ({"name": "ana", "password": PASSWORD, "disabled": False}, "unknown_parameter"),
    ],
)
def test_a_person_that_cannot_be_is_not_added(door: Door, fields: dict[str, Any], code: str) -> None:
    """Bad fields are 400s that quote no password."""
    answer = door.ask("POST", "/users", json=fields)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert PASSWORD not in answer.text
    assert door.ask("GET", "/users").json()["data"] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b'["secret-word"]', b'{"name": ["secret-word"], "password": "secret-word"}']
)
def test_sign_ins_that_are_none_quote_nothing(door: Door, body: bytes) -> None:
    """A half-finished or other body is a 400 that repeats nothing of it."""
    answer = door.ask("POST", "/session", "", content=body)

    assert answer.status_code == 400
    assert "secret-word" not in answer.text


def test_hashes_differ_and_fit() -> None:
    """Salted, also for texts that no encoding has; a hash is not a password."""
    passwords = Passwords()
    kept, again = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)

    assert kept != again
    assert passwords.fits(PASSWORD, kept)
    assert not passwords.fits(kept, kept)
    assert not passwords.fits("x" * 5000, kept)
    assert not passwords.fits(PASSWORD, None)
    assert not passwords.fits("\ud800" * 12, kept)


def test_settings_are_for_admins_and_masked(door: Door) -> None:
    """As `fuseboard check` prints them."""
    assert door.ask("GET", "/settings").json()["data"][0] == {
        "name": "admin_key",
        "value": "********",
        "help": "A key.",
    }
