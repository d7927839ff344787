"""What loggers write -> rows of `logs`: one table of shapes, loaded as one segment into a real engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.load.yard import LINES, Yard
from tests.collector.real_engine import engine_at

RECEIVED_NS = 1_795_383_000_123_456_789  # 2026-11-22T21:30:00.123456789Z
RECEIVED = "2026-11-22T21:30:00.123456789Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Shape:
    """One line, the columns it must become, and everything else of it."""

    name: str
    line: bytes
    attributes: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)


def _row(body: str, at: str = RECEIVED, severity: str = "", **columns: Any) -> dict[str, Any]:
    return {"body": body, "occurred_at": at, "severity": severity, **columns}


AT = "2026-11-22T21:29:59.500000000Z"
SHAPES = [
    Shape(
        "structlog",
        f'{{"event": "paid", "level": "warning", "timestamp": "2026-11-22T21:29:59.5Z", "order": "o-1", "trace_id": "{TRACE}", "span_id": "{SPAN}"}}'.encode(),
        {"order": "o-1"},
        _row("paid", AT, "warn", trace_id=TRACE, span_id=SPAN, severity_number=13),
    ),
    Shape(
        "pino",
        b'{"level":50,"time":1795382999500,"pid":7,"hostname":"web-1","msg":"boom"}',
        {"pid": "7"},
        _row("boom", AT, "error", host="web-1"),
    ),
    Shape(
        "bunyan",
        b'{"name":"app","hostname":"h","pid":1,"level":30,"msg":"up","time":"2026-11-22T21:29:59.500Z","v":0}',
        {"name": "app", "pid": "1", "v": "0"},
        _row("up", AT, "info", host="h"),
    ),
    Shape(
        "zap",
        b'{"level":"dpanic","ts":1795382999.5,"caller":"a/b.go:12","msg":"bad","stacktrace":"x\\ny"}',
        {"caller": "a/b.go:12", "stacktrace": "x\ny"},
        _row("bad", AT, "fatal"),
    ),
    Shape(
        "zerolog in microseconds",
        b'{"level":"info","time":1795382999500000,"message":"m"}',
        {},
        _row("m", AT, "info"),
    ),
    Shape(
        "nanoseconds",
        b'{"ts":1795382999500000001,"msg":"m"}',
        {},
        _row("m", "2026-11-22T21:29:59.500000001Z"),
    ),
    Shape("whole seconds", b'{"ts":1795382999,"msg":"m"}', {}, _row("m", "2026-11-22T21:29:59.000000000Z")),
    Shape(
        "python-json-logger",
        b'{"asctime":"2026-11-22 21:29:59,500","levelname":"CRITICAL","message":"m","name":"root"}',
        {"name": "root"},
        _row("m", AT, "fatal"),
    ),
    Shape("offset", b'{"time":"2026-11-22T22:29:59.5+01:00","msg":"m"}', {}, _row("m", AT)),
    Shape(
        "ECS dotted",
        f'{{"@timestamp":"2026-11-22T21:29:59.500Z","log.level":"INFO","message":"m","service.name":"cart","trace.id":"{TRACE}","span.id":"{SPAN}","ecs.version":"1.6.0"}}'.encode(),
        {"ecs.version": "1.6.0"},
        _row("m", AT, "info", service="cart", trace_id=TRACE, span_id=SPAN),
    ),
    Shape(
        "ECS nested",
        f'{{"@timestamp":"2026-11-22T21:29:59.500Z","log":{{"level":"WARN","logger":"c.d"}},"message":"m","service":{{"name":"cart"}},"trace":{{"id":"{TRACE}"}},"error":{{"stack_trace":"a\\n\\tb"}}}}'.encode(),
        {"log.logger": "c.d", "error.stack_trace": "a\n\tb"},
        _row("m", AT, "warn", service="cart", trace_id=TRACE),
    ),
    Shape(
        "Serilog compact",
        f'{{"@t":"2026-11-22T21:29:59.5Z","@mt":"Paid {{Order}}","@l":"Error","@x":"Boom: at","@tr":"{TRACE}","@sp":"{SPAN}","Order":7}}'.encode(),
        {"Order": "7", "@x": "Boom: at"},
        _row("Paid {Order}", AT, "error", trace_id=TRACE, span_id=SPAN),
    ),
    Shape(
        "logback camel case",
        f'{{"timestamp":"2026-11-22T21:29:59.5Z","level":"TRACE","message":"m","traceId":"{TRACE}","spanId":"{SPAN}","thread":"main"}}'.encode(),
        {"thread": "main"},
        _row("m", AT, "trace", trace_id=TRACE, span_id=SPAN),
    ),
    Shape(
        "logfmt",
        b'time=2026-11-22T21:29:59.5Z level=error msg="could not \\"pay\\"" order=o-1 empty= path=/a/b',
        {"order": "o-1", "path": "/a/b", "empty": ""},
        _row('could not "pay"', AT, "error"),
    ),
    Shape(
        "CRI around JSON",
        b'2026-11-22T21:29:59.5Z stdout F {"level":"info","msg":"m","n":1}',
        {"n": "1"},
        _row("m", AT, "info"),
    ),
    Shape("CRI around text", b"2026-11-22T21:29:59.5Z stderr F plain text", {}, _row("plain text", AT)),
    Shape(
        "docker json-file",
        b'{"log":"{\\"level\\":\\"debug\\",\\"msg\\":\\"m\\"}\\n","stream":"stdout","time":"2026-11-22T21:29:59.5Z"}',
        {},
        _row("m", AT, "debug"),
    ),
    Shape(
        "docker around text",
        b'{"log":"hello\\n","stream":"stderr","time":"2026-11-22T21:29:59.5Z"}',
        {},
        _row("hello", AT),
    ),
    Shape("plain text", "Grüße aus Köln — 100%".encode(), {}, _row("Grüße aus Köln — 100%")),
    Shape("broken JSON", b'{"msg":"cut of', {}, _row('{"msg":"cut of')),
    Shape("a JSON array", b"[1,2]", {}, _row("[1,2]")),
    Shape("a JSON number", b"42", {}, _row("42")),
    Shape("an empty object", b"{}", {}, _row("{}")),
    Shape("spaces", b"   ", {}, _row("   ")),
    Shape("CRLF", b'{"msg":"m"}\r', {}, _row("m")),
    Shape("NUL bytes", b"a\x00b", {}, _row("a\x00b")),
    Shape("invalid UTF-8", b"caf\xe9 \xff", {}, _row("caf\ufffd \ufffd")),
    Shape(
        "nested objects and arrays",
        b'{"msg":"m","http":{"request":{"method":"GET","headers":{"a":["x",{"y":1.50}]}},"n":1},"tags":["a","b"],"none":[],"void":{}}',
        {
            "http.request.method": "GET",
            "http.request.headers.a": '["x",{"y":1.50}]',
            "http.n": "1",
            "tags": '["a","b"]',
            "none": "[]",
            "void": "{}",
        },
        _row("m"),
    ),
    Shape(
        "numbers keep their text",
        b'{"msg":"m","a":1.50,"b":1e3,"c":123456789012345678901234567890,"d":-0.0,"e":0,"f":3.14,"g":0.1234567890123456789,"h":{"i":2.0}}',
        {
            "a": "1.50",
            "b": "1e3",
            "c": "123456789012345678901234567890",
            "d": "-0.0",
            "e": "0",
            "f": "3.14",
            "g": "0.1234567890123456789",
            "h.i": "2.0",
        },
        _row("m"),
    ),
    Shape(
        "twenty digits alone",
        b'{"msg":"m","id":12345678901234567890}',
        {"id": "12345678901234567890"},
        _row("m"),
    ),
    Shape(
        "a decimal in an array alone",
        b'{"msg":"m","a":[7,1.50],"b":"c"}',
        {"a": "[7,1.50]", "b": "c"},
        _row("m"),
    ),
    Shape("a decimal behind spaces", b'{"msg" : "m", "a" :  2.50}', {"a": "2.50"}, _row("m")),
    Shape(
        "keys of which only one becomes the column",
        b'{"msg":"m","event":"e","trace_id":"0","severity":"odd","level":"warn"}',
        {"event": "e", "trace_id": "0", "severity": "odd", "level": "warn"},
        _row("m"),
    ),
    Shape("an exponent alone", b'{"msg":"m","x":1E-7}', {"x": "1E-7"}, _row("m")),
    Shape(
        "a number like text",
        b'{"msg":"at 1.50, 1e3 and 007","zip":"00750"}',
        {"zip": "00750"},
        _row("at 1.50, 1e3 and 007"),
    ),
    Shape(
        "text that looks like structure",
        b'{"msg":"x: {y: 1.50} \\"q\\" \\\\ ","deep":{"s":"a:1.50,{\\"k\\":null}"},"n":1.50}',
        {"deep.s": 'a:1.50,{"k":null}', "n": "1.50"},
        _row('x: {y: 1.50} "q" \\ '),
    ),
    Shape(
        "null, empty, false, zero",
        b'{"msg":"m","a":null,"b":"","c":false,"d":0,"e":true}',
        {"a": "null", "b": "", "c": "false", "d": "0", "e": "true"},
        _row("m"),
    ),
    Shape(
        "booleans without null",
        b'{"msg":"m","c":false,"e":true,"b":""}',
        {"c": "false", "e": "true", "b": ""},
        _row("m"),
    ),
    Shape(
        "every spelling at once",
        b'{"timestamp":"2026-11-22T21:29:59.5Z","time":"later","message":"m","msg":"other","level":"info","severity":"error"}',
        {"time": "later", "msg": "other", "severity": "error"},
        _row("m", AT, "info"),
    ),
    Shape("an unknown level", b'{"level":"loud","msg":"m"}', {"level": "loud"}, _row("m")),
    Shape(
        "a known key that is an object", b'{"event":{"kind":"x"},"msg":"m"}', {"event.kind": "x"}, _row("m")
    ),
    Shape(
        "long ago",
        b'{"time":"2020-01-01T00:00:00Z","msg":"m"}',
        {"fuseboard.original_time": "2020-01-01T00:00:00Z"},
        _row("m"),
    ),
    Shape(
        "in an hour",
        b'{"time":"2026-11-22T22:30:00Z","msg":"m"}',
        {"fuseboard.original_time": "2026-11-22T22:30:00Z"},
        _row("m"),
    ),
    Shape(
        "in a minute",
        b'{"time":"2026-11-22T21:31:00Z","msg":"m"}',
        {},
        _row("m", "2026-11-22T21:31:00.000000000Z"),
    ),
    Shape(
        "another's service",
        b'{"service":"payment","env":"prod","msg":"m"}',
        {"fuseboard.service_overridden": "payment", "fuseboard.env_overridden": "prod"},
        _row("m", service="checkout", env="dev"),
        {"services": ("checkout", "cart"), "envs": ("dev",)},
    ),
    Shape(
        "its own service",
        b'{"service":"cart","env":"dev","msg":"m"}',
        {},
        _row("m", service="cart", env="dev"),
        {"services": ("checkout", "cart"), "envs": ("dev",)},
    ),
    Shape(
        "service from the resource",
        b"m",
        {},
        _row("m", service="cart", env="eu"),
        {"resource": {"service.name": "cart", "deployment.environment": "eu"}},
    ),
    Shape(
        "deeper than four levels",
        b'{"msg":"m","a":{"b":{"c":{"d":{"e":{"f":1.50}}}}},"n":null}',
        {"a.b.c.d": '{"e":{"f":1.50}}', "n": "null"},
        _row("m"),
    ),
    Shape("the same key twice", b'{"msg":"m","k":"a","k":"b"}', {"k": "b"}, _row("m")),
    Shape(
        "the same key twice, rewritten",
        b'{"msg":"m","k":"a","k":"b","n":null}',
        {"k": "b", "n": "null"},
        _row("m"),
    ),
    Shape("dotted and nested", b'{"msg":"m","a.b":"x","a":{"c":"y"}}', {"a.b": "x", "a.c": "y"}, _row("m")),
    Shape(
        "unusual keys",
        '{"msg":"m","größe":"x","a \\"b\\"":"y","":"z"}'.encode(),
        {"größe": "x", 'a "b"': "y", "": "z"},
        _row("m"),
    ),
    Shape(
        "unusual keys, rewritten",
        '{"msg":"m","größe":1.50,"a \\"b\\"":"y"}'.encode(),
        {"größe": "1.50", 'a "b"': "y"},
        _row("m"),
    ),
    Shape(
        "escapes", b'{"msg":"a\\u00e9\\ud83d\\ude00\\/\\t","x":"\\u0001b"}', {"x": "\x01b"}, _row("aé😀/\t")
    ),
    Shape(
        "escapes, rewritten",
        b'{"msg":"a\\u00e9\\ud83d\\ude00\\/\\t","n":1.50}',
        {"n": "1.50"},
        _row("aé😀/\t"),
    ),
    Shape(
        "control bytes in text",
        b'{"msg":"a\x7fb","n":1.50,"s":"1.50"}',
        {"n": "1.50", "s": "1.50"},
        _row("a\x7fb"),
    ),
    Shape(
        "spaces around",
        b'{ "msg" : "m" , "n" : 1.50 , "o" : { "p" : null } }',
        {"n": "1.50", "o.p": "null"},
        _row("m"),
    ),
    Shape(
        "GELF",
        b'{"version":"1.1","host":"h","short_message":"m","timestamp":1795382999.5,"_user":"u"}',
        {"version": "1.1", "_user": "u"},
        _row("m", AT, host="h"),
    ),
    Shape(
        "a trace id in capitals",
        f'{{"msg":"m","trace_id":"{TRACE.upper()}"}}'.encode(),
        {},
        _row("m", trace_id=TRACE),
    ),
    Shape(
        "a trace id that is none",
        b'{"msg":"m","trace_id":"n/a"}',
        {"trace_id": "n/a"},
        _row("m", trace_id=""),
    ),
    Shape(
        "a time that is none", b'{"msg":"m","time":"soon"}', {"fuseboard.original_time": "soon"}, _row("m")
    ),
    Shape(
        "a time of the wrong kind",
        b'{"msg":"m","time":{"a":1},"ts":true}',
        {"time.a": "1", "fuseboard.original_time": "true"},
        _row("m"),
    ),
    Shape(
        "the last moment of time",
        b'{"msg":"m","ts":99999999999999999999}',
        {"fuseboard.original_time": "99999999999999999999"},
        _row("m"),
    ),
    Shape(
        "the year 9999",
        b'{"msg":"m","time":"9999-12-31T23:59:59Z"}',
        {"fuseboard.original_time": "9999-12-31T23:59:59Z"},
        _row("m"),
    ),
    Shape(
        "text with equals signs",
        b"retry count=3 of max=5 reached",
        {},
        _row("retry count=3 of max=5 reached"),
    ),
    Shape("a query string", b"GET /x?a=1&b=2", {}, _row("GET /x?a=1&b=2")),
    Shape("an empty message", b'{"msg":"","level":"info"}', {}, _row("", severity="info")),
    Shape(
        "nulls for everything known",
        b'{"msg":"m","trace_id":null,"span_id":"0","service":null,"env":null,"host":null,"level":null}',
        {
            "trace_id": "null",
            "span_id": "0",
            "service": "null",
            "env": "null",
            "host": "null",
            "level": "null",
        },
        _row("m", trace_id="", span_id="", service="cart", host=""),
        {"resource": {"service.name": "cart"}},
    ),
    Shape("declared as text", b'{"msg":"m"}', {}, _row('{"msg":"m"}'), {"format": "text"}),
    Shape("declared as logfmt", b"a=1 b=2", {"a": "1", "b": "2"}, _row("a=1 b=2"), {"format": "logfmt"}),
    Shape(
        "syslog, RFC 5424",
        b"<34>1 2026-11-22T21:29:59.5Z web-1 su 77 ID47 "
        rb'[exampleSDID@32473 iut="3" source="Appli\"cation\]"][x y="z"] '
        b"\xef\xbb\xbf'su root' failed",
        {
            "syslog.facility": "auth",
            "syslog.procid": "77",
            "syslog.msgid": "ID47",
            "x.y": "z",
            "exampleSDID@32473.iut": "3",
            "exampleSDID@32473.source": 'Appli"cation]',
        },
        _row("'su root' failed", AT, "fatal", service="su", host="web-1"),
        {"resource": {"service.name": "declared"}},
    ),
    Shape(
        "syslog around JSON",
        b'<14>1 - - app - - - {"msg":"inner","level":"warn","service":"own","n":1.50}',
        {"syslog.severity": "info", "syslog.facility": "user", "syslog.appname": "app", "n": "1.50"},
        _row("inner", severity="warn", service="own"),
    ),
    Shape(
        "syslog, RFC 3164",
        b"<13>Nov 22 21:29:59 web-1 app[12]: a message: with a colon",
        {"syslog.facility": "user", "syslog.procid": "12"},
        _row(
            "a message: with a colon", "2026-11-22T21:29:59.000000000Z", "info", service="app", host="web-1"
        ),
    ),
    Shape(
        "syslog, RFC 3164 without a host",
        b"<11>Nov  2 21:29:59 app: hello",
        {"syslog.facility": "user"},
        _row("hello", "2026-11-02T21:29:59.000000000Z", "error", service="app", host=""),
    ),
    Shape(
        "syslog, RFC 3164 of last year",
        b"<13>Dec 31 23:59:59 web-1 app: late",
        {"syslog.facility": "user", "fuseboard.original_time": "2025 Dec 31 23:59:59"},
        _row("late", severity="info", service="app"),
    ),
    Shape(
        "syslog with a whole time",
        b"<191>2026-11-22T22:29:59.5+01:00 web-1 app: hello",
        {"syslog.facility": "local7"},
        _row("hello", AT, "debug", service="app"),
    ),
    Shape(
        "a line of /var/log/syslog",
        b"Nov 22 21:29:59 web-1 sshd[812]: Accepted publickey",
        {"syslog.procid": "812"},
        _row("Accepted publickey", "2026-11-22T21:29:59.000000000Z", service="sshd", host="web-1"),
    ),
    Shape(
        "a priority alone, declared as syslog",
        b"<34>hello: x",
        {"syslog.facility": "auth"},
        _row("hello: x", severity="fatal"),
        {"format": "syslog"},
    ),
    Shape("not quite syslog", b"<34>hello", {}, _row("<34>hello")),
    Shape(
        "syslog, declared as text",
        b"<13>Nov 22 21:29:59 h app: x",
        {},
        _row("<13>Nov 22 21:29:59 h app: x"),
        {"format": "text"},
    ),
    Shape(
        "klog",
        b"W1122 21:29:59.500000   12345 server.go:123] slow answer",
        {"thread.id": "12345", "code.file.path": "server.go", "code.line.number": "123"},
        _row("slow answer", AT, "warn"),
    ),
    Shape(
        "an access log in the combined format",
        b'10.0.0.1 - frank [22/Nov/2026:22:29:59 +0100] "GET /a/b?x=1&y=2 HTTP/1.1" 404 2326 "http://r/" "Mozilla/5.0 (X11) \\"q\\""',
        {
            "client.address": "10.0.0.1",
            "user.name": "frank",
            "http.request.method": "GET",
            "url.path": "/a/b",
            "url.query": "x=1&y=2",
            "network.protocol.version": "1.1",
            "http.response.status_code": "404",
            "http.response.body.size": "2326",
            "http.request.header.referer": "http://r/",
            "user_agent.original": 'Mozilla/5.0 (X11) \\"q\\"',
        },
        _row(
            '10.0.0.1 - frank [22/Nov/2026:22:29:59 +0100] "GET /a/b?x=1&y=2 HTTP/1.1" 404 2326 "http://r/" "Mozilla/5.0 (X11) \\"q\\""',
            "2026-11-22T21:29:59.000000000Z",
        ),
    ),
    Shape(
        "an access log in the common format, without a request",
        b'::1 - - [22/Nov/2026:21:29:59 +0000] "-" 408 -',
        {"client.address": "::1", "http.response.status_code": "408"},
        _row('::1 - - [22/Nov/2026:21:29:59 +0000] "-" 408 -', "2026-11-22T21:29:59.000000000Z"),
    ),
    Shape(
        "text with a time and a level",
        b"2026-11-22 21:29:59,500 ERROR shop: broke",
        {},
        _row("2026-11-22 21:29:59,500 ERROR shop: broke", AT, "error"),
    ),
    Shape(
        "nginx's error log",
        b"2026/11/22 21:29:59 [crit] 31#31: *1 open() failed",
        {},
        _row("2026/11/22 21:29:59 [crit] 31#31: *1 open() failed", "2026-11-22T21:29:59.000000000Z", "fatal"),
    ),
    Shape(
        "text with a time and a zone",
        b"[2026-11-22T22:29:59.5+01:00] all well",
        {},
        _row("[2026-11-22T22:29:59.5+01:00] all well", AT),
    ),
    Shape(
        "text that begins with a level",
        b"WARNING:root:careful",
        {},
        _row("WARNING:root:careful", severity="warn"),
    ),
    Shape("text that holds a level", b"there was no ERROR here", {}, _row("there was no ERROR here")),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each shape's row by the shape's name: one segment, one batch per line."""
    folder = tmp_path_factory.mktemp("lines")
    with engine_at(folder / "db") as engine:
        store = Store(engine.target)
        migrate(store)
        store.command("SYSTEM STOP TTL MERGES logs")  # of these fixed days, some weeks after them
        yard = Yard(folder, store, LINES)
        yard.load(
            yard.seal(
                "e-1", [s.line + b"\n" for s in SHAPES], [s.head for s in SHAPES], received_at_ns=RECEIVED_NS
            )
        )
        found = store.query(
            "SELECT *, resource['host.name'] AS host FROM logs ORDER BY batch_id LIMIT 1000"
        ).rows
    return {SHAPES[int(row["batch_id"].rpartition("-")[2])].name: row for row in found}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_line_becomes_its_row(rows: dict[str, dict[str, Any]], shape: Shape) -> None:
    """The columns are found under their usual names, everything else is an attribute, nothing is lost or doubled."""
    row = rows[shape.name]

    assert {name: row[name] for name in shape.columns} == shape.columns
    assert row["attributes"] == shape.attributes
    assert row["observed_at"] == RECEIVED


def test_every_line_is_one_row(rows: dict[str, dict[str, Any]]) -> None:
    """Whatever the shape: nothing is rejected, nothing is split."""
    assert len(rows) == len(SHAPES) == len({shape.name for shape in SHAPES})
