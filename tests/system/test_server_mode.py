"""``fuseboard serve --clickhouse``: a server that is not ours may be slow, silent or dead; what was acknowledged is stored once."""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Served, eventually
from tests.system.faults.proxy import PASS, Fault, Proxy, Request
from tests.system.server import ClickHouse, Terminator, url_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
_BACK_S = 60.0


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouse]:
    """A server that runs; killed afterwards."""
    server = ClickHouse(tmp_path / "clickhouse").start()
    yield server
    server.kill()


def settings(url: str, more: str = "") -> str:
    """A short deadline, so that a test need not wait for a long one."""
    return f'clickhouse = "{url}"\nquery_timeout_s = 3\ndrain_s = 1\n{more}'


def send(served: Served, number: int) -> float:
    """Send one line, which must be acknowledged; the seconds it took."""
    began = time.monotonic()
    answer = served.client.post(
        "/v1/lines",
        content=b'{"level":"info","message":"line %d"}\n' % number,
        headers={"fuseboard-resource": "service.name=till", "idempotency-key": f"n{number}"},
    )
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began


def stored_batches(clickhouse: ClickHouse) -> int:
    """Rows of the ledger; none before there is a schema."""
    if not clickhouse.one("EXISTS TABLE batches"):
        return 0
    return int(clickhouse.one("SELECT count() FROM batches"))


def assert_stored_once(clickhouse: ClickHouse, count: int) -> None:
    """The table holds the lines 0 … *count* - 1 once each, and so say rollups and ledger."""
    eventually(lambda: stored_batches(clickhouse) >= count, _BACK_S)
    bodies = clickhouse.one("SELECT arraySort(groupArray(body)) FROM logs")
    assert bodies == sorted(f"line {number}" for number in range(count))
    for sql in ("sum(records) FROM log_minutes", "sum(rows) FROM batch_rows", "count() FROM batches"):
        assert int(clickhouse.one(f"SELECT {sql}")) == count, sql


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")
def test_https_with_an_authority_of_ones_own(serve, tmp_path: Path, clickhouse: ClickHouse) -> None:
    """Trusted through ``clickhouse_ca_file`` the server is used, over a few connections for many statements; otherwise nothing is sent to it, and why is told."""
    terminator = Terminator(tmp_path, clickhouse.port)
    url = url_of(terminator.port, "https")
    try:
        stranger = serve(settings(url))
        send(stranger, 0)
        engine = eventually(lambda: (told := stranger.engine())["state"] == "down" and told)
        refused = terminator.accepted
        trusted = serve(settings(url, f'clickhouse_ca_file = "{terminator.certificate}"\n'))
        eventually(lambda: trusted.engine()["state"] == "up")
        stranger.kill()
        before = terminator.accepted
        for number in range(30):
            send(trusted, number)
            eventually(lambda: trusted.data("/logs", query="service:till"))
        assert_stored_once(clickhouse, 30)
    finally:
        terminator.close()

    assert "certificate" in engine["last_error"].lower()
    assert url.partition("@")[0].rpartition(":")[2] not in str(engine)
    assert refused > 0
    assert terminator.accepted - before < 12


def test_a_server_that_swallows_everything_delays_and_loses_nothing(serve, clickhouse: ClickHouse) -> None:
    """Requests get no answer at all: lines are acknowledged as before, the board says so at once, readers are told, and all is caught up after."""
    proxy = Proxy(clickhouse.port)
    asked: list[Request] = []

    def passing(request: Request) -> Fault:
        asked.append(request)
        return PASS

    proxy.plan = passing
    try:
        served = serve(settings(url_of(proxy.port)))
        send(served, 0)
        eventually(lambda: served.data("/logs", query="service:till"))
        before = served.engine()
        proxy.plan = lambda _: Fault("hole")
        took = [send(served, number) for number in range(1, 100)]
        engine = eventually(lambda: (told := served.engine())["state"] == "down" and told)
        took += [send(served, number) for number in range(100, 200)]
        began = time.monotonic()
        ready, alive = served.client.get("/readyz"), served.client.get("/healthz")
        refused = served.client.get("/api/v1/logs")
        served.client.get("/metrics")
        told_s = time.monotonic() - began
        waiting = served.data("/pipeline")[0]["journal"]
        proxy.plan = passing
        proxy.release()
        assert_stored_once(clickhouse, 200)
        again = eventually(lambda: (told := served.engine())["state"] == "up" and told)
    finally:
        proxy.close()

    assert statistics.quantiles(took, n=100)[98] < 1
    assert (before["state"], before["restarts"]) == ("up", 0)
    assert engine["last_error"]
    assert (ready.status_code, alive.status_code) == (200, 200)
    assert ready.json()["degraded"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_unavailable")
    assert told_s < 10
    assert waiting["bytes"] > 0
    assert again["restarts"] == 1
    loads = [
        request
        for request in asked
        if "FORMAT+Protobuf" in request.path or "FORMAT%20Protobuf" in request.path
    ]
    assert loads
    assert {request.headers["content-encoding"] for request in loads} == {"zstd"}
    assert any("zstd" in request.headers.get("accept-encoding", "") for request in asked)


def test_a_slow_server_slows_no_sender(serve, clickhouse: ClickHouse) -> None:
    """Each statement takes most of a second more: no acknowledgement waits for it, and everything arrives."""
    proxy = Proxy(clickhouse.port)
    try:
        served = serve(settings(url_of(proxy.port)))
        eventually(lambda: served.engine()["state"] == "up")
        proxy.plan = lambda _: Fault("delay", seconds=0.7)
        took = [send(served, number) for number in range(100)]
        assert_stored_once(clickhouse, 100)
        state = served.engine()["state"]
    finally:
        proxy.close()

    assert statistics.median(took) < 0.35  # half of what each statement is held back
    assert state == "up"


def test_a_server_killed_while_it_loads_holds_every_line_once(serve, clickhouse: ClickHouse) -> None:
    """Three times SIGKILL under load; a collector started while it is away takes lines too."""
    served = serve(settings(url_of(clickhouse.port)))
    stop, sent = threading.Event(), [0]

    def flood() -> None:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            while not stop.wait(0.01):
                body = b'{"level":"info","message":"line %d"}\n' % sent[0]
                client.post("/v1/lines", content=body).raise_for_status()
                sent[0] += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(3):
            before = sent[0]
            eventually(lambda before=before: sent[0] > before + 100)
            clickhouse.kill()
            eventually(lambda: served.engine()["state"] == "down")
            clickhouse.start()
            eventually(lambda: served.engine()["state"] == "up", _BACK_S)
    finally:
        stop.set()
        thread.join()
    clickhouse.kill()
    served.stop()
    served.start(wait=False)
    eventually(lambda: served.client.get("/healthz").status_code == 200)
    send(served, sent[0])
    clickhouse.start()

    assert_stored_once(clickhouse, sent[0] + 1)
