"""OTLP over gRPC is an extra: without it the default port stays closed, a port that was asked for ends the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector import listeners
from collector.errors import FuseboardError
from collector.settings import Settings

_WITHOUT = "import sys; sys.modules['grpc'] = None; from collector.__main__ import main; main()"


def test_without_the_extra_the_default_port_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the log says so; 0 says nothing."""
    monkeypatch.setitem(sys.modules, "collector.formats.otlp_grpc", None)
    with capture_logs() as said:
        served = listeners._grpc(Settings.model_validate({}), None)
        off = listeners._grpc(Settings.model_validate({"grpc_port": 0}), None)

    assert (served, off) == (None, None)
    assert [(line["event"], line["reason"]) for line in said] == [
        ("grpc_off", "the extra 'grpc' is not installed")
    ]


def test_without_the_extra_a_port_that_was_asked_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set it counts on it, even if it is the default's number."""
    monkeypatch.setitem(sys.modules, "collector.formats.otlp_grpc", None)
    with pytest.raises(
        FuseboardError, match=r"grpc_port: 4317 needs the extra 'grpc' \(pip install 'fuseboard\[grpc\]'\)"
    ) as refused:
        listeners._grpc(Settings.model_validate({"grpc_port": 4317}), None)

    assert (refused.value.code, refused.value.param) == ("bad_setting", "grpc_port")


def test_the_program_ends_with_2_and_the_sentence(tmp_path: Path) -> None:
    """Before it listens anywhere."""
    command = [sys.executable, "-c", _WITHOUT, "serve", "--data-dir", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(
        command,
        env={"FUSEBOARD_GRPC_PORT": "4999", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, "fuseboard: grpc_port: 4999 needs the extra 'grpc'" in done.stderr) == (2, True)
