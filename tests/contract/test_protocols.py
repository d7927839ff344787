"""Every protocol's folder says what it is and stands in docs/protocols.md."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from collector import formats
from collector.formats.breakers.receive import STATES
from collector.formats.lines import receive as lines
from collector.formats.registry import BEHIND, PROTOCOLS
from collector.load.mapping import read_mappings
from collector.receive.protocol import Protocol
from tests.contract import sources
from tests.contract.sources import ROOT

FOLDERS = ROOT / "collector" / "formats"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_protocol_is_documented(protocol: Protocol) -> None:
    """Its package has a docstring, its files are there, its paths, tables and seal age stand in its row of the page."""
    rows = {sources.codes(row[0])[0]: row for row in sources.table("protocols.md") if len(row) == 6}
    package = importlib.import_module(f"{formats.__name__}.{protocol.name}")

    assert inspect.getdoc(package)
    mappings = read_mappings(FOLDERS / protocol.name, protocol.tables)
    targets = re.findall(r"^INSERT INTO (\w+)", "\n".join(mapping.sql for mapping in mappings), re.MULTILINE)
    filled = [table for target in targets for table in BEHIND.get(target, (target,))]
    by_suffix = [f"/{{index}}{protocol.suffix}"] if protocol.suffix else []
    if protocol.paths:  # syslog has ports
        assert sources.codes(rows[protocol.name][1]) == [*protocol.paths, *by_suffix]
    assert sources.codes(rows[protocol.name][4]) == list(dict.fromkeys(filled))
    assert rows[protocol.name][5] == f"{protocol.seal_age_s:g} s"


def test_every_folder_is_a_protocol_and_on_the_page() -> None:
    """No folder under formats/ is forgotten by the registry or the page, and the page invents none."""
    folders = {path.parent.name for path in FOLDERS.glob("*/receive.py")}
    rows = {sources.codes(row[0])[0] for row in sources.table("protocols.md") if len(row) == 6}

    assert {protocol.name for protocol in PROTOCOLS} == folders == rows


def test_what_a_header_or_a_state_may_be_is_on_the_page() -> None:
    """Each format of lines and each state of a breaker is named."""
    text = (ROOT / "docs" / "protocols.md").read_text()

    assert all(f"`{name.decode()}`" in text for name in lines._FORMATS if name)
    assert all(f"`{state}`" in text for state in STATES)
