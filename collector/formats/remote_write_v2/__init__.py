"""
Prometheus remote_write 2.0: what Prometheus 3 sends to ``/api/v1/write`` with ``protobuf_message: io.prometheus.write.v2.Request``.

In:  ``io.prometheus.write.v2.Request``, Protobuf in a snappy block, as field 15 of an envelope; strings stand once in its table of symbols.
Out: the rows that remote_write makes of the same series, with the type, unit and help that each series now says of its family; the time it was
     created is its ``first_seen``.

Source: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
"""
