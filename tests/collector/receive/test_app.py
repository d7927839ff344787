"""The ingest application end to end: HTTP in, a real journal behind it."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest
from backports import zstd
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from prometheus_client import CollectorRegistry

from collector.formats.lines.receive import PROTOCOL as LINES
from collector.formats.otlp_logs.receive import PROTOCOL as OTLP_LOGS
from collector.formats.otlp_logs_json.receive import PROTOCOL as OTLP_LOGS_JSON
from collector.formats.remote_write.receive import PROTOCOL as REMOTE_WRITE
from collector.formats.remote_write_v2.receive import PROTOCOL as REMOTE_WRITE_V2
from collector.metrics import ReceiveMetrics
from collector.receive.app import Receiver
from collector.receive.authenticate import Key, Keys
from collector.receive.decompress import Limits
from tests.collector.formats.write_requests import Request, Table, add_series
from tests.collector.journal.batches import NOW_NS, Kept, bodies

LINE = b'{"msg":"paid"}\n'
LIMITS = Limits(body_bytes=100_000, decoded_bytes=400_000)


class Site:
    """A receiver with a journal, asked as a client would."""

    def __init__(self, path: Path, keys: tuple[Key, ...] = (), max_bytes: int = 1 << 30) -> None:
        self.journal = Kept(path, max_bytes)
        self.journal.start()
        self.registry = CollectorRegistry()
        self.now_ns = NOW_NS
        self._app = Receiver(
            (LINES, OTLP_LOGS, OTLP_LOGS_JSON, REMOTE_WRITE, REMOTE_WRITE_V2),
            self.journal,
            Keys(keys),
            LIMITS,
            ReceiveMetrics(self.registry),
            lambda: self.now_ns,
        )

    def post(
        self, content: Any = LINE, path: str = "/v1/lines", method: str = "POST", **headers: str
    ) -> httpx.Response:
        """One request; header names with underscores."""
        return self.together([content], path, method, **headers)[0]

    def together(
        self, contents: list[Any], path: str = "/v1/lines", method: str = "POST", **headers: str
    ) -> list[httpx.Response]:
        """Several requests at the same time."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await asyncio.gather(
                    *(client.request(method, path, content=c, headers=named) for c in contents)
                )

        return asyncio.run(ask())

    def stored(self) -> list[bytes]:
        """Everything the journal holds, after ending it."""
        self.journal.end()
        return [body for segment in self.journal.sealed for body in bodies(segment)]

    def count(self, name: str, **labels: str) -> float | None:
        """One of the receiver's counters."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Open to everyone on this machine."""
    made = Site(tmp_path)
    yield made
    made.journal.end()


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_lines_are_journalled_and_counted(site: Site) -> None:
    """200 with bytes, lines and the batch; the head says who sent what, from where."""
    answer = site.post(
        LINE * 3,
        Fuseboard_Resource="service.name=checkout",
        Fuseboard_Source="agent=a1,path=/log,offset=0,end=45",
        Fuseboard_Format="JSON",
    )

    body = answer.json()
    assert answer.status_code == 200
    assert (body["accepted"], body["lines"], body["duplicate"]) == (45, 3, False)
    assert site.stored() == [LINE * 3]
    (record,) = site.journal.sealed[0].side.records
    assert record.batch.batch_id == body["batch"]
    assert record.batch.resource == {"service.name": "checkout"}
    assert record.batch.source == {"agent": "a1", "path": "/log", "offset": "0", "end": "45"}
    assert site.count("fuseboard_receive_records_total", format="lines") == 3
    assert site.count("fuseboard_receive_bytes_total", format="lines") == 45


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("identity", bytes), ("gzip", gzip.compress), ("zstd", zstd.compress)],
    ids=["plain", "gzip", "zstd"],
)
def test_large_and_small_bodies_take_the_same_way(site: Site, encoding: str, compress) -> None:
    """Small ones on the event loop, large ones off it, whole or in chunks."""
    small, large = LINE, os.urandom(24_000).hex().encode() + b"\n"
    for body in (small, large):
        packed = compress(body)
        assert site.post(packed, Content_Encoding=encoding).status_code == 200
        assert site.post(_chunks(packed[:5], packed[5:]), Content_Encoding=encoding).status_code == 200

    assert site.stored() == [small, small, large, large]


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        ((405, "method_not_allowed", None), {"method": "GET"}),
        ((405, "method_not_allowed", None), {"method": "PUT"}),
        ((400, "empty_body", None), {"content": b""}),
        ((400, "empty_body", None), {"content": b"\r\n\n"}),
        (
            (400, "bad_gzip", "Content-Encoding"),
            {"content": gzip.compress(LINE, mtime=0)[:-4], "Content_Encoding": "gzip"},
        ),
        ((400, "bad_zstd", "Content-Encoding"), {"content": LINE, "Content_Encoding": "zstd"}),
        ((415, "unsupported_encoding", "Content-Encoding"), {"Content_Encoding": "br"}),
        ((400, "bad_header", "Fuseboard-Resource"), {"Fuseboard_Resource": "checkout"}),
        ((400, "bad_header", "Fuseboard-Source"), {"Fuseboard_Source": "x"}),
        ((400, "bad_header", "Fuseboard-Format"), {"Fuseboard_Format": "morse"}),
        ((400, "bad_header", "Fuseboard-Scraped-At"), {"Fuseboard_Scraped_At": "now"}),
        ((400, "bad_header", "Idempotency-Key"), {"Idempotency_Key": "k" * 257}),
        ((413, "body_too_large", None), {"content": b"x" * 100_001}),
        (
            (413, "body_too_large", None),
            {"content": gzip.compress(b"x" * 400_001, mtime=0), "Content_Encoding": "gzip"},
        ),
    ],
    ids=str,
)
def test_bad_input_is_refused_and_nothing_is_kept(
    site: Site, expected: tuple, request_: dict[str, Any]
) -> None:
    """The contract's status and error body, a counter by code, and an empty journal."""
    answer = site.post(**request_)

    status, code, _ = expected
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == expected
    assert set(error) == {"type", "code", "message", "param", "request_id"}
    assert answer.headers["x-request-id"] == error["request_id"]
    assert site.count("fuseboard_receive_errors_total", format="lines", code=code) == 1
    assert site.stored() == []
    if status == 405:
        assert answer.headers["allow"] == "POST"


