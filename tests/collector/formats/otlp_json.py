"""Protobuf requests in OTLP's JSON mapping, which is not Protobuf's: what a client that speaks JSON sends."""

from __future__ import annotations

import base64
import json

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def as_otlp_json(message: Message) -> bytes:
    """Return *message* in OTLP's JSON mapping: ids in hex, enums as numbers."""

    def mend(value):
        if isinstance(value, list):
            return [mend(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64decode(item).hex() if key in {"traceId", "spanId", "parentSpanId"} else mend(item)
            for key, item in value.items()
        }

    return json.dumps(mend(MessageToDict(message, use_integers_for_enums=True))).encode()
