"""
Message classes from our own .proto texts, made at start: the file that ClickHouse reads by is the one that requests are checked by.

Reads the subset of proto3 that the texts of ``formats/*/request.proto`` are written in: messages, one level deep, of scalar and
message fields, ``repeated``, ``optional`` and ``oneof``. Anything else is a `ValueError` at start, not a wrong class.

Source: https://protobuf.dev/reference/protobuf/proto3-spec/
"""

from __future__ import annotations

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_COMMENT = re.compile(r"//[^\n]*")
_MESSAGE = re.compile(r"message\s+(\w+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_ONEOF = re.compile(r"oneof\s+(\w+)\s*\{([^{}]*)\}")
_FIELD = re.compile(r"(?:(repeated|optional)\s+)?(\w+)\s+(\w+)\s*=\s*(\d+)\s*;")
_SCALARS = frozenset({
    "bool", "bytes", "double", "fixed32", "fixed64", "float", "int32", "int64", "sfixed32", "sfixed64", "sint32", "sint64", "string",
    "uint32", "uint64",
})  # fmt: skip


def message_class(text: str, name: str, package: str) -> type[Message]:
    """
    Return the class of the message called *name*.

    Args:
        text: Of a .proto file, without ``syntax``.
        name: One of its messages.
        package: Unique: classes of equal names live in packages of their own.

    Raises:
        ValueError: Something of the text is not understood.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    plain = _COMMENT.sub("", text)
    _nothing_left(_MESSAGE.sub("", plain))
    for found in _MESSAGE.finditer(plain):
        _fill(file.message_type.add(name=found[1]), found[2], package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


def _fill(message: descriptor_pb2.DescriptorProto, body: str, package: str) -> None:
    for found in _ONEOF.finditer(body):
        message.oneof_decl.add(name=found[1])
        _fields(message, found[2], package, len(message.oneof_decl) - 1)
    _fields(message, _ONEOF.sub("", body), package, None)
    for field in message.field:
        if field.proto3_optional:
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


def _fields(message: descriptor_pb2.DescriptorProto, body: str, package: str, oneof: int | None) -> None:
    _nothing_left(_FIELD.sub("", body))
    for label, kind, name, number in _FIELD.findall(body):
        field = message.field.add(name=name, number=int(number), proto3_optional=label == "optional")
        field.label = field.LABEL_REPEATED if label == "repeated" else field.LABEL_OPTIONAL
        if kind in _SCALARS:
            field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        else:
            field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
        if oneof is not None:
            field.oneof_index = oneof


def _nothing_left(text: str) -> None:
    if text.strip():
        raise ValueError(f"not understood in a .proto text: {text.strip()[:60]!r}")
