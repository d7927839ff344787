"""docs/replay.md says what the options are, in the program's words."""

import typer

from collector import __main__ as program
from tests.contract import sources


def test_every_option_is_on_the_page():
    """As --help prints it."""
    command = typer.main.get_command(program.cli).commands["replay"]
    known = {
        each.opts[0]: each.help
        for each in command.params
        if each.opts[0].startswith("--") and each.opts[0] != "--help"
    }

    assert {sources.codes(row[0])[0]: row[1] for row in sources.table("replay.md", "Options")} == known
