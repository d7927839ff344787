"""Clients that go away, crowds and progress, over real sockets and a real engine."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from collector.api import ApiParts, build_api
from collector.api.parts import nobody_asked
from collector.api.prometheus import Prometheus, PrometheusParts
from collector.read.present import Present
from collector.sql.console import Console
from collector.store.bulkhead import Bulkhead
from collector.store.client import Store
from collector.store.limits import QueryLimits
from collector.store.processes import cancel, progress
from collector.store.question import Questions
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, served
from tests.collector.read.real_store import NOW_NS

# Nothing that is ended, or told at once, takes this long even on a machine that stands still now and then; `SLOW` takes longer.
SOON_S = 15
SLOW = "SELECT count() AS n FROM numbers(9000000000) WHERE NOT ignore(sipHash64(number)) LIMIT 1"


class SlowStore(Store):
    """The real engine, which needs a minute for whatever a reader asks."""

    def query(self, sql, params=None, settings=None, query_id=None):  # noqa: ARG002 - the reader's signature
        """Run the slow statement in the place of *sql*."""
        return super().query(SLOW, None, settings, query_id)


def parts(store: Store, reader: Store | None = None, **more) -> ApiParts:
    """The API's parts over *store*, readers' statements going to *reader*."""
    return ApiParts(
        store=reader or store,
        alerts=FixedAlerts(),
        pipeline=FixedPipeline(),
        sql=Console(store, QueryLimits(prefix="sql")),
        clock_ns=lambda: NOW_NS,
        questions=Questions(partial(cancel, store)),
        progress=partial(progress, store),
        **more,
    )


@pytest.fixture(scope="module")
def slow(store) -> Store:
    """The slow one."""
    return SlowStore(store._target)


@pytest.fixture(scope="module")
def bulkhead() -> Bulkhead:
    """Three at once, one waits."""
    return Bulkhead(3, 1, 30)


@pytest.fixture(scope="module")
def served_client(store, slow, bulkhead) -> Iterator[httpx.Client]:
    """An API that needs a minute for every question, and takes three at once."""
    with served(parts(store, slow, bulkhead=bulkhead)) as client:
        yield client


@pytest.fixture
def client(served_client, store, bulkhead, poll) -> httpx.Client:
    """Its client, when nothing is left of the test before."""
    poll(lambda: (bulkhead.running, bulkhead.waiting, running(store)) == (0, 0, 0), every_s=0.02)
    return served_client


def running(store: Store) -> int:
    """How many slow statements ClickHouse has: one answer may ask several at once."""
    sql = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64(number%' AND query NOT LIKE '%processes%'"
    return int(store.query(sql).rows[0]["n"])


def sent(client: httpx.Client, path: str, body: str = "", name: str = "") -> socket.socket:
    """A connection on which a question was asked and no answer has come."""
    url = urlsplit(str(client.base_url))
    connection = socket.create_connection((str(url.hostname), int(url.port or 0)))
    head = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: fuseboard", f"Content-Length: {len(body)}", "Content-Type: application/json"]  # fmt: skip
    if name:
        head.append(f"X-Query-Id: {name}")
    connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    return connection


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/v1/logs", ""), ("/api/v1/traces", ""), ("/api/v1/services", ""), ("/api/v1/sql", f'{{"query": "{SLOW}"}}')],
    ids=["logs", "traces", "services", "sql"],
)  # fmt: skip
def test_a_closed_connection_ends_its_statement(client, store, poll, path, body) -> None:
    """Nothing of it is left in system.processes a moment later."""
    with sent(client, path, body):
        poll(lambda: running(store) >= 1, every_s=0.02)
    began = time.monotonic()
    poll(lambda: running(store) == 0, every_s=0.02)

    assert time.monotonic() - began < SOON_S


def test_a_question_of_several_statements_begins_no_other(client, store, poll) -> None:
    """Facets ask once per field; after the client left the second is not asked."""
    with sent(client, "/api/v1/logs/facets?fields=service,severity,env", name="facets-1"):
        poll(lambda: running(store) >= 1, every_s=0.02)
    poll(lambda: client.get("/api/v1/queries/facets-1").json()["data"][0]["state"] == "unknown")

    assert running(store) == 0


def test_a_cancelled_task_ends_its_statement(store, slow, poll) -> None:
    """The dashboards ask through ASGI: a page that is left cancels, and does not wait for the end."""
    api = build_api(parts(store, slow))

    async def ask() -> float:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as asker:
            asking = asyncio.create_task(asker.get("/v1/logs"))
            await asyncio.to_thread(poll, lambda: running(store) >= 1, every_s=0.02)
            began = time.monotonic()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            return time.monotonic() - began

    took_s = asyncio.run(ask())
    poll(lambda: running(store) == 0, every_s=0.02)

    assert took_s < SOON_S


def test_how_far_a_question_is(client, poll) -> None:
    """Rows, share and state while it runs; unknown before and after."""
    before = client.get("/api/v1/queries/how-far-is-it").json()["data"][0]

    def now() -> dict[str, object]:
        (row,) = client.get("/api/v1/queries/how-far-is-it").json()["data"]
        return row

    with sent(client, "/api/v1/logs", name="how-far-is-it"):
        found = poll(lambda: (row := now())["rows_read"] and row)
        later = poll(lambda: (row := now())["percent"] > found["percent"] and row)
    after = poll(lambda: (row := now())["state"] == "unknown" and row)

    assert (before["state"], before["percent"], before["rows_total"]) == ("unknown", None, None)
    assert (found["state"], found["statements"], found["rows_total"]) == ("running", 1, 9_000_000_000)
    assert 0 <= found["percent"] < later["percent"] < 100
    assert found["elapsed_ms"] > 0
    assert after["rows_read"] == 0


def test_a_question_has_the_name_it_was_given_or_a_random_one(store) -> None:
    """The answer's header says it; a name that cannot be one is a 400 that quotes it."""
    with served(parts(store)) as quick:
        named = quick.get("/api/v1/logs", headers={"X-Query-Id": "my-question-7"})
        random = quick.get("/api/v1/logs")
        bad = [quick.get("/api/v1/logs", headers={"X-Query-Id": name}) for name in ("x", "a" * 65, "/* */ drop", "..%2f..%2fx")]  # fmt: skip
        unknown = quick.get("/api/v1/queries/x", params={"more": "1"})

    assert (named.status_code, named.headers["x-query-id"]) == (200, "my-question-7")
    assert len(random.headers["x-query-id"]) == 16
    assert [answer.status_code for answer in bad] == [400] * 4
    assert bad[0].json()["error"]["code"] == "bad_header"
    assert "'/* */ drop'" in bad[2].json()["error"]["message"]
    assert unknown.status_code == 200