def test_a_body_of_unknown_length_is_stopped_at_the_limit(site: Site) -> None:
    """A chunked body is refused as soon as it is over, not after it has been read to its end."""
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(10_000):
            sent.append(number)
            yield b"x" * 10_000

    answer = site.post(endless())

    assert answer.status_code == 413
    assert len(sent) <= 12
    assert site.stored() == []


def test_otlp_answers_in_protobuf(site: Site) -> None:
    """An empty request is a success without a batch; errors are a google.rpc.Status that begins with our code."""
    empty = site.post(b"", "/v1/logs", Content_Type="application/x-protobuf")
    broken = site.post(b"\x0a\xff", "/v1/logs", Content_Type="application/x-protobuf; charset=utf-8")
    wrong_type = site.post(b"", "/v1/logs", Content_Type="text/plain")

    assert (empty.status_code, empty.content, empty.headers["content-type"]) == (
        200,
        b"",
        "application/x-protobuf",
    )
    assert (broken.status_code, broken.headers["content-type"]) == (400, "application/x-protobuf")
    assert broken.content.startswith(b"\x08\x03\x12")
    assert b"bad_protobuf: " in broken.content
    assert (wrong_type.status_code, wrong_type.json()["error"]["code"]) == (415, "unsupported_content_type")
    assert site.stored() == []


