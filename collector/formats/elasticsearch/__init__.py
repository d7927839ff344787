"""
Elasticsearch's bulk API, as Filebeat, Logstash, Fluent Bit, Vector and the client libraries speak it: ``/_bulk``, ``/{index}/_bulk``.

In:  NDJSON, an action (``index`` or ``create``) and a document by turns; ``update`` and ``delete`` are answered 400 item by item, for a log
     is written once. ``GET /`` and the few other questions that clients ask before they send are answered (probes.py).
Out: rows of ``logs``: the document is a JSON line for the same detection as ``lines``; the index becomes the resource ``elasticsearch.index``.

Source: https://www.elastic.co/guide/en/elasticsearch/reference/8.19/docs-bulk.html
"""
