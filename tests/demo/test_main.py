"""The command line says what is wrong, quotes it, and exits 2."""

from __future__ import annotations

from typing import Any

import pytest

from demo.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up"], "--collector"),
        (["up", "--collector", "localhost:4318"], "'localhost:4318'"),
        (["up", "--no-sidecars", "--rate", "0"], "'0'"),
        (["up", "--no-sidecars", "--rate", "nan"], "'nan'"),
        (["up", "--no-sidecars", "--rate", "9999"], "at most 200"),
        (["up", "--no-sidecars", "--seed", "-1"], "'-1'"),
        (["up", "--no-sidecars", "--base-port", "80"], "--base-port 80"),
        (["fault", "paymnt", "errors", "--on"], "'paymnt'"),
        (["fault", "payment", "explode", "--on"], "'explode'"),
        (["fault", "payment", "errors"], "--on --off"),
        (["service", "paymnt"], "'paymnt'"),
        (["load", "--gateway", "ftp://x"], "'ftp://x'"),
        (["load", "--gateway", "http://x", "--duration", "soon"], "'soon'"),
        ([], "COMMAND"),
    ],
)
def test_bad_input_exits_two_and_quotes_the_value(
    arguments: list[str], said: str, tmp_path: Any, monkeypatch: Any, capsys: Any
) -> None:
    """Every wrong argument ends with exit code 2 and a sentence naming it; nothing is started."""
    monkeypatch.chdir(tmp_path)

    code = _exit_code(arguments)

    assert code == 2
    assert said in capsys.readouterr().err


def test_fault_without_a_shop_says_how_to_start_one(tmp_path: Any, capsys: Any) -> None:
    """The fault command names the directory it looked in and the command to run."""
    code = _exit_code(["fault", "payment", "errors", "--on", "--data-dir", str(tmp_path)])

    said = capsys.readouterr().err
    assert code == 2
    assert str(tmp_path) in said
    assert "python -m demo up" in said


def test_fault_on_an_address_nobody_serves_exits_one(capsys: Any, free_ports: list[int]) -> None:
    """A service that does not answer is a failure (1), not a wrong command (2)."""
    code = _exit_code(["fault", "payment", "errors", "--on", "--url", f"http://127.0.0.1:{free_ports[0]}"])

    assert code == 1
    assert str(free_ports[0]) in capsys.readouterr().err


def test_a_taken_base_port_is_named(capsys: Any, taken_port: int, tmp_path: Any) -> None:
    """``up`` refuses a block with a port that someone else has."""
    code = _exit_code(["up", "--no-sidecars", "--base-port", str(taken_port), "--data-dir", str(tmp_path)])

    assert code == 2
    assert f"port {taken_port} is taken" in capsys.readouterr().err


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
