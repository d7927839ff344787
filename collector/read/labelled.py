"""How a series' labels name what it is about: the SQL that breakers and bulkheads out of metrics share."""

from __future__ import annotations

# Which process of the service: Prometheus' name for it, OpenTelemetry's, Kubernetes'.
INSTANCE = (
    "coalesce(nullIf(labels['instance'], ''), nullIf(labels['service_instance_id'], ''), labels['pod'])"
)


def called(labels_expression: str) -> str:
    """
    Return SQL for the name that labels give: their values joined by ``/``, those that are empty left out.

    Args:
        labels_expression: SQL for the labels' names, themselves joined by ``/``.
    """
    values = f"arrayMap(name -> labels[name], splitByChar('/', {labels_expression}))"
    return f"arrayStringConcat(arrayFilter(part -> part != '', {values}), '/')"
