"""The command line, as its own process: exit codes and sentences."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

_ROOT = Path(__file__).parents[2]


def _run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FUSEBOARD_")}
    command = [sys.executable, "-m", "collector", *arguments]
    return subprocess.run(
        command, cwd=_ROOT, env={**kept, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def test_beyond_loopback_without_keys_it_does_not_start(tmp_path: Path) -> None:
    """Exit 2 and what to set; nothing is created."""
    done = _run("serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "FUSEBOARD_INGEST_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_unknown_setting_ends_with_two() -> None:
    """A misspelt variable is not ignored."""
    done = _run("check", FUSEBOARD_PROT="1")

    assert done.returncode == 2
    assert done.stderr.strip() == "fuseboard: prot: unknown setting; 'fuseboard check' lists the known ones"


def test_check_prints_json_with_masked_secrets() -> None:
    """Every setting by name, the secret as stars."""
    done = _run("check", "--json", FUSEBOARD_ADMIN_KEY="hunter2", FUSEBOARD_PORT="4000")

    shown = json.loads(done.stdout)
    assert done.returncode == 0
    assert (shown["admin_key"], shown["port"]) == ("********", "4000")
    assert "hunter2" not in done.stdout + done.stderr


def test_sigterm_drains_and_ends_with_zero(serve) -> None:
    """What was acknowledged just before is in the database; a second collector on the directory had been refused."""
    served = serve()
    second = _run("serve", "--data-dir", str(served.data_dir), "--port", "0")
    taken = httpx.post(f"{served.url}/v1/lines", content=b"the last line", timeout=60)
    served._process.send_signal(signal.SIGTERM)
    code = served._process.wait(timeout=60)

    assert taken.status_code == 200
    assert code == 0
    assert served.tables("SELECT body FROM logs") == [{"body": "the last line"}]
    assert not list((served.data_dir / "journal").glob("*/*.seg"))
    assert (second.returncode, "another process writes the journal" in second.stderr) == (2, True)
