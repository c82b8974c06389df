"""Write docs/reference/commands.md from the help that the commands print; with `--check`, only compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from crmbridge.cli.call import Call
from crmbridge.cli.commands_table import COMMANDS, SECTIONS
from crmbridge.cli.grammar import WIDTH
from crmbridge.cli.main import commands

PAGE = Path("docs/reference/commands.md")
INTRODUCTION = """\
# Commands

What each command's `--help` says. This page is written by `python -m crmbridge.cli.reference`, and a test keeps the two
in step.

## What holds for every command

- **Options on either side.** `crmbridge --json plan` and `crmbridge plan --json` mean the same.
- **Results on stdout, messages on stderr.** Without a terminal there is no question, no colour and no bar.
- **`--quiet`** says nothing when all is well, and everything when the exit code isn't 0: right for cron.
- **`--json`** prints exactly one JSON document on stdout, also for errors:

  ```json
  {"ok": true, "command": "plan", "result": {}, "exit_code": 0}
  {"ok": false, "command": "plan", "error": {"code": "locked", "message": "…", "advice": "…", "diagnostics": []},
   "exit_code": 11}
  ```

  `ok` is false exactly when there is an `error`, and that is whenever the exit code is neither 0 nor 10. A command that
  did part of its work has both `error` and `result`. `error.code` and the names in `result` are stable; values have the
  forms of plan files: `{"money": ["12000", "EUR"]}`, `{"date": "2026-06-10"}`, `{"datetime": "2026-06-10T12:00:00Z"}`,
  `{"decimal": "1.5"}`, `{"set": []}`; a ref is `["hs", "deal", "1234"]`.
- **Exit codes** are the same everywhere: [exit-codes.md](exit-codes.md).
- **Ctrl-C, SIGTERM and closing the terminal** end a run in good order: the lease is given back, the journal is whole,
  the next run goes on.
- **A bug** ends with exit 1 and names a log file with the traceback. No values are in it, and no secrets.
"""


def page() -> str:
    """Give the whole page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    with click.Context(commands, info_name="crmbridge", terminal_width=WIDTH, obj=Call()) as parent:
        yield "## `crmbridge`\n"
        yield _block(parent.get_help())
        for key, title in SECTIONS.items():
            yield f"## {title}\n"
            for name in [name for name, entry in COMMANDS.items() if entry.section == key]:
                command = commands.get_command(parent, name)
                if command is None:
                    raise LookupError(name)
                yield f"### `crmbridge {name}`\n"
                with click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH) as context:
                    yield _block(command.get_help(context))


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


def main(args: Sequence[str]) -> int:
    """Write the page, or with `--check` tell whether it is as it would be written."""
    if "--check" in args:
        return 0 if PAGE.is_file() and PAGE.read_text("utf-8") == page() else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
