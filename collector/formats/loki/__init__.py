"""
Loki's push as Promtail, Alloy, Fluent Bit and the Docker driver send it: ``POST /loki/api/v1/push``, Protobuf in a snappy block.

In:  ``logproto.PushRequest`` (request.proto); labels are a text like ``{app="cart", env="prod"}``.
Out: rows of ``logs``, as loki_json makes of the same push.

Source: https://github.com/grafana/loki/blob/main/pkg/push/push.proto
"""
