"""Ask a person at the terminal, and never anywhere else."""

from __future__ import annotations

import sys

import click

from crmbridge.cli.failures import InputNeededError
from crmbridge.cli.output import is_terminal


def must_be_able_to_ask(why: str) -> None:
    """Raise InputNeededError unless there is a terminal to ask at; called before any work is done."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise InputNeededError(
            f"{why}, and there is no terminal to ask at", advice="Give --yes to go on without asking."
        )


def ask(question: str) -> bool:
    """Ask a yes-or-no question on the terminal; only a clear yes counts as one."""
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort:  # Ctrl-C or Ctrl-D; what is said next begins a line of its own
        click.echo(err=True)
        raise
