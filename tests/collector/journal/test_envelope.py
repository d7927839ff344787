"""The hand-written encoding against the protobuf library, which reads the .proto text we publish."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.journal.envelope import STRUCTURE, Head, encode, schema, varint

_FIELD = re.compile(r"^ {2}(?:(repeated) )?(map<string, string>|\w+) (\w+) = (\d+);$", re.MULTILINE)
_KIND = descriptor_pb2.FieldDescriptorProto
_TYPES = {"string": _KIND.TYPE_STRING, "uint64": _KIND.TYPE_UINT64, "bytes": _KIND.TYPE_BYTES}
_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
_TEXTS = st.lists(_TEXT, max_size=4)
_MAPS = st.dictionaries(_TEXT, _TEXT, max_size=5)
_UINT64 = st.integers(0, 2**64 - 1)


def _envelope_class() -> Any:
    """The message class of the published schema; protoc is not needed for one flat message."""
    file = descriptor_pb2.FileDescriptorProto(name="envelope.proto", syntax="proto3")
    message = file.message_type.add(name="Envelope")
    for repeated, kind, name, number in _FIELD.findall(schema(None)):
        field = message.field.add(name=name, number=int(number), label=_KIND.LABEL_OPTIONAL)
        if kind in _TYPES:
            field.type = _TYPES[kind]
            field.label = _KIND.LABEL_REPEATED if repeated else _KIND.LABEL_OPTIONAL
            continue
        entry = message.nested_type.add(name=f"{name.title()}Entry", options={"map_entry": True})
        for position, part in enumerate(("key", "value"), 1):
            entry.field.add(name=part, number=position, type=_KIND.TYPE_STRING, label=_KIND.LABEL_OPTIONAL)
        field.type, field.type_name, field.label = (
            _KIND.TYPE_MESSAGE,
            f".Envelope.{entry.name}",
            _KIND.LABEL_REPEATED,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Envelope"))


Envelope = _envelope_class()


def _read(stream: bytes) -> tuple[Any, bytes]:
    length = shift = position = 0
    while True:
        byte = stream[position]
        length |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            break
    return Envelope.FromString(stream[position : position + length]), stream[position + length :]


@settings(max_examples=150, deadline=None)
@given(
    head=st.builds(Head, _TEXT, _UINT64, _MAPS, _MAPS, _TEXT, _TEXTS, _TEXTS, _TEXT, _UINT64),
    body=st.binary(max_size=4000),
)
def test_the_protobuf_library_reads_what_was_written(head: Head, body: bytes) -> None:
    """Every field of a head, and the body behind it, comes back as it was, and nothing is left over."""
    message, rest = _read(encode(head, len(body)) + body)

    assert rest == b""
    assert (message.batch_id, message.received_at, message.key_id) == (
        head.batch_id,
        head.received_at_ns,
        head.key_id,
    )
    assert (message.format, message.at, message.body) == (head.format, head.at_ns, body)
    assert dict(message.resource) == head.resource
    assert dict(message.source) == head.source
    assert list(message.services) == head.services
    assert list(message.envs) == head.envs


def test_records_behind_records_are_one_stream() -> None:
    """Envelopes written one behind the other are read one after the other: no length runs into the next."""
    stream = b"".join(encode(Head(f"b{n}", n), n) + b"x" * n for n in (0, 1, 127, 128, 20_000))

    found = []
    while stream:
        message, stream = _read(stream)
        found.append((message.batch_id, len(message.body)))

    assert found == [("b0", 0), ("b1", 1), ("b127", 127), ("b128", 128), ("b20000", 20_000)]


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")]
)
def test_varint_is_least_significant_group_first(number: int, encoded: bytes) -> None:
    """The examples of the Protobuf specification."""
    assert varint(number) == encoded


def test_a_format_declares_its_own_body() -> None:
    """The body is raw bytes, or the client's message where a request.proto declares one."""
    with_message = schema("message Request { repeated bytes x = 1; }")

    assert "bytes body = 15;" in schema(None)
    assert "Request body = 15;" in with_message
    assert "message Request {" in with_message


def test_columns_and_fields_have_the_same_names() -> None:
    """What ClickHouse is told to read is exactly the head of the schema."""
    fields = [name for _, _, name, number in _FIELD.findall(schema(None)) if number != "15"]

    assert [column.split()[0] for column in re.split(r", (?=\w+ [A-Z])", STRUCTURE)] == fields
