"""Stock clients of Loki, Elasticsearch and Splunk HEC against a running collector: nothing adapted, every line once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import cramjam
import httpx
import pytest

from collector.formats.loki import receive as loki

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(300)]

_COUNT = 40
CLIENTS = {
    "python-logging-loki-v2": """
import logging, logging_loki
handler = logging_loki.LokiHandler(url=f"{url}/loki/api/v1/push", tags={"service": service, "env": "test"}, version="1")
log = logging.getLogger("shop"); log.setLevel("INFO"); log.addHandler(handler)
for number in range(count): log.warning("line %d", number)
""",
    "loki-logger-handler": """
import logging, threading, time
from loki_logger_handler.loki_logger_handler import LokiLoggerHandler
handler = LokiLoggerHandler(url=f"{url}/loki/api/v1/push", labels={"app": service, "environment": "test"}, timeout=1)
sending, send = threading.Lock(), handler._send
def send_alone():
    with sending: send()
handler._send = send_alone  # its thread ends with the process, also in the middle of a request
log = logging.getLogger("shop"); log.setLevel("INFO"); log.addHandler(handler)
for number in range(count): log.warning("line %d", number)
deadline = time.monotonic() + 60
while not handler.buffer.empty() and time.monotonic() < deadline: time.sleep(0.1)
sending.acquire()
sending.release()
""",
    "elasticsearch bulk helpers": """
from elasticsearch import Elasticsearch, helpers
client = Elasticsearch(url)
assert client.info()["tagline"]
documents = ({"_index": "logs-shop", "_op_type": "create", "message": f"line {number}", "log.level": "warn",
              "service": {"name": service, "environment": "x"}, "env": "test"} for number in range(count))
done, errors = helpers.bulk(client, documents, chunk_size=15)
assert (done, errors) == (count, []), (done, errors)
""",
    "splunk-handler": """
import logging
from splunk_handler import SplunkHandler
host, port = url.removeprefix("http://").split(":")
handler = SplunkHandler(host=host, port=port, token="any", index="main", protocol="http", source=service, flush_interval=0.2)
log = logging.getLogger("shop"); log.setLevel("INFO"); log.addHandler(handler)
for number in range(count): log.warning("line %d", number)
handler.force_flush() if hasattr(handler, "force_flush") else None
import time; time.sleep(1); handler.shutdown()
""",
}


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any]) -> Any:
    """One collector for all clients."""
    return serve_module()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stock_client_is_understood(served: Any, poll: Callable[..., Any], client: str) -> None:
    """Every line it logs is found once, under the service that it names, with its text as body."""
    service = client.replace(" ", "-")
    begin = f"url, service, count = {served.url!r}, {service!r}, {_COUNT}\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", begin + CLIENTS[client]],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]

    rows = poll(
        lambda: (
            rows
            if len(rows := served.data("/logs", query=f'service:"{service}"', limit=200)) >= _COUNT
            else None
        )
    )

    assert sorted(row["body"].strip() for row in rows) == sorted(f"line {number}" for number in range(_COUNT))


def test_what_is_refused_is_told_item_by_item(served: Any, poll: Callable[..., Any]) -> None:
    """A bulk request's bad document is answered in its place and its neighbours are stored; the index names no service."""
    body = b'{"create":{}}\n{"message":"first","service":"bulk"}\n{"create":{}}\n{"message":\n{"index":{"_index":"own"}}\n{"message":"third","service":"bulk"}\n'

    answer = httpx.put(
        f"{served.url}/logs-a/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"}
    )

    assert (answer.status_code, answer.headers["x-elastic-product"]) == (200, "Elasticsearch")
    assert answer.json()["errors"] is True
    told = [next(iter(item.values())) for item in answer.json()["items"]]
    assert [(item["status"], item["_index"]) for item in told] == [
        (201, "logs-a"),
        (400, "logs-a"),
        (201, "own"),
    ]
    rows = poll(lambda: rows if len(rows := served.data("/logs", query="service:bulk")) >= 2 else None)
    assert {row["body"]: row["resource"]["elasticsearch.index"] for row in rows} == {
        "first": "logs-a",
        "third": "own",
    }


def test_splunks_events_need_nothing_between_them(served: Any, poll: Callable[..., Any]) -> None:
    """End to end in one body, with fields; raw lines with the query's source; health and channels are answered."""
    post = f"{served.url}/services/collector"
    events = b'{"event":"one","source":"hec-test","fields":{"user":"7"}}{"event":{"message":"two"},"source":"hec-test"}'

    answers = [
        httpx.post(f"{post}/event", content=events, headers={"X-Splunk-Request-Channel": "c1"}),
        httpx.post(f"{post}/raw?source=hec-test&host=h1", content=b"three\nfour\n"),
        httpx.post(post, content=b'{"fields":{}}'),
        httpx.get(f"{post}/health"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 400, 200]
    assert (answers[0].json()["code"], type(answers[0].json()["ackId"])) == (0, int)
    acked = httpx.post(
        f"{post}/ack?channel=c1", content=json.dumps({"acks": [answers[0].json()["ackId"]]}).encode()
    )
    assert acked.json() == {"acks": {str(answers[0].json()["ackId"]): True}}
    assert (answers[2].json()["code"], answers[2].json()["invalid-event-number"]) == (12, 0)
    rows = poll(lambda: rows if len(rows := served.data("/logs", query='service:"hec-test"')) >= 4 else None)
    assert {row["body"] for row in rows} == {"one", "two", "three", "four"}


def test_elasticsearchs_root_is_the_pages_to_a_browser(served: Any) -> None:
    """What asks for HTML gets the overview, what asks for JSON the version."""
    page = httpx.get(served.url, headers={"Accept": "text/html,*/*"}, follow_redirects=True)
    root = httpx.get(served.url, headers={"Accept": "application/json"})

    assert page.headers["content-type"].startswith("text/html")
    assert root.json()["version"]["number"].startswith("8.")
    assert root.headers["x-elastic-product"] == "Elasticsearch"


def test_promtails_push_is_understood(served: Any, poll: Callable[..., Any]) -> None:
    """Protobuf in a snappy block, without Content-Encoding: bytes to the letter of Loki's push.proto, for no such client is installable."""
    push = loki.REQUEST()
    entry = push.streams.add(labels='{app="promtail", env="test"}').entries.add(line="hello")
    entry.timestamp.seconds = int(time.time())
    entry.metadata.add(name="trace_id", value="a" * 32)
    body = bytes(cramjam.snappy.compress_raw(push.SerializeToString()))

    answers = [
        httpx.post(
            f"{served.url}/loki/api/v1/push",
            content=content,
            headers={"Content-Type": "application/x-protobuf"},
        )
        for content in (body, body, b"nonsense")
    ]

    assert [answer.status_code for answer in answers] == [204, 204, 400]
    assert answers[1].headers["fuseboard-duplicate"] == "true"
    assert answers[2].text.startswith("bad_snappy: ")
    [row] = poll(lambda: served.data("/logs", query="service:promtail"))
    assert (row["body"], row["trace_id"], row["env"]) == ("hello", "a" * 32, "test")
