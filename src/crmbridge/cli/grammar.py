"""How the command line is read and its help laid out: global options on either side, commands found by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from crmbridge import __version__
from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.commands_table import COMMANDS, SECTIONS
from crmbridge.cli.exits import EXITS
from crmbridge.cli.failures import AnsweredError

SEVERITIES = ("info", "warning", "error")
WIDTH = 100  # columns of help, where the terminal has as many


class GlobalOption(click.Option):
    """An option that means the same before and after the command."""


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Call), name, value)

    return remember


def _answer_version(context: click.Context, _parameter: click.Parameter, asked: Any) -> None:
    if asked and not context.resilient_parsing:
        raise AnsweredError(Reply(result={"version": __version__}, lines=[f"crmbridge {__version__}"]))


def _answer_help(context: click.Context, _parameter: click.Parameter, asked: Any) -> None:
    if asked and not context.resilient_parsing:
        text = context.get_help()
        raise AnsweredError(Reply(result={"help": text}, lines=text.splitlines()))


def global_options() -> list[click.Parameter]:
    """Make the options that hold everywhere."""
    flag: dict[str, Any] = {"is_flag": True, "flag_value": True, "default": None, "expose_value": False}
    return [
        GlobalOption(
            ["--project"],
            metavar="PATH",
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_set("project"),
            help="The project's folder or settings file.  [default: .]",
        ),
        GlobalOption(["--json"], **flag, callback=_set("json"), help="Print exactly one JSON document."),
        GlobalOption(["--quiet", "-q"], **flag, callback=_set("quiet"), help="Say nothing when all is well."),
        GlobalOption(["--verbose", "-v"], **flag, callback=_set("verbose"), help="Say what is being done."),
        GlobalOption(
            ["--no-color"],
            is_flag=True,
            flag_value=False,
            default=None,
            type=bool,
            expose_value=False,
            callback=_set("colour"),
            help="Use no colours (as NO_COLOR does).",
        ),
        GlobalOption(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_answer_version,
            help="Print the version.",
        ),
        GlobalOption(
            ["--help", "-h"], is_flag=True, is_eager=True, expose_value=False, callback=_answer_help, help="Print this."
        ),
    ]


class Command(click.Command):
    """One command, with the global options beside its own and a few examples under its help."""

    def __init__(self, name: str | None, *, examples: Sequence[tuple[str, str]] = (), **attributes: Any) -> None:
        super().__init__(name, **{**attributes, "add_help_option": False})
        self.examples = examples
        self.params += global_options()

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Note which command it is before its arguments are read, so that what is wrong there can say so."""
        if parent is not None:
            parent.ensure_object(Call).command = info_name or ""
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the global ones."""
        own = [p for p in self.params if not isinstance(p, GlobalOption)]
        _write_options(ctx, formatter, "Options", own)
        _write_options(ctx, formatter, "Everywhere", [p for p in self.params if isinstance(p, GlobalOption)])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl([(f"crmbridge {typed}", does) for typed, does in self.examples], col_max=60)


class Commands(click.Group):
    """All commands. A command's module is imported when it is called."""

    def __init__(self, run: Callable[[Sequence[str]], int]) -> None:
        super().__init__("crmbridge", add_help_option=False, help=ABOUT, params=global_options(), no_args_is_help=False)
        self._run = run

    def main(self, args: Sequence[str] | None = None, *_: Any, **_extra: Any) -> Any:
        """Run a command line and end the process with its exit code."""
        raise SystemExit(self._run(sys.argv[1:] if args is None else args))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the command; with nothing typed at all, show what could be."""
        if not args:
            raise AnsweredError(
                Reply(exit_code=2, error=error_part(2, message=NOTHING), shown=ctx.get_help().splitlines())
            )
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Name the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import one command's module and give its command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = import_module(entry.module).command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; for one that isn't there, name the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(_no_command(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for, the global options, and the exit codes."""
        for key, title in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, e.summary) for name, e in COMMANDS.items() if e.section == key])
        _write_options(ctx, formatter, "Everywhere", self.params)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(one.code), one.means) for one in EXITS])


NOTHING = "No command was given"
ABOUT = """Write your sales process once; keep it true in every CRM.

New here? `crmbridge init shop` starts a project in the folder shop. Then, in that folder: `crmbridge check`,
`crmbridge doctor`, `crmbridge plan`. Nothing is written to a CRM before `apply`, `enforce` or `run`.
"""


def as_command(name: str, *, examples: Sequence[tuple[str, str]] = ()) -> Callable[[Callable[..., Reply]], Command]:
    """Make a function a command. Its docstring is the help; it takes the Call first, then its parameters."""

    def decorate(function: Callable[..., Reply]) -> Command:
        with_call = click.pass_obj(function)
        made: Command = click.command(
            name, cls=Command, examples=examples, context_settings={"max_content_width": WIDTH}
        )(with_call)
        return made

    return decorate


fail_on_option = click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="End with 9 when there are findings at least this grave."
)


def _no_command(typed: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  only for a typing error

    near = get_close_matches(typed, COMMANDS, n=1)
    return f"There is no command {typed!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _write_options(
    ctx: click.Context, formatter: click.HelpFormatter, title: str, params: Iterable[click.Parameter]
) -> None:
    rows = [row for param in params if (row := param.get_help_record(ctx))]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def asks_for_json(args: Sequence[str]) -> bool:
    """Tell whether `--json` was typed, wherever it stands: also when the rest can't be read."""
    end = list(args).index("--") if "--" in args else len(args)
    return "--json" in args[:end]
