"""
Splunk's HTTP Event Collector, raw: ``POST /services/collector/raw``, lines of any shape.

In:  newline-separated lines; ``source``, ``sourcetype``, ``host`` and ``index`` of the query are resource, ``source`` also the service.
Out: rows of ``logs``, as ``lines`` makes of the same lines.

Source: https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTinput#services.2Fcollector.2Fraw
"""
