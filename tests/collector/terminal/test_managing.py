"""Keys from a shell: made, told once, rotated, revoked, and in force at the collector's own door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.collector.terminal.shell import Done, piped
from tests.conftest import Served, _starter, eventually


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A collector with an admin's key."""
    with closing(_starter(tmp_path_factory.mktemp("managed"))) as starter:
        yield next(starter)('admin_key = "the-admin"\n')


def _keys(served: Served, *arguments: str) -> Done:
    return piped(served.url, "keys", *arguments, "--key", "the-admin")


def _write(served: Served, secret: str, service: str = "checkout") -> int:
    headers = {"Authorization": f"Bearer {secret}", "Fuseboard-Resource": f"service.name={service}"}
    return httpx.post(f"{served.url}/v1/lines", content=b"hello", headers=headers, timeout=60).status_code


def test_a_key_is_made_used_rotated_and_revoked(managed: Served) -> None:
    """Its secret alone is on standard output; bound as asked; the old secret ends with the rotation, the new one with the revocation."""
    made = _keys(managed, "create", "checkout-prod", "--service", "checkout", "--expires-in-days", "30")
    first = made.stdout.strip()
    bound = (_write(managed, first), _write(managed, first, "other"))
    rotated = _keys(managed, "rotate", "checkout-prod")
    second = rotated.stdout.strip()
    after = (_write(managed, second), _write(managed, first))
    listed = [json.loads(line) for line in _keys(managed, "list").stdout.splitlines()]
    revoked = _keys(managed, "revoke", "checkout-prod")

    assert (made.returncode, rotated.returncode, revoked.returncode) == (0, 0, 0)
    assert len(made.stdout.splitlines()) == 1
    assert bound == (200, 403)
    assert after == (200, 401)
    row = next(row for row in listed if row["name"] == "checkout-prod")
    assert (row["kind"], row["services"], row["state"]) == ("ingest", ["checkout"], "active")
    assert first not in json.dumps(listed)
    eventually(lambda: _write(managed, second) == 401)


def test_what_cannot_be_done_is_a_sentence(managed: Served) -> None:
    """An unknown name, a key of the settings, a wrong kind, and no admin's key: exit 2 and what to do."""
    unknown = _keys(managed, "revoke", "nobody")
    fixed = _keys(managed, "rotate", "admin")
    wrong = _keys(managed, "create", "x", "--kind", "both")
    refused = piped(managed.url, "keys", "list", "--key", "a-stranger")

    assert [done.returncode for done in (unknown, fixed, wrong, refused)] == [2, 2, 2, 2]
    assert "no living key is called nobody; fuseboard keys list shows them" in unknown.stderr
    assert "a key of the settings" in fixed.stderr
    assert "kind" in wrong.stderr
    assert "--key" in refused.stderr


def test_an_empty_quarantine_is_exit_1(managed: Served) -> None:
    """Nothing found, nothing said."""
    done = piped(managed.url, "quarantine", "list", "--key", "the-admin")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
