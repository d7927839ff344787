"""How often an address may be wrong, and whose address it is."""

from __future__ import annotations

import time
from ipaddress import ip_network

import httpx
import pytest

from collector.access.address import client_of
from collector.access.attempts import _ANOTHER_EVERY_S, _MOST_ADDRESSES, FREE_OF_ADDRESS, Addresses
from collector.errors import NoRoom
from collector.settings import SettingsError, load
from tests.collector.access.conftest import PASSWORD, Door

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.1", "", ""),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.1.2.3", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.1.2.3", "203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.1.2.3", "", ""),
        ("::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        ("fd00::1", "::ffff:10.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "unknown", ""),
        ("127.0.0.1", "<script>", ""),
        ("testclient", "203.0.113.7", ""),
        ("127.0.0.1", "203.0.113.7, " + "10.0.0.1, " * 50 + "10.0.0.1", ""),
    ],
)
def test_whose_word_is_taken(peer: str, forwarded: str, expected: str) -> None:
    """The first from the end that is no proxy of ours; what others write in front of it counts for nothing."""
    assert client_of(peer, forwarded, PROXIES) == expected


def test_an_address_is_wrong_fifty_times_and_then_every_half_minute() -> None:
    """Others are not concerned; after a while it has its fifty again."""
    now = [0.0]
    addresses = Addresses(lambda: now[0])
    for _ in range(FREE_OF_ADDRESS):
        addresses.check("203.0.113.7")
        addresses.wrong("203.0.113.7")
    with pytest.raises(NoRoom) as refused:
        addresses.check("203.0.113.7")
    addresses.check("203.0.113.8")
    now[0] += refused.value.retry_after_s

    addresses.check("203.0.113.7")
    addresses.wrong("203.0.113.7")
    with pytest.raises(NoRoom):
        addresses.check("203.0.113.7")
    now[0] += FREE_OF_ADDRESS * _ANOTHER_EVERY_S
    for _ in range(FREE_OF_ADDRESS):
        addresses.check("203.0.113.7")
        addresses.wrong("203.0.113.7")


def test_addresses_take_bounded_memory() -> None:
    """The longest quiet ones are forgotten; nobody's is not kept at all."""
    addresses = Addresses(lambda: 0.0)
    for number in range(_MOST_ADDRESSES + 10):
        addresses.wrong(f"a{number}")
    addresses.wrong("")

    assert len(addresses._left) == _MOST_ADDRESSES


def test_many_names_from_one_address_come_to_an_end(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong password for each of many names: 429 with when to come back; somebody elsewhere signs in."""
    now = time.monotonic()
    monkeypatch.setattr(door.access.sessions._addresses, "_clock", lambda: now)
    door.ask("POST", "/users", json={"name": "ana", "role": "admin", "password": PASSWORD})

    def tried(name: str, address: str, password: str = "wrong-password") -> httpx.Response:
        headers = {"x-forwarded-for": address}
        return door.http.post("/api/v1/session", json={"name": name, "password": password}, headers=headers)

    answers = [tried(f"n{number}", "203.0.113.7").status_code for number in range(FREE_OF_ADDRESS)]
    refused = tried("ana", "203.0.113.7", PASSWORD)

    assert set(answers) == {401}
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_attempts")
    assert int(refused.headers["retry-after"]) >= 1
    assert tried("ana", "203.0.113.8", PASSWORD).status_code == 200


@pytest.mark.parametrize("value", ["10.0.0.0/33", "proxy.example", "10.0.0.0/8;", '["10.0.0.0/8", "x"]'])
def test_a_network_that_is_none_is_told_at_the_start(value: str) -> None:
    """The setting and the value."""
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load(None, {}, {"FUSEBOARD_TRUSTED_PROXIES": value})
