"""
Splunk's HTTP Event Collector, events: ``POST /services/collector`` (``/event``, ``/event/1.0``), ``/services/collector/ack`` and ``/health``.

In:  JSON objects one behind the other, with or without anything between them: ``{"time", "host", "source", "sourcetype", "index", "event", "fields"}``.
Out: rows of ``logs``: ``event``, a text or an object, goes through the same detection as ``lines``; ``fields`` are attributes, ``source``,
``sourcetype``, ``host`` and ``index`` resource; the service is ``fields.service`` or ``event.service``, else ``source``.

Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
"""
