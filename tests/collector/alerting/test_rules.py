"""Rule files: what is read, and how what is wrong is told."""

from __future__ import annotations

import pytest

from collector.alerting.expression import parse_duration_s, parse_expression
from collector.alerting.rules import load_rules
from collector.alerting.templates import render
from collector.errors import Malformed

GOOD = """\
groups:
  - name: breakers
    rules:
      - alert: BreakerOpen
        breaker: 'open for 1m30s {env="demo", service=~"check.*", breaker!="x", instance!~"old-.*",}'
        labels: {severity: page, tier: 1}
        annotations:
          summary: "{{ $labels.service }} {{$labels.tier}} {{ $value }}"
      - alert: BreakerOpen
        breaker: open for 500ms
"""


def write(tmp_path, text):
    """Write a rule file, give its path."""
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return str(path)


def test_a_rule_file_is_read(tmp_path):
    """Groups, matchers, durations, labels and annotations arrive as written."""
    first, second = load_rules([write(tmp_path, GOOD)])

    assert (first.name, first.group, first.for_s, first.severity) == ("BreakerOpen", "breakers", 90.0, "page")
    assert first.labels == {"severity": "page", "tier": "1"}
    assert [(m.label, m.operator, m.value) for m in first.matchers] == [
        ("env", "=", "demo"),
        ("service", "=~", "check.*"),
        ("breaker", "!=", "x"),
        ("instance", "!~", "old-.*"),
    ]
    assert (second.for_s, second.severity, second.expr) == (0.5, "", "open for 500ms")
    assert first.id != second.id


def test_the_duration_and_the_words_are_not_the_identity(tmp_path):
    """Changing 15s to 30s or a summary keeps living alerts; another matcher is another rule."""
    text = "groups: [{name: g, rules: [{alert: A, breaker: '%s', annotations: {summary: '%s'}}]}]"
    (one,) = load_rules([write(tmp_path, text % ("open for 15s", "x"))])
    (two,) = load_rules([write(tmp_path, text % ("open for 30s", "y"))])
    (three,) = load_rules([write(tmp_path, text % ('open for 15s {env="demo"}', "x"))])

    assert one.id == two.id != three.id


def test_a_glob_reads_files_in_order_of_name(tmp_path):
    """rules/*.yaml is every such file."""
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(
            f"groups: [{{name: {name}, rules: [{{alert: A, breaker: open for 1s}}]}}]"
        )

    assert [rule.group for rule in load_rules([f"{tmp_path}/*.yaml"])] == ["a", "b"]
    with pytest.raises(Malformed, match="matches no file"):
        load_rules([f"{tmp_path}/*.yml"])


RULE = """\
groups:
  - name: g
    rules:
      - alert: A
        {}
"""


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty"),
        ("groups: [}", 1, "not YAML"),
        (
            "groups:\n  - name: g\n    rulez: []\n",
            3,
            "unknown field; known here: name, interval, query_offset, limit, labels, rules, got []",
        ),
        ("groups:\n  - name: g\n", 2, "groups.0.rules: Field required"),
        ("group: []\n", 1, "group: unknown field; known here: groups, got []"),
        ("{}\n", 1, "groups: Field required"),
        ("- 1\n", 1, "got [1]"),
        (
            RULE.format("exp: up == 0"),
            5,
            "unknown field; known here: alert, record, expr, breaker",
        ),
        (RULE.format("labels: {}"), 4, "a rule has one of expr, breaker, bulkhead"),
        (RULE.format("breaker: open for 15s\n        expr: up == 0"), 4, "got expr and breaker"),
        (RULE.format("expr: up =="), 5, "syntax error at position 5, the end"),
        (RULE.format("expr: up[5m]"), 5, "a rule needs an instant vector or a number, and this is a matrix"),
        (RULE.format("expr: no_such(up)"), 5, "the function no_such() is not supported here"),
        (RULE.format("expr: up == 0\n        for: 5"), 6, "'5' is not a duration"),
        (RULE.format("expr: up == 0\n        record: x"), 4, "a rule has either 'alert' or 'record'"),
        (RULE.format("breaker: open for 15"), 5, "'15' is not a duration"),
        (RULE.format("breaker: open for 1s1m"), 5, "'1s1m' is not a duration"),
        (RULE.format("breaker: flopping"), 5, 'expected "open for <duration>"'),
        (RULE.format("breaker: [15]"), 5, "Input should be a valid string, got [15]"),
        (RULE.format("breaker: 'open for 15s {region=\"eu\"}'"), 5, "breakers have no label 'region'"),
        (RULE.format("breaker: 'open for 15s {service=~\"(\"}'"), 5, "'(' is not a regular expression"),
        (
            RULE.format("breaker: 'open for 15s {service=checkout}'"),
            5,
            "expected label=\"value\" at 'service=checkout'",
        ),
        (RULE.format('breaker: \'open for 15s {service="a" env="b"}\''), 5, 'expected label="value"'),
        (
            RULE.format("breaker: open for 15s\n        labels:\n          service: x"),
            7,
            "the breaker itself gives",
        ),
        (
            RULE.format("breaker: open for 15s\n        labels:\n          a-b: x"),
            7,
            "'a-b' is not a label name",
        ),
        (
            RULE.format("breaker: open for 15s\n        labels:\n          a: '{{ $value }}'"),
            7,
            "is not known",
        ),
        (
            RULE.format("breaker: open for 15s\n        annotations:\n          s: '{{ $labels.pod }}'"),
            7,
            "there will be no label 'pod'",
        ),
        (
            RULE.format("breaker: open for 15s\n        annotations:\n          s: '{{ up'"),
            7,
            "a '{{' is not closed",
        ),
        (RULE.format("breaker: open for 15s\n        alert: B"), 6, "key 'alert' is there twice"),
        (
            RULE.format("breaker: open for 15s\n      - alert: A\n        breaker: open for 1h"),
            6,
            "is there twice",
        ),
    ],
)
def test_a_wrong_rule_file_is_told_with_file_line_and_value(tmp_path, text, line, says):
    """The error leads to the line and says what is wrong with what stands there."""
    path = write(tmp_path, text)

    with pytest.raises(Malformed) as wrong:
        load_rules([path])
    assert wrong.value.code == "bad_rule"
    assert wrong.value.message.startswith(f"{path}:{line}:")
    assert says in wrong.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """Missing, a directory, not UTF-8: the path and the system's reason."""
    (tmp_path / "latin.yaml").write_bytes(b"groups: \xe9")
    for name in ("missing.yaml", "latin.yaml", ""):
        with pytest.raises(Malformed, match="cannot be read"):
            load_rules([str(tmp_path / name)])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("1m30s", 90), ("500ms", 0.5), ("1d", 86400), ("0s", 0), ("1y2w", 32_745_600)],
)
def test_durations_are_prometheus_durations(text, seconds):
    """Units from years to milliseconds, the largest first."""
    assert parse_duration_s(text) == seconds


def test_quoted_values_may_hold_anything():
    """Commas, braces and escapes inside quotes are part of the value."""
    (matcher,) = parse_expression('open for 1s {service="a, b} \\"c\\" \\\\"}').matchers

    assert matcher.value == 'a, b} "c" \\'


def test_values_are_rendered_as_people_read_them():
    """At most one decimal; a label may be absent."""
    text = "{{ $labels.a }}|{{- $labels.b -}}|{{ $value }}"

    assert render(text, {"a": "{{ $value }}"}, 15.0) == "{{ $value }}||15"
    assert render("{{$value}}", {}, 15.26) == "15.3"
