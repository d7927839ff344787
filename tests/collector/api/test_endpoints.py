"""GET /endpoints: who calls what, and what may be deleted, on the real engine."""

import pytest

from collector.api.answer import Page
from collector.api.v1.endpoints import Endpoint
from tests.collector.read.real_store import at, span

DAY = 86_400


def called(days_ago, route="/v1/cart", service="cart", version="1", **fields):
    """A served call of *route* some days ago."""
    return span(-days_ago * DAY - 60, service, f"GET {route}", resource={"service.version": version},
                attributes={"http.request.method": "GET", "http.route": route}, **fields)  # fmt: skip


@pytest.fixture
def asked(fill, client, store):
    """Store calls and ask for the verdicts by (route, version)."""

    def ask(calls, **params):
        fill("spans", calls)
        answer = client.get("/api/v1/endpoints", params=params)
        assert answer.status_code == 200, answer.text
        rows = Page[Endpoint].model_validate(answer.json()).data
        return {(row.route, row.version): row for row in rows}

    yield ask
    store.command("TRUNCATE TABLE endpoint_callers")


def alive(days):
    """Another endpoint of the same service, called every day."""
    return [called(day, "/v1/alive") for day in range(days)]


def codes(row):
    """The codes of a row's evidence."""
    return [each.code for each in row.evidence]


def test_what_was_called_lately_is_in_use(asked):
    """A call three days ago is in use, whatever window is asked about."""
    rows = asked([called(3), called(0.01)], start="-1h")

    row = rows["/v1/cart", "1"]
    assert (row.verdict, row.calls) == ("in_use", 1)
    assert row.last_call == at(-0.01 * DAY - 60).replace(" ", "T") + "Z"


def test_a_month_of_silence_while_its_service_was_heard_is_safe(asked):
    """With all of the evidence for it."""
    row = asked([*alive(60), called(40), called(41)])["/v1/cart", "1"]

    assert (row.verdict, row.calls) == ("safe_to_delete", 0)
    assert codes(row) == ["last_call", "observed"]
    assert "40 days ago" in row.evidence[0].message


@pytest.mark.parametrize(
    ("calls", "missing"),
    [
        ([*alive(60), called(20)], "quiet_too_short"),
        ([called(40)], "service_silent"),
        ([*alive(60), called(35), called(65)], "quiet_too_short"),
        ([*alive(60), called(40, trace_state="ot=th:c")], "sampled"),
    ],
    ids=[
        "a monthly caller may come",
        "nobody was heard",
        "it has paused as long before",
        "its traces are sampled",
    ],
)
def test_thin_evidence_is_never_safe(asked, calls, missing):
    """Idle, and the evidence says what is missing."""
    row = asked(calls)["/v1/cart", "1"]

    assert row.verdict == "idle"
    assert missing in codes(row)


def test_lost_blocks_are_no_silence(asked, fill):
    """Where the ledger has a gap the call may have been in it."""
    batch = {"received_at": at(-10 * DAY), "batch_id": "x", "format": "otlp_traces", "signal": "traces", "agent": "a", "service": "cart",
             "env": "demo", "source_path": "relay", "source_kind": "relay", "generation": "g", "sequence": 0, "bytes": 9, "records": 1,
             "quarantined": False, "segment": "s", "key_id": "", "retention_days": 3000}  # fmt: skip
    fill(
        "batches",
        [
            {**batch, "source_start": 0, "source_end": 10},
            {**batch, "batch_id": "y", "source_start": 20, "source_end": 30},
        ],
    )

    row = asked([*alive(60), called(40), called(41)])["/v1/cart", "1"]

    assert (row.verdict, codes(row)[-1]) == ("idle", "ledger_gaps")


def test_a_weekly_caller_is_in_use_between_its_calls(asked):
    """Called every fortnight, last thirteen days ago."""
    row = asked([*alive(90), *(called(13 + 14 * week) for week in range(4))])["/v1/cart", "1"]

    assert row.verdict == "in_use"
    assert "longest_pause" in codes(row)


