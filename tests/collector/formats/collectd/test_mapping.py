"""collectd's value lists become series and samples; the first is the one of the format's own page."""

from __future__ import annotations

import json

from collector.journal.envelope import Head

JOINED = "SELECT name, type, temporality, service, env, labels, s.value AS value, toUnixTimestamp64Milli(s.at) AS at FROM metric_samples s JOIN metric_series m USING series_id"


def value_list(now_ns: int, **changes) -> dict:
    """One of ``if_octets``, a millisecond before it was received."""
    told = {
        "values": [1901474177, 2], "dstypes": ["derive", "derive"], "dsnames": ["rx", "tx"], "time": (now_ns // 10**6 - 1) / 1000, "interval": 10.0,
        "host": "leeloo.octo.it", "plugin": "interface", "plugin_instance": "eth0", "type": "if_octets", "type_instance": "",
    }  # fmt: skip
    return told | changes


def load(warehouse, now_ns, *lists, **head) -> dict[str, dict]:
    """Load one request; its samples by name."""
    warehouse.load("collectd", (Head("b", now_ns, **head), json.dumps(lists).encode()))
    return {row["name"]: row for row in warehouse.rows(f"{JOINED} ORDER BY name")}


def test_a_value_list_is_a_sample_per_value(warehouse, now_ns):
    """Named after plugin, type and data source; its time is the list's own; what only grows is a counter."""
    rows = load(warehouse, now_ns, value_list(now_ns))

    assert sorted(rows) == ["collectd_interface_if_octets_rx_total", "collectd_interface_if_octets_tx_total"]
    row = rows["collectd_interface_if_octets_rx_total"]
    assert (row["type"], row["temporality"], row["service"]) == ("counter", "cumulative", "collectd")
    assert (row["value"], int(row["at"])) == (1901474177, now_ns // 10**6 - 1)
    assert row["labels"] == {"job": "collectd", "instance": "leeloo.octo.it", "interface": "eth0"}


def test_names_and_labels_are_those_of_collectd_exporter(warehouse, now_ns):
    """Plugin and type alike once; without a plugin instance the type's takes its place; signs that Prometheus has not are underscores."""
    gauge = {"dstypes": ["gauge"], "dsnames": ["value"]}
    rows = load(
        warehouse,
        now_ns,
        value_list(now_ns, **gauge, values=[3.5], plugin="memory", plugin_instance="", type="memory", type_instance="used"),
        value_list(now_ns, **gauge, values=[4], plugin="df", plugin_instance="root", type="df_complex", type_instance="free"),
        value_list(now_ns, values=[1, 2, 3], dstypes=["gauge"] * 3, dsnames=["shortterm", "midterm", "longterm"], plugin="load", plugin_instance="", type="load"),
        value_list(now_ns, values=[7], dstypes=["absolute"], dsnames=["value"], plugin="my-plugin", plugin_instance="é", type="a.b"),
    )  # fmt: skip

    assert {name: row["type"] for name, row in rows.items()} == dict.fromkeys(
        ["collectd_memory", "collectd_df_df_complex", "collectd_load_shortterm", "collectd_load_midterm",
         "collectd_load_longterm", "collectd_my_plugin_a_b"], "gauge")  # fmt: skip
    host = {"job": "collectd", "instance": "leeloo.octo.it"}
    assert rows["collectd_memory"]["labels"] == {**host, "memory": "used"}
    assert rows["collectd_df_df_complex"]["labels"] == {**host, "df": "root", "type": "free"}
    assert rows["collectd_load_longterm"]["value"] == 3
    assert rows["collectd_my_plugin_a_b"]["labels"] == {**host, "my_plugin": "é"}


def test_whose_it_is_says_the_resource_as_far_as_the_key_allows(warehouse, now_ns):
    """Declared in a header of write_http; a key of other services writes as its own."""
    own = {"service.name": "edge", "service.namespace": "shop", "deployment.environment.name": "prod"}
    declared = load(warehouse, now_ns, value_list(now_ns), resource=own)
    warehouse.empty()
    bound = load(warehouse, now_ns, value_list(now_ns), resource=own, services=["hosts"], envs=["test"])

    row = declared["collectd_interface_if_octets_rx_total"]
    assert (row["service"], row["env"], row["labels"]["job"]) == ("edge", "prod", "shop/edge")
    assert {(row["service"], row["env"]) for row in bound.values()} == {("hosts", "test")}


def test_what_is_not_there_is_no_sample(warehouse, now_ns):
    """A null (NaN in collectd) makes none; fewer names than values, and times out of range, lose none."""
    rows = load(
        warehouse,
        now_ns,
        value_list(now_ns, values=[None, 5]),
        value_list(now_ns, plugin="x", type="y", values=[1, 2], dstypes=[], dsnames=["value"], time=5.0),
        value_list(
            now_ns, plugin="x", type="z", values=[1e308], dstypes=["gauge"], dsnames=["value"], time=1e30
        ),
    )

    assert rows["collectd_interface_if_octets_tx_total"]["value"] == 5
    assert "collectd_interface_if_octets_rx_total" not in rows
    assert int(rows["collectd_x_y"]["at"]) == int(rows["collectd_x_z"]["at"]) == now_ns // 10**6


def test_a_series_is_one_in_every_segment(warehouse, now_ns):
    """Two segments agree on its id."""
    warehouse.load("collectd", (Head("a", now_ns), json.dumps([value_list(now_ns)]).encode()))
    warehouse.load("collectd", (Head("b", now_ns + 10**9), json.dumps([value_list(now_ns + 10**9)]).encode()))

    assert warehouse.rows("SELECT uniqExact(series_id) AS n, count() AS samples FROM metric_samples") == [{"n": 2, "samples": 4}]  # fmt: skip