def test_the_content_type_chooses_between_the_protocols_of_a_path(site: Site) -> None:
    """JSON is answered in JSON and kept as it came; what neither speaks is told what both do."""
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}'

    good = site.post(body, "/v1/logs", Content_Type="application/json; charset=utf-8")
    bad = site.post(b'{"resourceLogs":5}', "/v1/logs", Content_Type="application/json")
    neither = site.post(body, "/v1/logs", Content_Type="text/json")

    assert (good.status_code, good.content, good.headers["content-type"]) == (200, b"{}", "application/json")
    assert (bad.status_code, bad.json()["code"]) == (400, 3)
    assert bad.json()["message"].startswith("bad_json: ")
    assert "application/x-protobuf or application/json" in neither.json()["error"]["message"]
    assert site.stored() == [body]


def test_remote_write_is_snappy_unless_it_says_otherwise(site: Site) -> None:
    """204 without a body; the type may name its message, another message or encoding is a 415, bad data a line of text."""
    request = Request()
    add_series(request, "up").samples.add(value=1, timestamp=5)
    body = request.SerializeToString()
    block = bytes(cramjam.snappy.compress_raw(body))

    def post(content: bytes, kind: str = "application/x-protobuf", **headers: str) -> httpx.Response:
        return site.post(content, "/api/v1/write", Content_Type=kind, **headers)

    good = [
        post(block),
        post(block, 'application/x-protobuf; proto="prometheus.WriteRequest"', Content_Encoding="snappy"),
        post(zstd.compress(body), Content_Encoding="zstd"),
    ]
    bad = [post(block[:-1]), post(bytes(cramjam.snappy.compress_raw(b"\x0a\xff")))]
    other = [
        post(block, "application/json"),
        post(block, "application/x-protobuf;proto=other.Message"),
        post(block, ""),
        post(block, Content_Encoding="br"),
    ]

    assert [(answer.status_code, answer.content, "content-length" in answer.headers) for answer in good] == [
        (204, b"", False)
    ] * 3
    assert [answer.headers.get("fuseboard-duplicate") for answer in good] == [None, "true", "true"]
    assert [(answer.status_code, answer.text.partition(":")[0]) for answer in bad] == [
        (400, "bad_snappy"),
        (400, "bad_protobuf"),
    ]
    assert [answer.status_code for answer in other] == [415] * 4
    assert site.stored() == [body]


def test_remote_write_2_says_what_was_written(site: Site) -> None:
    """Its content type chooses it; a repeat is told the same, a refusal says the code."""
    table = Table()
    table.series("up").samples.add(value=1, timestamp=5)
    block = bytes(cramjam.snappy.compress_raw(table.body()))
    wrong = bytes(cramjam.snappy.compress_raw(b"\x22\x00\x2a\x04\x0a\x02\x00\x09"))

    def post(content: bytes) -> httpx.Response:
        kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        return site.post(content, "/api/v1/push", Content_Type=kind, Content_Encoding="snappy")

    answers = [post(block), post(block)]
    refused = post(wrong)

    told = [
        [
            answer.headers[f"X-Prometheus-Remote-Write-{kind}-Written"]
            for kind in ("Samples", "Histograms", "Exemplars")
        ]
        for answer in answers
    ]
    assert ([answer.status_code for answer in answers], told) == ([204, 204], [["1", "0", "0"]] * 2)
    assert answers[1].headers["fuseboard-duplicate"] == "true"
    assert (refused.status_code, refused.text.partition(":")[0]) == (400, "bad_symbols")
    assert site.stored() == [table.body()]


def test_a_declared_repeat_gets_the_first_answer(site: Site) -> None:
    """With ``Fuseboard-Duplicate: true``, however it is compressed this time; stored once."""
    first = site.post(LINE, Idempotency_Key="k1")
    repeat = site.post(gzip.compress(LINE), Idempotency_Key="k1", Content_Encoding="gzip")

    assert repeat.status_code == 200
    assert repeat.headers["fuseboard-duplicate"] == "true"
    assert "fuseboard-duplicate" not in first.headers
    assert repeat.json() == {**first.json(), "duplicate": True}
    assert site.count("fuseboard_receive_deduplicated_batches_total", format="lines") == 1
    assert site.stored() == [LINE]