def test_a_crowd_waits_and_the_rest_is_told_at_once(client, store, bulkhead, poll) -> None:
    """Three run, one waits, the fifth gets 503 with Retry-After at once; what needs no turn is answered all along."""
    with ExitStack() as connections:
        for number in range(4):
            connections.enter_context(sent(client, "/api/v1/logs", name=f"crowd-{number}-of-4"))
        poll(lambda: (running(store), bulkhead.waiting) == (3, 1), every_s=0.02)

        began = time.monotonic()
        refused = client.get("/api/v1/logs")
        pipeline, alerts = client.get("/api/v1/pipeline"), client.get("/api/v1/alerts")
        breakers = Present(store).current()  # what rules ask
        took_s = time.monotonic() - began
    poll(lambda: running(store) == 0, every_s=0.02)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queries_busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert (pipeline.status_code, alerts.status_code) == (200, 200)
    assert breakers == []
    assert took_s < SOON_S


@pytest.mark.parametrize("which", ["api", "prometheus"])
def test_a_crowd_of_readers_leaves_ingests_threads_alone(store, slow, poll, which) -> None:
    """Bodies are decompressed and probes answered in the loop's own threads: not one of them waits for ClickHouse on behalf of a reader."""
    given = parts(store, slow, bulkhead=Bulkhead(3, 40, 30))
    api: Any = build_api(given)
    path = "/v1/logs"
    if which == "prometheus":
        api, path = Prometheus(PrometheusParts(slow, FixedAlerts(), nobody_asked, bulkhead=given.bulkhead, questions=given.questions)), "/prometheus/api/v1/labels"  # fmt: skip

    async def crowd() -> float:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as asker:
            asking = [asyncio.create_task(asker.get(path)) for _ in range(30)]
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(1) as mine:
                await loop.run_in_executor(mine, partial(poll, lambda: given.bulkhead.waiting >= 20))
            began = time.monotonic()
            await asyncio.wait_for(asyncio.to_thread(lambda: None), SOON_S)
            took_s = time.monotonic() - began
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            return took_s

    took_s = asyncio.run(crowd())
    poll(lambda: running(store) == 0, every_s=0.02)

    assert took_s < SOON_S


def test_a_question_that_takes_too_long_says_what_to_narrow(store, slow, poll) -> None:
    """422, the setting, its value and the advice; nothing runs on."""
    with served(parts(store, slow, limits=QueryLimits(time_s=0.3))) as client:
        answer = client.get("/api/v1/logs")

    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "too_expensive"
    assert "0.3 s (query_timeout_s): narrow start and end" in answer.json()["error"]["message"]
    poll(lambda: running(store) == 0, within_s=SOON_S, every_s=0.02)


def test_a_body_that_ends_half_way(client, poll) -> None:
    """A client that goes away while it sends its statement leaves nothing behind; the next one is answered."""
    url = urlsplit(str(client.base_url))
    client.get("/api/v1/pipeline")
    before = threading.active_count()  # of this process, which runs other tests' servers and engine too
    for _ in range(3):
        half = socket.create_connection((str(url.hostname), int(url.port or 0)))
        half.sendall(b'POST /api/v1/sql HTTP/1.1\r\nHost: f\r\nContent-Length: 100\r\n\r\n{"query": "SEL')
        half.close()

    assert client.get("/api/v1/pipeline").status_code == 200
    poll(lambda: threading.active_count() <= before + 2)
