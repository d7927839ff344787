"""The commands of README.md are commands."""

from __future__ import annotations

import re
import shlex

from agents import __main__ as agent_cli
from agents import settings as agent_settings
from collector.formats.registry import PROTOCOLS
from collector.settings import Settings
from demo import __main__ as demo_cli
from tests.contract.sources import ROOT

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]


def test_make_targets_exist() -> None:
    """The two commands are targets of the Makefile."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    named = [command[1] for command in COMMANDS if command[0] == "make"]
    assert named == ["up", "test"]
    assert set(named) <= set(targets)


def test_the_faults_are_switched_where_the_shop_runs() -> None:
    """The program takes the command, and `fuseboard up --demo` keeps its shop in that directory."""
    shown = [command[3:] for command in COMMANDS if command[1:3] == ["-m", "demo"]]
    sample = (ROOT / "collector" / "sample.py").read_text()

    assert 'settings.data_dir / "shop"' in sample
    assert len(shown) == 2
    for arguments in shown:
        told = demo_cli._parser().parse_args(arguments)
        assert told.data_dir == Settings.model_validate({}).data_dir / "shop"


def test_the_agents_command_is_taken() -> None:
    """Its settings are settings and its words parse."""
    (command,) = [command for command in COMMANDS if "fuseboard-agent" in command]
    at = command.index("fuseboard-agent")
    environ = dict(word.split("=", 1) for word in command[:at])

    assert agent_cli._parse(command[at + 1 :]).child
    assert agent_settings.load(None, environ).resource["service.name"] == environ["OTEL_SERVICE_NAME"]


def test_the_path_that_curl_posts_to_is_served() -> None:
    """Its URL's path is one of the protocols'."""
    (command,) = [command for command in COMMANDS if command[0] == "curl"]

    assert any(command[-1].endswith(path) for protocol in PROTOCOLS for path in protocol.paths)
