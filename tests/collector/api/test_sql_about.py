"""GET /sql/about: limits and tables, on the real engine."""

from collector.api.answer import Page
from collector.api.v1.sql import SqlAbout


def test_whoever_writes_statements_sees_tables_and_limits(client):
    """Every table of the contract with its columns in their order, no inner ones; the limits in force."""
    answer = client.get("/api/v1/sql/about")
    (about,) = Page[SqlAbout].model_validate(answer.json()).data

    tables = {table.table: [column.name for column in table.columns] for table in about.tables}
    assert {"logs", "spans", "metric_series", "breaker_transitions"} <= set(tables)
    assert "service" in tables["logs"]
    assert not [name for name in tables if name.startswith(".") or name.endswith("_mv")]
    assert about.limits.time_s == 30
