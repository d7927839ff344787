"""GET /databases: shared databases, on the real engine."""

from collector.api.answer import Page
from collector.api.v1.databases import Database
from tests.collector.read.real_store import span


def query(service, seconds=-60, **attributes):
    """A client's span of a database call; ``db_system_name`` stands for ``db.system.name``."""
    named = {"db.system.name": "postgresql", "db.namespace": "orders", "server.address": "pg"}
    named |= {name.replace("__", ".").replace("_", "."): value for name, value in attributes.items()}
    return span(seconds, service, "query", kind="client", attributes={k: v for k, v in named.items() if v})


def asked(client):
    """The documented rows."""
    answer = client.get("/api/v1/databases")
    assert answer.status_code == 200, answer.text
    return Page[Database].model_validate(answer.json()).data


def test_a_table_that_two_services_write_is_a_finding(fill, client):
    """Shared databases come first, with the tables and who writes them."""
    fill("spans", [
        query("checkout", db_query_text='INSERT INTO "orders" (id) VALUES ($1)'),
        query("inventory", db_query_text="update orders set state = $1"),
        query("inventory", db_query_text="SELECT * FROM shop.stock JOIN x ON 1"),
        query("cart", db_namespace="carts", db_query_text="select 1"),
    ])  # fmt: skip

    shared, own = asked(client)

    assert (shared.namespace, shared.shared, shared.servers) == ("orders", True, ["pg"])
    assert [(table.table, table.shared, table.writers) for table in shared.tables] == [
        ("orders", True, ["checkout", "inventory"]),
        ("shop.stock", False, []),
    ]
    assert shared.finding is not None
    assert "several of them write orders" in shared.finding
    assert [(user.service, user.calls, user.writes) for user in shared.services] == [
        ("inventory", 2, 1),
        ("checkout", 1, 1),
    ]
    assert (own.namespace, own.shared, own.finding) == ("carts", False, None)


def test_older_names_of_the_conventions_are_the_same_database(fill, client):
    """db.system, db.name, db.statement, db.operation, db.sql.table."""
    older = {"db.system.name": None, "db.namespace": None}
    fill("spans", [
        query("checkout"),
        query("legacy", **older, db_system="postgresql", db_name="orders", db_operation="select", db_sql_table="orders"),
    ])  # fmt: skip

    (row,) = asked(client)

    assert sorted(user.service for user in row.services) == ["checkout", "legacy"]
    assert [table.table for table in row.tables] == ["orders"]


def test_a_database_without_a_name_is_its_server(fill, client):
    """Two Redis servers are two databases; one of them is shared."""
    nameless = {"db.namespace": None, "db.system.name": "redis"}
    fill("spans", [
        query("cart", **nameless, server_address="r1", server_port="6379", db_operation_name="SET"),
        query("web", **nameless, server_address="r1", server_port="6379", db_operation_name="GET"),
        query("search", **nameless, server_address="r2"),
    ])  # fmt: skip

    rows = asked(client)

    assert [(row.servers, row.shared) for row in rows] == [(["r1:6379"], True), (["r2"], False)]
    assert [(user.service, user.writes) for user in rows[0].services] == [("cart", 1), ("web", 0)]


def test_statements_nobody_can_read_are_calls_all_the_same(fill, client):
    """Endless or broken statements name no table and break nothing."""
    fill("spans", [query("a", db_query_text="x" * 100_000), query("a", db_query_text="'; DROP --\x00")])

    (row,) = asked(client)

    assert row.services[0].calls == 2
