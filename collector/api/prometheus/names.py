"""``series``, ``labels``, ``label/<name>/values``, ``metadata``: what there is to ask about."""

from __future__ import annotations

from collector.api.prometheus.answers import Said, cut, said
from collector.api.prometheus.form import Form, label_name
from collector.api.prometheus.parts import PrometheusParts
from collector.errors import QueryError
from collector.read import series
from collector.read.sql import Reader

# What one answer lists at most, and then says so: a browser holds no more.
_MOST = 100_000


def all_series(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``series``."""
    del parts
    if not form.texts("match[]"):
        raise QueryError("bad_parameter", "no match[] parameter provided", "match[]")
    limit = _limit(form)
    return cut(series.series(reader, form.chosen(), form.span(), limit + 1), limit)


def labels(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``labels``."""
    del parts
    limit = _limit(form)
    return cut(series.label_names(reader, form.chosen(), form.span(), limit + 1), limit)


def values(parts: PrometheusParts, reader: Reader, form: Form, name: str) -> Said:
    """Answer ``label/<name>/values``."""
    del parts
    limit = _limit(form)
    found = series.label_values(reader, label_name(name), form.chosen(), form.span(), limit + 1)
    return cut(found, limit)


def metadata(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``metadata``."""
    del parts
    limit, each = form.limit(), form.limit("limit_per_metric")
    found = series.metadata(reader, form.text("metric"))
    kept = list(found.items())[: limit or None]
    return said({family: told[: each or None] for family, told in kept})


def _limit(form: Form) -> int:
    asked = form.limit()
    return min(asked, _MOST) if asked else _MOST
