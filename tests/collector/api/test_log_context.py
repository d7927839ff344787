from tests.collector.api.test_logs import bodies
from tests.collector.read.real_store import at, log


def batch(name, start, received, path="/app.log", **more):
    """One row of the ledger."""
    return {
        "batch_id": name,
        "agent": "a",
        "source_path": path,
        "generation": "1",
        "source_start": start,
        "received_at": at(received),
        "signal": "logs",
        "retention_days": 3000,
        **more,
    }


def lines(name, received, *texts, occurred=-1.0, **more):
    """The records of one batch."""
    return [
        log(occurred, text, batch_id=name, line=number, observed_at=at(received), **more)
        for number, text in enumerate(texts)
    ]


def test_without_a_source_neighbours_are_those_of_the_service_by_time(fill, client):
    """The record stands among its service's records, oldest first."""
    fill(
        "logs",
        [
            log(-40, "placed", line=0),
            log(-30, "refused", line=1),
            log(-20, "elsewhere", line=2, service="payment"),
            log(-10, "healthy", line=3),
        ],
    )

    assert bodies(client.get("/api/v1/logs/b:1/context?before=1&after=1")) == ["placed", "refused", "healthy"]
    assert bodies(client.get("/api/v1/logs/b:1/context?before=0&after=0")) == ["refused"]
    for unknown in ("b:77", "nobody:0", "b", "b:x", "b:99999999999", "b:\u0661"):
        assert client.get(f"/api/v1/logs/{unknown}/context").status_code == 404


def test_a_source_is_shown_by_batch_and_line_whatever_its_times_say(fill, client):
    """Lines of one file in the order they were written, over batches, though their clocks jumped and another file lies between."""
    fill(
        "batches",
        [
            batch("one", 0, -30),
            batch("two", 100, -20),
            batch("three", 200, -10),
            batch("other", 50, -25, path="/other.log"),
        ],
    )
    fill(
        "logs",
        [
            *lines("one", -30, "a1", "a2", occurred=-5),
            *lines("two", -20, "b1", "b2", "b3", occurred=-9000),
            *lines("three", -10, "c1", occurred=-2),
            *lines("other", -25, "x"),
        ],
    )

    whole = client.get("/api/v1/logs/two:1/context")
    near = client.get("/api/v1/logs/two:1/context?before=2&after=2")

    assert bodies(whole) == ["a1", "a2", "b1", "b2", "b3", "c1"]
    assert bodies(near) == ["a2", "b1", "b2", "b3", "c1"]


def test_neighbours_of_another_generation_or_agent_are_not_shown(fill, client):
    """A rotated file of the same name, and the same path on another machine, are other sources."""
    fill(
        "batches",
        [batch("one", 0, -30), batch("new", 0, -20, generation="2"), batch("far", 10, -10, agent="b")],
    )
    fill("logs", [*lines("one", -30, "a"), *lines("new", -20, "b"), *lines("far", -10, "c")])

    assert bodies(client.get("/api/v1/logs/one:0/context")) == ["a"]
