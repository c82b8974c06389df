"""`crmbridge connections`: what is connected, and what one account has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, strong, table
from crmbridge.model.replacing import replace

if TYPE_CHECKING:
    from crmbridge.cli.speech import Speech
    from crmbridge.services.accounts.setup import SetUp, Setup
    from crmbridge.services.workspace import Workspace

DECLINED = 10  # the changes are still pending


@as_command(
    "connections",
    examples=[
        ("connections", "list them, without a network"),
        ("connections describe hs", "the pipelines, stages and fields of one account, with their ids"),
        ("connections setup hs", "make the fields that the account lacks, after asking"),
    ],
)
@click.argument("action", type=click.Choice(["list", "describe", "setup"]), default="list")
@click.argument("name", required=False)
@click.option("--yes", "-y", is_flag=True, help="For setup: don't ask.")
def command(call: Call, action: str, name: str | None, yes: bool) -> Reply:  # noqa: FBT001  click's flag
    """List the connections, describe what one account has, or set it up for the process.

    The ids that `describe` shows are what the settings take under `stages:` and `fields:`. `setup` plans the fields
    that the account lacks, shows them, asks, and makes them; what the API can't make is told step by step.
    """
    if action != "list" and name is None:
        raise click.UsageError(f"Name the connection to {action.replace('setup', 'set up')}.")
    if action == "setup":
        return _set_up(call, str(name), yes=yes)
    with call.workspace() as workspace:
        if action == "list":
            return _list(workspace)
        return _describe(workspace, str(name))


def _list(workspace: Workspace) -> Reply:
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  imports are paid by their users
    from crmbridge.model.records import Kind  # noqa: PLC0415  the same
    from crmbridge.model.values import iso  # noqa: PLC0415  the same
    from crmbridge.services.answers.overview import sign_ins  # noqa: PLC0415  the same

    settings, now = workspace.project.settings, workspace.clock.now()
    say = speech_of(workspace)
    pulled = {name: workspace.store.records.pulled_at(name, Kind.DEAL) for name in settings.connections}
    noted = {one.connection: (one.way, max(0, (now - one.since).days)) for one in sign_ins(workspace)}
    found = [
        {
            "name": name,
            "adapter": connection.adapter,
            "base_url": connection.options.get("base_url"),
            "stages_mapped": name in settings.stages,
            "fields_bound": len(connection.fields),
            "synced_by": [sync.name for sync in settings.sync if name in sync.between],
            "pulled_at": iso(at) if (at := pulled[name]) else None,
            "signed_in": dict(zip(("way", "days"), noted[name], strict=True)) if name in noted else None,
        }
        for name, connection in settings.connections.items()
    ]
    rows: list[list[Part]] = [
        [
            strong(name),
            connection.adapter,
            say("connection_mapped") if name in settings.stages else say("connection_unmapped"),
            say.counted("connection_bound", len(connection.fields)),
            ", ".join(sync.name for sync in settings.sync if name in sync.between) or "-",
            f"{at:%Y-%m-%d %H:%M}" if (at := pulled[name]) else say("never"),
            "; ".join(
                (
                    _signed_in(*noted[name], say) if name in noted else say("connection_unseen"),
                    str(connection.options.get("base_url") or say("connection_usual")),
                )
            ),
        ]
        for name, connection in settings.connections.items()
    ]
    lines: list[Line] = list(table(rows, heads=_heads(say)))
    return Reply(result={"connections": found}, lines=lines or [say("connection_none")])


def _heads(say: Speech) -> tuple[str, ...]:
    known = (say("connection_name"), say("connection_adapter"), say("connection_stages"), say("connection_fields"))
    return (*known, say("connection_synced"), say("connection_pulled"), say("connection_signed"))


def _signed_in(way: str, days: int, say: Speech) -> str:
    return say.counted("connection_in_by", days, way=way)


def _describe(workspace: Workspace, name: str) -> Reply:
    from crmbridge.cli.account_view import account_form, account_lines  # noqa: PLC0415  imports are paid by their users
    from crmbridge.services.accounts.signin import sign_in  # noqa: PLC0415  the same

    adapter = workspace.adapter(name)
    account = adapter.describe()
    shown = (name, account, adapter.capabilities, sign_in(workspace, name, account))
    return Reply(result=account_form(*shown), lines=list(account_lines(*shown)))


def _set_up(call: Call, name: str, *, yes: bool) -> Reply:
    from crmbridge.cli.answers import FIELDS_LEFT, FIELDS_LEFT_ADVICE  # noqa: PLC0415  imports are paid by their users
    from crmbridge.cli.asking import ask, must_be_able_to_ask  # noqa: PLC0415  the same
    from crmbridge.cli.plan_view import plan_lines  # noqa: PLC0415  the same
    from crmbridge.cli.setup_view import setup_lines  # noqa: PLC0415  the same
    from crmbridge.cli.speech import speech_of  # noqa: PLC0415  the same
    from crmbridge.services.accounts.setup import plan_setup  # noqa: PLC0415  the same
    from crmbridge.services.answers.naming import names_for  # noqa: PLC0415  the same

    with call.workspace() as workspace:
        setup, say = plan_setup(workspace, name), speech_of(workspace)
        plan = list(plan_lines(setup.plan, names_for(workspace, setup.plan.changes), say))
    lines = list(setup_lines(setup, plan))
    if not setup.plan.changes:
        code = setup.exit_code
        error = error_part(code, message=FIELDS_LEFT, advice=FIELDS_LEFT_ADVICE) if code else None
        return Reply(result=_setup_form(setup, None), lines=lines, exit_code=code, error=error)
    if not (yes and (call.json or call.quiet)):
        call.err.show(lines) if call.json else call.out.show(lines)
    if not yes:
        must_be_able_to_ask("The set-up must be confirmed")
    if not yes and not ask(say("may_make")):
        return Reply(result=_setup_form(setup, None), lines=[say("no_writing")], exit_code=DECLINED)
    with call.workspace() as workspace:
        return _answer(workspace, setup)


def _answer(workspace: Workspace, setup: Setup) -> Reply:
    from crmbridge.cli.answers import answer_run  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.setup_view import binding_lines, manual_lines  # noqa: PLC0415  the same
    from crmbridge.services.accounts.setup import run_setup  # noqa: PLC0415  the same

    done = run_setup(workspace, setup)
    answer = answer_run(workspace, done.ran)
    lines = [*answer.lines, *manual_lines(done.manual), *binding_lines(setup.connection, done.bindings)]
    return replace(answer, result=_setup_form(setup, done), lines=lines)


def _setup_form(setup: Setup, done: SetUp | None) -> dict[str, Any]:
    from crmbridge.cli.forms import ran_form  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.setup_view import manual_form  # noqa: PLC0415  the same
    from crmbridge.model.codec import plan_to_json  # noqa: PLC0415  the same

    return {
        "name": setup.connection,
        "account": setup.account,
        "plan": plan_to_json(setup.plan),
        "applied": ran_form(done.ran) if done else None,
        "manual": manual_form(done.manual if done else setup.manual),
        "fields": dict(done.bindings if done else setup.bindings),
    }
