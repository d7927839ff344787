"""
``fuseboard-agent quarantine``: what a collector has rejected and why, and another try.

    fuseboard-agent quarantine list [--json]              one line per block, oldest first
    fuseboard-agent quarantine show SEQUENCE [--json]     one block: what was said, whose it is, its bytes
    fuseboard-agent quarantine retry SEQUENCE… | all      send again, as it was; a running agent begins within a second

``--config`` says where, as for the agent itself; or ``--data-dir``. Exit 1: there is no such block.
"""

import argparse
import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents import data_dir
from agents.own_log import rfc3339
from agents.quarantine import Kept, Quarantine
from agents.zstd import ZstdDecompressor

SHOWN_BYTES = 1 << 20


def run(arguments: list[str], find_data_dir: Callable[[str | None], Path]) -> int:
    """
    Run the command line after ``quarantine``.

    Args:
        arguments: What stands behind it.
        find_data_dir: Gives the data directory of the settings in the file that ``--config`` names.

    Returns:
        The exit code.

    Raises:
        WrongSetting: The settings cannot be read.
    """
    given = _parser().parse_args(arguments)
    home = given.data_dir or find_data_dir(given.config)
    quarantine = Quarantine(home / "quarantine")
    if given.action == "list":
        return _list(quarantine, as_json=given.json)
    if given.action == "show":
        return _show(quarantine, given.sequence, as_json=given.json)
    return _retry(quarantine, given.sequence, home)


def _list(quarantine: Quarantine, *, as_json: bool) -> int:
    kept = [_described(block) for block in quarantine.kept()]
    if as_json:
        _say(json.dumps(kept, indent=2))
        return 0
    for it in kept:
        said = "to be sent again" if it["asked"] else f"{it['status']} {it['said']}"
        _say(
            f"{it['sequence']:>10}  {it['rejected_at']}  {it['signal']:<8} {it['raw_bytes']:>9} B  {it['source']}  {said:.120}"
        )
    if not kept:
        _say("nothing is quarantined")
    return 0


def _show(quarantine: Quarantine, sequence: int, *, as_json: bool) -> int:
    block = next((it for it in quarantine.kept() if it.head.sequence == sequence), None)
    if block is None:
        return _missing(sequence)
    described = _described(block)
    body = ZstdDecompressor().decompress(block.body, SHOWN_BYTES)
    if as_json:
        _say(
            json.dumps(
                described | {"headers": block.head.headers, "body_base64": base64.b64encode(body).decode()},
                indent=2,
            )
        )
        return 0
    for name, value in described.items():
        _say(f"{name}: {value}")
    _say("")
    _say(body.decode(errors="backslashreplace"))
    return 0


def _retry(quarantine: Quarantine, wanted: list[str], home: Path) -> int:
    asked = (
        [it.head.sequence for it in quarantine.kept()] if wanted == ["all"] else [int(it) for it in wanted]
    )
    missing = [sequence for sequence in asked if not quarantine.retry(sequence)]
    when = (
        "the running agent sends them now"
        if data_dir.is_used(home)
        else "the agent sends them when it starts"
    )
    _say(f"{len(asked) - len(missing)} to be sent again; {when}")
    return max([_missing(sequence) for sequence in missing], default=0)


def _described(block: Kept) -> dict[str, Any]:
    head = block.head
    status, _, said = block.said.partition(" ")
    return {
        "sequence": head.sequence,
        "rejected_at": rfc3339(block.path.stat().st_mtime),
        "read_at": rfc3339(head.at),
        "asked": block.asked,
        "status": int(status) if status.isdecimal() else None,
        "said": said,
        "service": head.stream.service,
        "env": head.stream.env,
        "signal": head.stream.signal,
        "source": head.stream.source,
        "path": head.path,
        "range": [head.position.start, head.position.end],
        "raw_bytes": head.raw_bytes,
        "lines": head.lines,
        "key": head.key,
    }


def _missing(sequence: int) -> int:
    sys.stderr.write(
        f"fuseboard-agent: no block {sequence} is quarantined; see `fuseboard-agent quarantine list`\n"
    )
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--config", help="the agent's TOML file; or FUSEBOARD_AGENT_CONFIG")
    where.add_argument("--data-dir", type=Path, help="the agent's data directory, instead of its settings")
    shown = argparse.ArgumentParser(add_help=False)
    shown.add_argument("--json", action="store_true", help="for programs")
    parser = argparse.ArgumentParser(
        prog="fuseboard-agent quarantine", description="Blocks that a collector has rejected."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", parents=[where, shown], help="one line per block, oldest first")
    show = actions.add_parser("show", parents=[where, shown], help="one block with its bytes")
    show.add_argument("sequence", type=int)
    retry = actions.add_parser("retry", parents=[where], help="send again, as it was")
    retry.add_argument("sequence", nargs="+", type=_wanted, metavar="SEQUENCE|all")
    return parser


def _wanted(text: str) -> str:
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a sequence number nor 'all'")
    return text
