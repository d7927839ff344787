"""
Zipkin v2 spans as JSON: what Zipkin's own libraries, Envoy and Spring send to ``/api/v2/spans``.

In:  a JSON array of spans; times in microseconds, trace ids of 64 or 128 bits in hex.
Out: rows of ``spans``: tags become attributes, annotations events, the tag ``error`` the status. A server's half of a shared span gets an id of
     its own under the client's half, because here an id is one span.

Source: https://zipkin.io/zipkin-api/#/default/post_spans, https://github.com/openzipkin/zipkin-api/blob/master/zipkin2-api.yaml
"""