def used(days_ago, route="/v1/cart", **fields):
    """The rollup's row of a call: a partition per month, where spans have one per day."""
    moment = at(-days_ago * DAY - 60)
    row = {"hour": moment[:13] + ":00:00", "service": "cart", "env": "demo", "method": "GET", "route": route, "version": "1", "retention_days": 3000,
           "calls": 1, "errors": 0, "sampled": 0, "last_at": moment}  # fmt: skip
    return {**row, **fields}


def test_what_is_called_each_month_end_is_in_use_until_the_next_is_overdue(asked, fill):
    """Nineteen days after the last, 30 October: its rhythm speaks for it."""
    fill(
        "endpoint_usage",
        [*(used(day, "/v1/alive") for day in range(100)), *(used(ago) for ago in (19, 49, 80))],
    )

    row = asked([])["/v1/cart", "1"]

    assert row.verdict == "in_use"
    assert [each.message for each in row.evidence if each.code == "periodicity"] == [
        "called monthly; the next call is due by 2026-12-03"
    ]


@pytest.mark.parametrize(
    ("quiet", "verdict"),
    [(21, "in_use"), (29, "in_use"), (33, "in_use"), (40, "idle"), (49, "safe_to_delete")],
)
def test_a_rhythm_is_waited_for_as_long_as_it_is(asked, fill, quiet, verdict):
    """Monthly: in use to a month and some days, nothing is safe before one and a half."""
    fill(
        "endpoint_usage",
        [
            *(used(day, "/v1/alive") for day in range(200)),
            *(used(quiet + 30 * number) for number in range(4)),
        ],
    )

    row = asked([])["/v1/cart", "1"]

    assert row.verdict == verdict
    assert "periodicity" in codes(row)


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([*(used(day, "/v1/alive") for day in range(50)), used(40), used(41)], "observed_too_short"),
        ([*(used(day, "/v1/alive") for day in range(99)), used(60)], "seen_once"),
        ([*(used(day, "/v1/alive", sampled=day == 10) for day in range(60)), used(40), used(41)], "sampled"),
    ],
    ids=["its service is hardly known", "once a quarter", "its service is sampled since"],
)
def test_thin_evidence_of_its_service_is_never_safe(asked, fill, rows, missing):
    """Idle, and the evidence says what is missing."""
    fill("endpoint_usage", rows)

    row = asked([])["/v1/cart", "1"]

    assert (row.verdict, codes(row)[-1]) == ("idle", missing)


def test_the_verdict_is_about_all_versions(asked):
    """What version 2 still serves cannot go because nobody calls version 1."""
    rows = asked([*alive(60), called(40, version="1"), called(1, version="2")])

    assert {rows["/v1/cart", version].verdict for version in "12"} == {"in_use"}


def test_a_method_of_grpc_is_an_endpoint(asked):
    """Its route is service/method."""
    rows = asked([span(-60, "stock", "Reserve", attributes={"rpc.system": "grpc", "rpc.service": "stock.v1.Stock", "rpc.method": "Reserve"})])  # fmt: skip

    assert rows["stock.v1.Stock/Reserve", ""].method == "RPC"


def test_callers_come_with_their_versions(asked, fill):
    """As the job has paired them; calls in the window, the last call at any time."""
    row = {"hour": at(-7200)[:19], "env": "demo", "service": "cart", "method": "GET", "route": "/v1/cart", "version": "1",
           "caller_version": "7", "retention_days": 3000, "errors": 0}  # fmt: skip
    fill("endpoint_callers", [
        {**row, "caller": "web", "calls": 5, "last_at": at(-7000)},
        {**row, "caller": "", "calls": 2, "last_at": at(-7100)},
    ])  # fmt: skip

    callers = asked([called(0.05)], start="-3h")["/v1/cart", "1"].callers

    assert [(caller.service, caller.version, caller.calls) for caller in callers] == [
        ("web", "7", 5),
        ("", "7", 2),
    ]
