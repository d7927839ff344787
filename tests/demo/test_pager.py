"""The shop's webhook receiver, against signatures made by the standard's own library."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from demo.errors import UsageError
from demo.pager import Pager, key_of

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a test secret").decode()
BODY = json.dumps({"type": "alert.firing", "data": {"annotations": {"summary": "checkout"}}})


@pytest.fixture
def pager(tmp_path: Path) -> Iterator[Pager]:
    """A listening receiver."""
    started = Pager(key_of(SECRET), tmp_path / "pager.jsonl")
    threading.Thread(target=started.serve_forever, daemon=True).start()
    yield started
    started.shutdown()
    started.server_close()


def _post(pager: Pager, body: str, signature: str, at: datetime) -> int:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return httpx.post(
        f"http://127.0.0.1:{pager.server_address[1]}/", content=body, headers=headers
    ).status_code


def test_a_signed_delivery_is_taken_and_written_down(pager: Pager) -> None:
    """204, and a line that says it was verified."""
    now = datetime.now(UTC)

    assert _post(pager, BODY, Webhook(SECRET).sign("msg_1", now, BODY), now) == 204
    row = json.loads(pager.log.read_text())
    assert (row["type"], row["verified"], row["webhook_id"]) == ("alert.firing", True, "msg_1")


@pytest.mark.parametrize("damage", ["body", "signature", "age"])
def test_a_forged_or_old_delivery_is_refused(pager: Pager, damage: str) -> None:
    """401: other bytes, another signature, or a recording played again."""
    at = datetime.fromtimestamp(0, UTC) if damage == "age" else datetime.now(UTC)
    signature = "v1,AAAA" if damage == "signature" else Webhook(SECRET).sign("msg_1", at, BODY)
    body = BODY.replace("checkout", "payment") if damage == "body" else BODY

    assert _post(pager, body, signature, at) == 401
    assert json.loads(pager.log.read_text())["verified"] is False


def test_a_body_that_is_not_json_is_refused(pager: Pager) -> None:
    """400, nothing written."""
    assert _post(pager, "not json", "v1,AAAA", datetime.now(UTC)) == 400
    assert not pager.log.exists()


@pytest.mark.parametrize("secret", ["", "secret", "whsec_§"])
def test_a_wrong_secret_is_named(secret: str) -> None:
    """With the variable it came from."""
    with pytest.raises(UsageError, match="DEMO_PAGER_SECRET"):
        key_of(secret)
