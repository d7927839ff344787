"""
collectd's value lists as JSON: what its plugin write_http (``Format "JSON"``) posts, to the path that collectd_exporter has.

In:  a JSON array of value lists: some values at one time, each with its name and kind, of one plugin on one host.
Out: rows of ``metric_series`` and ``metric_samples``, named and labelled as collectd's write_prometheus and collectd_exporter do:
     ``collectd_<plugin>_<type>[_<data source>][_total]``, labels ``instance`` (the host), ``<plugin>`` and ``type`` (the two instances).

Source: https://github.com/collectd/collectd/wiki/JSON, https://github.com/prometheus/collectd_exporter
"""
