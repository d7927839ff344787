"""The relay: what it takes, what it refuses, and that 200 means durable."""

import gzip
import http.client
import json
import zlib
from urllib.parse import urlsplit

import pytest
from backports import zstd
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

TYPE = "application/x-protobuf"


def spans(number=1):
    """A request with one span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.name = f"span {number}"
    span.trace_id, span.span_id = b"t" * 16, b"s" * 8
    span.start_time_unix_nano = 1_790_000_000_000_000_000 + number
    return request.SerializeToString()


def post(address, path, body, method="POST", **headers):
    """Send one request; (status, headers, body)."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, names)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.fixture
def relay(agent, collector):
    """The address of a running relay."""
    agent.start(
        f'collector = "{collector.url}"\n[resource]\n"service.name" = "checkout"\n'
        '[relay]\nlisten = "127.0.0.1:0"\nmax_body_bytes = 100000\n'
    )
    return agent.relay()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstd.compress),
    ],
)
def test_otlp_passes_as_the_bytes_it_is(relay, collector, wait_for, encoding, encode):
    """Whatever the encoding, the collector gets the client's bytes with their type and with whose they are."""
    status, headers, answer = post(
        relay, "/v1/traces", encode(spans()), Content_Type=TYPE, Content_Encoding=encoding
    )
    wait_for(lambda: bool(collector.of("/v1/traces")), "the spans")

    request = collector.of("/v1/traces")[0]
    assert (status, headers["Content-Type"]) == (200, TYPE)
    assert ExportTraceServiceResponse.FromString(answer) == ExportTraceServiceResponse()
    assert request.body == spans()
    assert request.headers["content-type"] == TYPE
    assert request.headers["fuseboard-resource"].startswith("service.name=checkout")
    assert "kind=relay" in request.headers["fuseboard-source"]


def test_a_retry_of_the_same_spans_is_one_block(relay, collector, wait_for):
    """An SDK that lost the answer and sends again does not double its spans; other spans are another block."""
    for number in (1, 1, 2):
        assert post(relay, "/v1/traces", spans(number), Content_Type=TYPE)[0] == 200
    wait_for(lambda: len(collector.attempts) >= 3 and len(collector.of("/v1/traces")) == 2, "two blocks")

    assert {request.body for request in collector.of("/v1/traces")} == {spans(1), spans(2)}
    assert collector.conflicts == []


def test_accepted_is_durable(relay, agent, collector, wait_for):
    """After 200 and kill -9 the block is there and is shipped by the next agent."""
    collector.script = lambda _path, _number: (503, {})

    status = post(relay, "/v1/traces", spans(), Content_Type=TYPE)[0]
    agent.kill()
    collector.script = lambda _path, _number: None
    agent.start()

    wait_for(lambda: bool(collector.of("/v1/traces")), "the spans")
    assert status == 200
    assert collector.of("/v1/traces")[0].body == spans()


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (b'{"breaker":"payment","to":"open"}', 1),
        (b'[{"breaker":"payment","to":"open"},{"breaker":"payment","to":"closed"}]', 2),
        (b'{"breaker":"payment","to":"open"}\n{"breaker":"payment","to":"closed"}\n', 2),
    ],
)
def test_transitions_pass_through(relay, collector, wait_for, body, accepted):
    """One object, an array, or one per line; the same transition twice is two."""
    first = post(relay, "/v1/breakers", body, Content_Type="application/json")
    post(relay, "/v1/breakers", body, Content_Type="application/json")
    wait_for(lambda: len(collector.of("/v1/breakers")) == 2, "both posts")

    assert (first[0], json.loads(first[2])) == (200, {"accepted": accepted})
    assert collector.of("/v1/breakers")[0].body == body


