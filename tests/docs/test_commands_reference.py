"""The pages on commands and exit codes say what the command line says."""

from __future__ import annotations

import re
from pathlib import Path

from crmbridge.cli.exits import EXITS
from crmbridge.cli.reference import page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_commands_is_up_to_date() -> None:
    """Write it anew with `python -m crmbridge.cli.reference`."""
    assert page() == (REFERENCE / "commands.md").read_text("utf-8")


def test_every_exit_code_is_documented() -> None:
    """With its name and the same words as in the help."""
    text = (REFERENCE / "exit-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\d+)` \| `(\w+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)

    assert [(str(one.code), one.name, one.means, one.advice or "-") for one in EXITS] == rows
