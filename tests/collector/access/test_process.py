"""Keys in a real collector: they survive a kill, write, and stop to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import Served

ADMIN = {"authorization": "Bearer boss"}


def test_a_key_survives_a_kill_writes_and_stops_when_revoked(
    serve: Callable[..., Served], poll: Callable[..., Any]
) -> None:
    """Acknowledged, then SIGKILL: the key is there; what it may not write is refused; revoked, it is a 401 within seconds."""
    collector = serve('admin_key = "boss"\n')
    client = collector.client
    made = client.post("/api/v1/keys", headers=ADMIN, json={"name": "cart", "services": ["cart"]}).json()[
        "data"
    ][0]
    collector.kill()
    collector.start()

    def write(service: str) -> int:
        headers = {
            "authorization": f"Bearer {made['secret']}",
            "fuseboard-resource": f"service.name={service}",
        }
        return client.post("/v1/lines", headers=headers, content=b"hello\n").status_code

    assert (write("cart"), write("payment")) == (200, 403)
    assert client.get("/metrics", headers={"authorization": f"Bearer {made['secret']}"}).status_code == 403
    client.delete(f"/api/v1/keys/{made['id']}", headers=ADMIN)
    poll(lambda: write("cart") == 401)