BAD = [
    ("POST", "/v1/traces", b"x" * 200_000, {"Content_Type": TYPE}, 413, "100000"),
    (
        "POST",
        "/v1/traces",
        gzip.compress(b"x" * 200_000),
        {"Content_Type": TYPE, "Content_Encoding": "gzip"},
        413,
        "",
    ),
    (
        "POST",
        "/v1/traces",
        zstd.compress(b"x" * 200_000),
        {"Content_Type": TYPE, "Content_Encoding": "zstd"},
        413,
        "",
    ),
    (
        "POST",
        "/v1/traces",
        gzip.compress(spans())[:-4],
        {"Content_Type": TYPE, "Content_Encoding": "gzip"},
        400,
        "early",
    ),
    ("POST", "/v1/traces", b"no gzip", {"Content_Type": TYPE, "Content_Encoding": "gzip"}, 400, "gzip"),
    (
        "POST",
        "/v1/traces",
        zstd.compress(spans())[:-2],
        {"Content_Type": TYPE, "Content_Encoding": "zstd"},
        400,
        "zstd",
    ),
    ("POST", "/v1/traces", spans(), {"Content_Type": TYPE, "Content_Encoding": "br"}, 415, "'br'"),
    ("POST", "/v1/traces", b"", {"Content_Type": TYPE}, 400, "empty"),
    ("POST", "/v1/traces", b"a=b", {"Content_Type": "text/plain"}, 415, "text/plain"),
    ("POST", "/v1/traces", b"{", {"Content_Type": "application/json"}, 400, "JSON"),
    ("POST", "/v1/breakers", b'{"to":"open"}', {"Content_Type": "application/json"}, 400, "breaker"),
    ("POST", "/v1/breakers", b'[{"breaker":"a","to":1}]', {"Content_Type": "application/json"}, 400, "'to'"),
    ("POST", "/v1/breakers", b"no", {"Content_Type": "application/json"}, 400, "JSON"),
    ("POST", "/v1/nothing", b"x", {"Content_Type": TYPE}, 404, "/v1/nothing"),
    ("GET", "/v1/traces", None, {}, 405, "POST"),
    ("DELETE", "/v1/traces", None, {}, 405, "POST"),
    ("POST", "/v1/traces", spans(), {"Content_Type": TYPE, "Host": "evil.example"}, 403, "evil.example"),
    (
        "POST",
        "/v1/traces",
        spans(),
        {"Content_Type": TYPE, "Origin": "https://evil.example"},
        403,
        "evil.example",
    ),
    (
        "POST",
        "/v1/traces",
        spans(),
        {"Content_Type": TYPE, "Sec_Fetch_Site": "cross-site"},
        403,
        "cross-site",
    ),
    ("POST", "/v1/traces", spans(), {"Content_Type": TYPE, "Content_Length": "x"}, 400, "'x'"),
    (
        "POST",
        "/v1/traces",
        b"zz\r\n",
        {"Content_Type": TYPE, "Transfer_Encoding": "chunked"},
        400,
        "hexadecimal",
    ),
]


def test_bad_requests_are_refused_with_the_contracts_status(relay, agent, collector):
    """Each kind of bad input: its status, a sentence that quotes it, nothing stored, no stack trace, and we go on."""
    for method, path, body, headers, status, said in BAD:
        got, answer_headers, answer = post(relay, path, body, method, **headers)

        assert (method, path, got) == (method, path, status)
        assert said.encode() in answer
        if answer_headers["Content-Type"] == "application/json":
            assert json.loads(answer)["error"].keys() == {"type", "code", "message", "param", "request_id"}

    assert post(relay, "/v1/traces", spans(), Content_Type=TYPE)[0] == 200
    assert agent.terminate() == 0
    assert len(collector.taken) == 1
    assert "Traceback" not in agent.log.read_text()


def test_chunked_bodies_are_taken(relay, collector, wait_for):
    """Go and Node exporters may send chunks; the body is put together."""
    body = spans()
    chunks = b"%x\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])

    status = post(relay, "/v1/traces", chunks, Content_Type=TYPE, Transfer_Encoding="chunked")[0]

    wait_for(lambda: bool(collector.of("/v1/traces")), "the spans")
    assert status == 200
    assert collector.of("/v1/traces")[0].body == body


def test_a_full_spool_is_429_with_retry_after(agent, collector):
    """The service is never blocked: it is told to come again."""
    collector.script = lambda _path, _number: (503, {})
    agent.start(
        f'collector = "{collector.url}"\n[relay]\nlisten = "127.0.0.1:0"\n[spool]\nmax_bytes = 65536\n'
    )
    address = agent.relay()
    statuses = []
    for number in range(400):
        status, headers, _ = post(address, "/v1/traces", spans(number), Content_Type=TYPE)
        statuses.append(status)
        if status == 429:
            break

    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert int(headers["Retry-After"]) >= 1


def test_the_stock_sdk_exports_through_the_relay(relay, collector, wait_for):
    """OpenTelemetry's own HTTP exporter, unmodified, is satisfied by the relay's answers."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{relay}/v1/traces")))
    with provider.get_tracer("test").start_as_current_span("stock"):
        pass
    provider.shutdown()

    wait_for(lambda: bool(collector.of("/v1/traces")), "the span")
    request = ExportTraceServiceRequest.FromString(collector.of("/v1/traces")[0].body)
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "stock"
