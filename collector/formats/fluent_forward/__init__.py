"""
Fluent's forward protocol over TCP, off until ``fluent_port`` is set: what Fluentd, Fluent Bit, Docker's log driver and loggers of many languages speak.

In:  MessagePack: single events, arrays of them, packed or gzipped ones (``messages.py``). Each becomes a line of JSON, ``[time, record]``; the tag goes in the
     batch's resource.
Out: rows of ``logs``: the record is read like any JSON line; its time, where it says none itself, is the event's; without a service the tag is it.

A chunk is acknowledged once it is durable (``listener.py``), and its id is the batch's: a chunk sent again is stored once. Where the sender asks for no
acknowledgement it is read no faster than its events become durable.

Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1 (and v1.5)
"""
