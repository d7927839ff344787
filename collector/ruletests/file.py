"""A test file, as written."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collector.alerting.rules.yamlfile import read_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class InputSeries(_Strict):
    """A series and its values."""

    series: str
    values: str


class ExpectedAlert(_Strict):
    """An alert that fires."""

    exp_labels: dict[str, str] | None = None
    exp_annotations: dict[str, str] | None = None


class AlertTest(_Strict):
    """Which alerts of a rule fire at a time."""

    eval_time: str
    alertname: str
    exp_alerts: list[ExpectedAlert] | None = None


class ExpectedSample(_Strict):
    """A sample of an answer."""

    labels: str = "{}"
    value: float


class ExpressionTest(_Strict):
    """What an expression is answered with at a time."""

    expr: str
    eval_time: str
    exp_samples: list[ExpectedSample] | None = None


class Test(_Strict):
    """Series, and what is expected of them."""

    __test__ = False  # not one of pytest's

    name: str = ""
    interval: str = "1m"
    input_series: list[InputSeries] | None = None
    alert_rule_test: list[AlertTest] | None = None
    promql_expr_test: list[ExpressionTest] | None = None
    external_labels: dict[str, str] | None = None
    external_url: str = ""


class TestFile(_Strict):
    """One file."""

    __test__ = False

    rule_files: list[str] = Field(default=[])
    evaluation_interval: str = "1m"
    group_eval_order: list[str] = Field(default=[])
    fuzzy_compare: bool = False
    tests: list[Test]


def read_tests(path: Path) -> TestFile:
    """
    Read a test file.

    Raises:
        Malformed: It is not YAML, or not a test file; with file and line.
    """
    file = read_yaml(path)
    try:
        return TestFile.model_validate(file.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise file.error(tuple(first["loc"]), f"{first['msg']}, got {first['input']!r}") from error
