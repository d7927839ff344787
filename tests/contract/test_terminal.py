"""docs/terminal.md says what the program's commands are, in the program's words."""

from __future__ import annotations

from typing import Any

import typer

from collector import __main__ as collector_cli
from tests.contract import sources

COMMANDS = collector_cli.ASKING
GROUP = typer.main.get_command(collector_cli.cli)


def options(name: str) -> dict[str, str]:
    """The options of a command with their help."""
    command = GROUP.commands[name]  # type: ignore[attr-defined]
    return {each.opts[0]: each.help for each in command.params if each.opts[0].startswith("--") and each.opts[0] != "--help"}  # fmt: skip


def test_every_command_is_on_the_page_with_its_own_words() -> None:
    """And no other; the README's list of what there is begins there."""
    page = {sources.codes(row[0])[0].split()[1]: row[1] for row in sources.table("terminal.md", "Commands")}

    assert page == {name: (command.__doc__ or "").strip() for name, command in COMMANDS.items()}


def test_every_option_is_on_the_page() -> None:
    """With the commands that have it and its help, as --help prints it."""
    page = {sources.codes(row[0])[0]: (set(row[1].split(", ")), row[2].replace("\\|", "|")) for row in sources.table("terminal.md", "Options")}  # fmt: skip
    known: dict[str, tuple[set[str], set[str]]] = {}
    for name in COMMANDS:
        for option, said in options(name).items():
            names, helps = known.setdefault(option, (set(), set()))
            names.add(name)
            helps.add(said)

    assert set(page) == set(known)
    for option, (names, helps) in known.items():
        assert page[option][0] in (names, {"all"} if names == set(COMMANDS) else names), option
        assert page[option][1] in helps or page[option][1].split(" / ") == sorted(helps), option


def test_the_exit_codes_are_on_the_page() -> None:
    """A script relies on them."""
    from collector.terminal import output

    page = {int(sources.codes(row[0])[0]) for row in sources.table("terminal.md", "Exit codes")}

    assert page == {output.FOUND, output.NOTHING, output.ERROR, output.INTERRUPTED, 141}


def test_every_tool_of_assistants_is_on_the_page() -> None:
    """With the words that an assistant chooses it by."""
    from collector.assistants.tools import Tools

    page = {sources.codes(row[0])[0]: row[1] for row in sources.table("terminal.md", "Assistants")}

    nobody: Any = None
    assert page == {tool.__name__: (tool.__doc__ or "").strip() for tool in Tools(nobody, 1, 1).all()}
