"""What is taken as collectd's value lists."""

from __future__ import annotations

import json

import pytest

from collector.errors import Malformed
from collector.formats.collectd.receive import judge

LIST = {
    "values": [1, None], "dstypes": ["gauge", "gauge"], "dsnames": ["a", "b"], "time": 1448284606.125, "interval": 10.0, "host": "h",
    "plugin": "cpu", "plugin_instance": "0", "type": "cpu", "type_instance": "idle", "meta": {"network:received": True},
}  # fmt: skip


def test_value_lists_are_counted() -> None:
    """And carry their own time: the same bytes again are a repeat."""
    judged = judge(json.dumps([LIST, LIST]).encode(), {})

    assert (judged.records, judged.timed) == (2, True)
    assert judge(b"[]", {}).records == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[", b"[1]", b"[{}]", b'[{"labels":{"severity":"OKAY"},"annotations":{}}]', b"\xff",
        json.dumps([LIST | {"values": ["1"]}]).encode(), json.dumps([LIST | {"time": "now"}]).encode(),
        json.dumps([{k: v for k, v in LIST.items() if k != "host"}]).encode(), b'[{"values":[NaN]}]', b"[" * 5000,
        json.dumps([LIST]).encode().replace(b'"h"', b'"\xff"'),
    ],
)  # fmt: skip
def test_anything_else_is_refused(body: bytes) -> None:
    """With what is wrong where."""
    with pytest.raises((Malformed, RecursionError), match=r"value lists|recursion"):
        judge(body, {})
