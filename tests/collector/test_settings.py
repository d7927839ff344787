"""Settings: file, environment, options; wrong ones are named, secrets are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector.settings import Settings, SettingsError, describe, is_loopback, load


def _load(
    text: str = "", environ: dict[str, str] | None = None, tmp_path: Path | None = None, **options: Any
) -> Settings:
    config = None
    if tmp_path is not None:
        config = tmp_path / "fuseboard.toml"
        config.write_text(text)
    return load(config, options, environ or {})


def test_the_file_is_overridden_by_the_environment_and_that_by_options(tmp_path: Path) -> None:
    """What is nearer to the person who starts the program counts."""
    text = "port = 1\nretention_days = 7\nquery_timeout_s = 5\n"
    settings = _load(
        text, {"FUSEBOARD_PORT": "2", "FUSEBOARD_RETENTION_DAYS": "8"}, tmp_path, port=3, host=None
    )

    assert (settings.port, settings.retention_days, settings.query_timeout_s) == (3, 8, 5.0)
    assert settings.host == "127.0.0.1"


def test_lists_come_from_the_environment_as_json_or_commas() -> None:
    """Keys as JSON, plain lists either way; variables of the agent and the demo are none of ours."""
    settings = _load(
        environ={
            "FUSEBOARD_KEYS": '[{"name":"a","secret":"s","services":["cart"]}]',
            "FUSEBOARD_ALLOWED_HOSTS": "a.example, b.example",
            "FUSEBOARD_RULE_FILES": '["x.yaml"]',
            "FUSEBOARD_AGENT_KEY": "x",
            "FUSEBOARD_DEMO_SEED": "1",
            "OTHER": "y",
        }
    )

    assert settings.keys[0].services == ("cart",)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.rule_files == ("x.yaml",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot = 4318", "prot: unknown setting; 'fuseboard check' lists the known ones"),
        ("port = 70000", r"port: .*65535 \(got 70000\)"),
        ('port = "http"', r"port: .*integer.*\(got 'http'\)"),
        ("retention_days = 0", r"retention_days: .*\(got 0\)"),
        ("grpc_port = -1", r"grpc_port: .*\(got -1\)"),
        ("journal_max_bytes = 1", "journal_max_bytes: "),
        ("retention = [{days = 0}]", r"retention\.0\.days: .*\(got 0\)"),
        ('retention = [{days = 7, signal = "log"}]', r"retention\.0\.signal: "),
        (
            "retention = [{days = 1}, {days = 2}, {days = 3}, {days = 4}]",
            r"retention: 5 different numbers of days \(1, 2, 3, 4, 30\), retention_days included; at most 4",
        ),
        ('storage_policy = "cold"', "storage_policy: is one of a ClickHouse server's"),
        ('clickhouse = "http://h:8123"\nmove_after_days = 7', "move_after_days: .*set storage_policy"),
        ('move_to = "cold"', r"move_to: .*\(got 'cold'\)"),
        ("disk_max_bytes = 1", "disk_max_bytes: "),
        (
            'clickhouse = "http://h:8123"\ndisk_max_bytes = 100000000',
            "disk_max_bytes: is about the embedded engine's disk",
        ),
        ('log_level = "loud"', r"log_level: .*\(got 'loud'\)"),
        ('[[keys]]\nname = "a"', "keys.0.secret: Field required"),
        ('[[keys]]\nname = "a"\nsecret = "s"\nrole = "king"', "keys.0.role: "),
        ('admin_key = ""', "admin_key: "),
        ('host = "0.0.0.0"', r"'0\.0\.0\.0' is reachable from other machines, so keys are required"),
        ('clickhouse = "clickhouse:8123"', "clickhouse: write http://user:password@host"),
        ('clickhouse_ca_file = "ca.pem"', "clickhouse_ca_file: only a server at https://"),
        ('clickhouse = "https://h/d"\nclickhouse_ca_file = "/no/ca.pem"', "'/no/ca.pem' is no file"),
        ('cluster = "main"', "cluster: is one of ClickHouse servers"),
        ('clickhouse = "http://h/d"\ncluster = "it\'s"', "cluster: .*pattern"),
        ("port = ", "is not TOML"),
        (
            'fluent_port = 1\ningest_key = "k"\n',
            "fluent_key: keys are required here and a forward sender cannot send one",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_quoted(tmp_path: Path, text: str, sentence: str) -> None:
    """One sentence for the person who wrote it."""
    with pytest.raises(SettingsError, match=sentence):
        _load(text, tmp_path=tmp_path)


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    """Nobody wants to start the program once per mistake."""
    with pytest.raises(SettingsError, match=r"(?s)port: .*\n.*ratio: ") as refused:
        _load("port = -1\nratio = 1\n", tmp_path=tmp_path)

    assert len(str(refused.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the path and the system's reason."""
    with pytest.raises(SettingsError, match=r"cannot read '.*absent\.toml': No such file"):
        load(tmp_path / "absent.toml", {}, {})


def test_broken_json_in_a_variable_is_named() -> None:
    """The variable, and where it breaks."""
    with pytest.raises(SettingsError, match="FUSEBOARD_KEYS: not JSON"):
        _load(environ={"FUSEBOARD_KEYS": "[{"})


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    """Neither by ``check``, nor by repr, nor in the sentence about a wrong one."""
    settings = _load(
        'admin_key = "hunter2"\nclickhouse = "http://u:hunter2@h/db"\n[[keys]]\nname = "a"\nsecret = "hunter2"\n'
        '[[receivers]]\nname = "r"\nurl = "http://x"\nsecret = "hunter2"\n',
        tmp_path=tmp_path,
    )
    shown = "\n".join(f"{name}={value}" for name, value, _ in describe(settings))
    with pytest.raises(SettingsError) as refused:
        _load('[[keys]]\nname = "a"\nsecret = ["hunter2"]\n', tmp_path=tmp_path)

    assert "hunter2" not in shown + repr(settings) + str(refused.value)
    assert "admin_key=********" in shown


def test_every_setting_has_its_help() -> None:
    """``fuseboard check`` explains each one."""
    assert all(text for _, _, text in describe(Settings.model_validate({})))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    """Only what no other machine reaches."""
    assert is_loopback(host) is expected
