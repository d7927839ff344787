import pytest

from collector.api import ApiParts
from collector.errors import StoreRejected, StoreUnavailable, Unauthenticated
from tests.collector.api.conftest import FixedAlerts, FixedDeliveries, FixedPipeline, FixedSql, served


class DeadStore:
    """A store whose engine is away, or says no."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def query(self, *_args, **_named):
        """Fail."""
        raise self._error


def nobody(_request):
    """An authenticator that knows no key."""
    raise Unauthenticated("no_key", "send Authorization: Bearer <key>")


def parts(error, **more):
    """Parts over a store that raises *error*."""
    return ApiParts(
        store=DeadStore(error),
        alerts=FixedAlerts(),
        deliveries=FixedDeliveries(),
        pipeline=FixedPipeline(),
        sql=FixedSql(),
        **more,
    )


@pytest.fixture(scope="module")
def dead():
    """A client while the engine is away."""
    with served(parts(StoreUnavailable("the engine is down"))) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    ["logs", "logs/histogram", "logs/facets", "logs/b:1/context", "traces", "traces/ab", "services", "services/a",
     "services/a/health", "map", "breakers", "breakers/transitions", "breakers/a/b", "ledger", "agents", "endpoints",
     "deploys"],
)  # fmt: skip
def test_data_is_a_503_while_the_engine_is_away(dead, path):
    """Every data resource says engine_unavailable and when to come back."""
    answer = dead.get(f"/api/v1/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"


def test_alerts_and_pipeline_answer_while_the_engine_is_away(dead):
    """What does not live in the engine goes on answering, in the same envelope."""
    assert dead.get("/api/v1/pipeline").json()["data"][0]["engine"] == {"state": "up"}
    assert dead.get("/api/v1/alerts").json()["data"] == [{"rule": "breaker open", "state": "firing"}]
    assert dead.get("/api/v1/rules").json()["data"] == []
    assert len(dead.get("/api/v1/deliveries?limit=3").json()["data"]) == 3
    assert dead.get("/api/v1/alerts?x=1").json()["error"]["param"] == "x"


def test_the_frameworks_own_errors_have_the_contracts_body(dead):
    """Unknown path and wrong method answer with the error object and a request id."""
    missing, method = dead.get("/api/v1/nothing"), dead.post("/api/v1/logs")

    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert missing.json()["error"]["request_id"] == missing.headers["x-request-id"]


def test_a_refusal_of_clickhouse_is_a_500_without_a_trace():
    """What ClickHouse refuses for our own fault is a 500 that shows no internals of Python."""
    with served(parts(StoreRejected("Code: 47. UNKNOWN_IDENTIFIER", 47))) as client:
        answer = client.get("/api/v1/logs")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "store_rejected")
    assert "Traceback" not in answer.text


def test_the_unforeseen_is_a_500_with_an_id():
    """An exception nobody foresaw answers with the error object too."""
    with served(parts(ZeroDivisionError("secret detail"))) as client:
        answer = client.get("/api/v1/logs")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret detail" not in answer.text


def test_without_a_key_nothing_is_answered():
    """When the authenticator refuses, data is 401; the documentation stays open."""
    with served(parts(StoreUnavailable("away"), authenticate=nobody)) as client:
        assert client.get("/api/v1/logs").json()["error"]["type"] == "unauthenticated"
        assert client.get("/api/v1/pipeline").status_code == 401
        assert client.get("/api/openapi.json").status_code == 200


def test_openapi_and_docs_name_every_route_and_parameter(dead):
    """The OpenAPI document has every resource with typed rows, and the page shows them without scripts."""
    document = dead.get("/api/openapi.json").json()
    page = dead.get("/api/docs").text

    assert {"/v1/logs", "/v1/breakers/{service}/{breaker}", "/v1/map"} <= set(document["paths"])
    assert "LogRecord" in document["components"]["schemas"]
    assert "/api/v1/breakers/transitions" in page
    assert "blast_radius" in page
    assert "<script" not in page
