"""What our tests say of templates is what Prometheus does: Debian's promtool is asked the same."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml

from tests.collector.alerting.templates import FILLED, LABELS, VALUE

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="Debian's prometheus is installed by `make test`"
    ),
]


def test_prometheus_fills_templates_as_the_tests_say(tmp_path):
    """One alert with every template as an annotation; promtool fails where one is filled to something else."""
    annotations = {f"a{number}": text for number, (text, _) in enumerate(FILLED)}
    wanted = {f"a{number}": text for number, (_, text) in enumerate(FILLED)}
    rule = {"alert": "A", "expr": "x > 0", "annotations": annotations}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    selector = ", ".join(f'{name}="{value}"' for name, value in LABELS.items())
    series = [
        {"series": f"x{{{selector}}}", "values": f"{VALUE}"},
        {"series": 'up{job="a"}', "values": "1"},
        {"series": 'up{job="b"}', "values": "0"},
    ]
    alert = {"exp_labels": LABELS, "exp_annotations": wanted}
    test = {
        "interval": "1m",
        "external_labels": {"cluster": "eu"},
        "input_series": series,
        "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": [alert]}],
    }
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(json.dumps(file))

    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
