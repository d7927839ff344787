"""GET /volume and /cardinality: who stores how much, and what could be spared, on the real engine."""

from collector.api.answer import Page
from collector.api.v1.volume import Cardinality, Volume
from tests.collector.read.real_store import at, log, span


def series(number, name="http_requests_total", service="cart", **labels):
    """One row of `metric_series`."""
    return {
        "series_id": number, "name": name, "type": "counter", "unit": "", "temporality": "", "service": service, "env": "demo",
        "labels": labels, "help": "", "original_name": name, "first_seen": at(-3000), "last_seen": at(-60),
    }  # fmt: skip


def asked(client, path, model, **params):
    """The documented rows."""
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return Page[model].model_validate(answer.json()).data


def test_rows_by_service_and_signal_with_what_could_be_spared(fill, client):
    """Each signal's rows, shares and severities; a service that writes much at debug gets the lines of agent.toml that end it."""
    fill("logs", [log(-60, "x", service="cart", severity="debug") for _ in range(900)])
    fill("logs", [log(-60, "x", service="cart") for _ in range(300)] + [log(-60, "y", service="web")])
    fill("spans", [span(-60, "web", "GET /"), span(-60, "web", "GET /")])
    fill("metric_series", [series(1), series(2, service="web")])
    fill(
        "metric_samples",
        [{"series_id": 1, "at": at(-s), "value": 1, "retention_days": 3000} for s in range(60, 70)],
    )

    rows = {(row.service, row.signal): row for row in asked(client, "/volume", Volume)}

    cart = rows["cart", "logs"]
    assert (cart.rows, cart.severities) == (1200, {"debug": 900, "info": 300})
    assert cart.share > 0.99
    assert [(each.code, each.spares_rows) for each in cart.advice] == [("debug", 900), ("rate", 600)]
    assert cart.advice[0].snippet == "[sample]\ndebug = 0\ntrace = 0\n"
    assert (rows["web", "logs"].rows, rows["web", "logs"].advice) == (1, [])
    assert rows["web", "traces"].rows == 2
    assert (rows["cart", "metrics"].rows, rows["cart", "metrics"].series) == (10, 1)
    assert (rows["web", "metrics"].rows, rows["web", "metrics"].series) == (0, 1)
    assert asked(client, "/volume", Volume, env="other") == []


def test_bytes_are_of_whom_the_bodies_were_declared_to_be(fill, client):
    """As the ledger counted them; a body of several services stands without one."""
    batch = {
        "received_at": at(-60), "batch_id": "b", "format": "lines", "signal": "logs", "agent": "", "env": "demo", "bytes": 100,
        "records": 1, "retention_days": 3000,
    }  # fmt: skip
    fill(
        "batches",
        [
            {**batch, "service": "cart"},
            {**batch, "service": "cart"},
            {**batch, "service": "", "signal": "traces"},
        ],
    )

    rows = {(row.service, row.signal): row.bytes for row in asked(client, "/volume", Volume)}

    assert rows == {("cart", "logs"): 200, ("", "traces"): 100}


def test_the_label_that_makes_series_many_is_named(fill, client):
    """Metrics by their series, their labels by their values; one with a hundred is told from a dimension."""
    fill(
        "metric_series",
        [series(number, user=f"u{number}", code=str(200 + number % 3)) for number in range(150)],
    )
    fill("metric_series", [series(1000, "up", service="web", job="a")])
    fill(
        "metric_samples",
        [{"series_id": n, "at": at(-60), "value": 1, "retention_days": 3000} for n in (1, 2, 1000)],
    )

    worst, other = asked(client, "/cardinality", Cardinality)

    assert (worst.metric, worst.series, worst.samples, worst.services) == (
        "http_requests_total",
        150,
        2,
        ["cart"],
    )
    assert [label.label for label in worst.labels] == ["user", "code"]
    assert abs(worst.labels[0].values - 150) < 5
    assert worst.advice is not None
    assert worst.advice.startswith("the label user has")
    assert (other.metric, other.advice) == ("up", None)
    assert [row.metric for row in asked(client, "/cardinality", Cardinality, service="web")] == ["up"]
    assert len(asked(client, "/cardinality", Cardinality, limit=1)) == 1


def test_nothing_stored_is_an_empty_list(client):
    """And hostile parameters are values, not SQL."""
    assert asked(client, "/volume", Volume, env="' OR 1=1 --") == []
    assert asked(client, "/cardinality", Cardinality, service="x') --") == []
    assert client.get("/api/v1/cardinality", params={"limit": 0}).status_code == 400
    assert client.get("/api/v1/volume", params={"limit": 5}).status_code == 400
