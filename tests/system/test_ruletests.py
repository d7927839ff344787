"""``fuseboard rules check`` and ``test``, and promtool on the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.system

RULES = """\
groups:
  - name: shop
    rules:
      - record: job:errors:rate5m
        expr: 'sum by (job) (rate(errors_total[5m]))'
      - alert: ManyErrors
        expr: 'job:errors:rate5m > 0.5'
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.job }} in {{ $externalLabels.cluster }}: {{ $value | humanize }}"}
      - alert: Full
        expr: 'queue > 5'
        keep_firing_for: 2m
        annotations: {summary: "{{ $value }}"}
      - alert: Down
        expr: 'up == 0'
"""
TESTS = """\
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - name: errors
    interval: 1m
    external_labels: {cluster: eu}
    input_series:
      - {series: 'errors_total{job="api", pod="a"}', values: '0+60x10 600x20'}
      - {series: 'queue', values: '9x9 7 1x20'}
      - {series: 'up{job="api"}', values: '1x10 0 0 1'}
    alert_rule_test:
      - {eval_time: 2m, alertname: ManyErrors}
      - eval_time: 8m
        alertname: ManyErrors
        exp_alerts:
          - exp_labels: {severity: page, job: api}
            exp_annotations: {summary: "api in eu: 1"}
      - {eval_time: 12m, alertname: Full, exp_alerts: [{exp_annotations: {summary: "7"}}]}
      - {eval_time: 13m, alertname: Full}
      - {eval_time: 20m, alertname: ManyErrors}
      - {eval_time: 11m, alertname: Down, exp_alerts: [{exp_labels: {job: api}}]}
      - {eval_time: 13m, alertname: Down}
    promql_expr_test:
      - expr: job:errors:rate5m
        eval_time: 5m
        exp_samples: [{labels: 'job:errors:rate5m{job="api"}', value: 1}]
      - {expr: 'absent_thing', eval_time: 5m}
"""


@pytest.fixture
def run(tmp_path: Path):
    """Write the files; run our command or promtool on them."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "test.yaml").write_text(TESTS)

    def command(*words: str, program: str = "") -> subprocess.CompletedProcess[str]:
        start = [program] if program else [sys.executable, "-m", "collector", "rules"]
        if program:
            words = (words[0], "rules", *words[1:])
        return subprocess.run(
            [*start, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    return command


def test_a_test_file_holds_here_as_with_promtool(run, tmp_path):
    """The same file, the same verdict: all as expected, and then one value wrong."""
    done = run("test", "test.yaml")
    assert (done.returncode, done.stdout.split()) == (0, ["Unit", "Testing:", "test.yaml", "SUCCESS"])
    if shutil.which("promtool"):
        asked = run("test", "test.yaml", program="promtool")
        assert asked.returncode == 0, asked.stdout

    (tmp_path / "test.yaml").write_text(
        TESTS.replace("api in eu: 1", "api in us: 1").replace("value: 1}", "value: 2}")
    )
    done = run("test", "test.yaml")

    assert done.returncode == 1
    assert "alertname: ManyErrors, time: 8m," in done.stdout
    assert 'summary="api in us: 1"' in done.stdout
    assert 'expr: "job:errors:rate5m", time: 5m' in done.stdout


def test_what_is_wrong_is_said_with_its_line(run, tmp_path):
    """Of a rule file and of a test file; exit code 1."""
    assert run("check", "rules.yaml").stdout.split()[-4:] == ["SUCCESS:", "4", "rules", "found"]

    (tmp_path / "bad.yaml").write_text("groups:\n  - name: g\n    rules: [{alert: A, expr: up ==}]\n")
    done = run("check", "rules.yaml", "bad.yaml")
    assert done.returncode == 1
    assert "bad.yaml:3: groups.0.rules.0.expr: syntax error" in done.stderr

    (tmp_path / "test.yaml").write_text("rule_files: [rules.yaml]\ntests:\n  - input_serie: []\n")
    done = run("test", "test.yaml")
    assert done.returncode == 1
    assert "test.yaml:3: tests.0.input_serie" in done.stdout
