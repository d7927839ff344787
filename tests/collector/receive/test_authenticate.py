"""Keys: who they are, what they may, and where they are bound."""

from __future__ import annotations

import base64

import pytest

from collector.errors import Forbidden, Unauthenticated
from collector.receive.authenticate import Key, Keys, check_scope

KEYS = Keys(
    [
        Key("agent", "s-write"),
        Key("grafana", "s-read", "read"),
        Key("ops", "s-admin", "admin"),
        Key("twice", "s-read", "ingest"),
    ]
)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _as(authorization: str) -> dict[bytes, bytes]:
    return {b"authorization": authorization.encode("latin-1")}


@pytest.mark.parametrize(
    ("authorization", "action", "name"),
    [
        ("Bearer s-write", "write", "agent"),
        ("bearer   s-write ", "write", "agent"),
        ("Splunk s-write", "write", "agent"),
        (_basic("anyone", "s-write"), "write", "agent"),
        (_basic("", "s-admin"), "read", "ops"),
        ("Bearer s-admin", "write", "ops"),
        ("Bearer s-read", "read", "grafana"),
        ("Bearer s-read", "write", "twice"),
    ],
)
def test_a_key_is_recognised(authorization: str, action: str, name: str) -> None:
    """Bearer, Splunk and Basic; of two keys with one secret, the one that may."""
    assert KEYS.authenticate(_as(authorization), action).name == name


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "key_missing"),
        ("Bearer ", "key_missing"),
        ("Digest s-write", "key_missing"),
        ("Basic !!!", "key_missing"),
        ("Basic /w==", "key_missing"),
        (_basic("user", ""), "key_missing"),
        ("Bearer s-wrote", "key_unknown"),
        ("Bearer \xff", "key_unknown"),
        (_basic("s-write", "x"), "key_unknown"),
    ],
)
def test_anyone_else_is_unauthenticated(authorization: str, code: str) -> None:
    """401, without saying which keys there are."""
    with pytest.raises(Unauthenticated) as refused:
        KEYS.authenticate(_as(authorization), "write")

    assert refused.value.code == code
    assert "s-" not in refused.value.message


def test_an_empty_secret_opens_nothing() -> None:
    """A key that was left empty is nobody's password."""
    with pytest.raises(Unauthenticated):
        Keys([Key("admin", "", "admin")]).authenticate(_as(_basic("user", "")), "read")


@pytest.mark.parametrize(("secret", "action"), [("s-read", "manage"), ("s-write", "read")])
def test_a_role_has_its_limits(secret: str, action: str) -> None:
    """403 naming the key and its role."""
    keys = Keys([Key("agent", "s-write"), Key("grafana", "s-read", "read")])
    with pytest.raises(Forbidden, match="has the role") as refused:
        keys.authenticate(_as(f"Bearer {secret}"), "read" if action == "read" else "write")

    assert refused.value.code == "key_role"


def test_without_keys_everyone_here_may_do_everything() -> None:
    """Loopback without accounts."""
    assert Keys([]).authenticate({}, "write").name == ""
    assert Keys([]).authenticate(_as("Bearer whatever"), "read").role == "admin"


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"service.name": "checkout"},
        {"service.name": "cart", "deployment.environment.name": "prod"},
        {"deployment.environment": "prod"},
        {"host.name": "anything"},
    ],
)
def test_a_bound_key_writes_what_it_is_bound_to(resource: dict[str, str]) -> None:
    """Its services and environments, or a resource that names none."""
    check_scope(Key("k", "s", services=("checkout", "cart"), envs=("prod",)), resource)


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({"service.name": "payment"}, "key_service"),
        ({"deployment.environment.name": "dev"}, "key_env"),
        ({"deployment.environment": "dev"}, "key_env"),
        ({"service.name": "checkout", "deployment.environment.name": "dev"}, "key_env"),
    ],
)
def test_a_bound_key_writes_nothing_else(resource: dict[str, str], code: str) -> None:
    """403 for a declared service or environment of others."""
    with pytest.raises(Forbidden) as refused:
        check_scope(Key("k", "s", services=("checkout", "cart"), envs=("prod",)), resource)

    assert (refused.value.code, refused.value.param) == (code, "Fuseboard-Resource")