def test_the_same_key_with_another_body_is_a_conflict(site: Site) -> None:
    """409 ``idempotency_mismatch``; the first stays, and so does its answer."""
    site.post(LINE, Idempotency_Key="k1")

    answer = site.post(b"other\n", Idempotency_Key="k1")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_mismatch")
    assert answer.json()["error"]["param"] == "Idempotency-Key"
    assert site.post(LINE, Idempotency_Key="k1").json()["duplicate"]
    assert site.stored() == [LINE]


def test_concurrent_repeats_are_stored_once(site: Site) -> None:
    """Twenty times at once: one is the first, the others say they are not."""
    answers = site.together([LINE] * 20, Idempotency_Key="k1")

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 19
    assert len({answer.json()["batch"] for answer in answers}) == 1
    assert site.stored() == [LINE]


def test_the_same_plain_lines_twice_are_two_blocks(site: Site) -> None:
    """Lines carry no identity of their own: without a key, nothing is taken for a retry."""
    site.post(LINE)
    site.post(LINE)

    assert site.stored() == [LINE, LINE]


def test_an_otlp_body_is_a_repeat_for_five_minutes(site: Site) -> None:
    """Records that carry the client's own time: byte-identical means a retry, until it does not."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW_NS)
    body = request.SerializeToString()
    flags = []
    for minutes in (0, 4.9, 5.1):
        site.now_ns = NOW_NS + int(minutes * 60e9)
        answer = site.post(
            gzip.compress(body), "/v1/logs", Content_Type="application/x-protobuf", Content_Encoding="gzip"
        )
        flags.append(answer.headers.get("fuseboard-duplicate"))

    assert flags == [None, "true", None]
    assert site.stored() == [body, body]


def test_keys_are_asked_before_anything_else(tmp_path: Path) -> None:
    """401 and 403 for who may not write; a bound key's services stand in the head for the mapping to compare."""
    site = Site(
        tmp_path, (Key("agent", "w", services=("checkout",)), Key("eye", "r", "read"), Key("sdk", "o"))
    )
    answers = [
        site.post(),
        site.post(Authorization="Bearer x"),
        site.post(Authorization="Bearer r"),
        site.post(Authorization="Bearer w", Fuseboard_Resource="service.name=payment"),
        site.post(Authorization="Bearer w", Fuseboard_Resource="service.name=checkout"),
    ]

    codes = [answer.json().get("error", {}).get("code") for answer in answers]
    assert codes == ["key_missing", "key_unknown", "key_role", "key_service", None]
    assert [answer.status_code for answer in answers] == [401, 401, 403, 403, 200]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert site.stored() == [LINE]
    assert site.journal.sealed[0].side.records[0].batch.key_id == "agent"


def test_identities_of_different_keys_do_not_meet(tmp_path: Path) -> None:
    """Two clients that chose the same Idempotency-Key are two clients."""
    site = Site(tmp_path, (Key("one", "1"), Key("two", "2")))
    answers = [site.post(LINE, Authorization=f"Bearer {key}", Idempotency_Key="k") for key in "12"]

    assert [answer.json()["duplicate"] for answer in answers] == [False, False]
    assert site.stored() == [LINE, LINE]


def test_a_full_journal_refuses_before_it_reads(tmp_path: Path) -> None:
    """429 with Retry-After, and not one byte of the body is asked for."""
    site = Site(tmp_path, max_bytes=1)
    site.post(LINE)
    asked = []

    async def body() -> AsyncIterator[bytes]:
        asked.append(True)
        yield LINE

    answer = site.post(body())

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert answer.json()["error"]["code"] == "journal_full"
    assert answer.json()["error"]["type"] == "no_room"
    assert asked == []
    assert site.stored() == [LINE]
