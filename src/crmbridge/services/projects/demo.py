"""The demo: sandbox CRMs full of one sales team's deals, a project that connects them, and people at work in them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind, Ref
from crmbridge.plugins import Plugins, SandboxSpec
from crmbridge.ports import Clock
from crmbridge.sandbox import Sandbox, SandboxOptions, serve
from crmbridge.services.projects.checking import SETTINGS_FILE
from crmbridge.services.projects.creating import create_project

DEALS, SEED = 90, 7
# The teams whose CRMs these are, and which share of the deals each knows; they overlap, as after teams were joined.
TEAMS = {"inbound": (0.0, 0.65), "partners": (0.35, 0.85), "enterprise": (0.5, 1.0)}
MARK = ".crmbridge-demo"  # stands in a demo's folder, so that no other folder is ever cleared
HEADER = """\
# yaml-language-server: $schema=schema/crmbridge.json
# A demo project, written by `crmbridge demo`. The CRMs in it are sandboxes on this machine that are gone when the
# demo ends; what was pulled, planned and journaled stays in the state, so every command that only looks still works.
"""


class DemoCrm(Struct, frozen=True, kw_only=True):
    """One sandbox of the demo, being served."""

    connection: str
    spec: SandboxSpec
    sandbox: Sandbox
    url: str

    def edit(self, deal: str, field: str, text: str) -> None:
        """Edit a text field of the process on a deal, as somebody who works in this CRM would."""
        self.sandbox.state.edit_deal(deal, **{self.spec.fields[field]: text})


@contextlib.contextmanager
def demo_project(folder: Path, plugins: Plugins, clock: Clock) -> Iterator[tuple[Path, tuple[DemoCrm, ...]]]:
    """Serve a sandbox for every plugin that has one, and write a project that connects them.

    Gives the settings file and the CRMs. Raises ConfigurationError when no plugin has a sandbox, or when the folder
    holds something that is no demo.
    """
    specs = list(plugins.sandboxes().values())
    if not specs:
        raise ConfigurationError("No installed plugin has a sandbox", advice="pip install crmbridge-hubspot")
    _clear(folder)
    with contextlib.ExitStack() as stack:
        teams = [*TEAMS, *(spec.name for spec in specs[len(TEAMS) :])]  # more CRMs than teams go by their own names
        crms = tuple(_serve(stack, team, spec, clock) for team, spec in zip(teams, specs, strict=False))
        yield _write_project(folder, crms), crms


def people_at_work(crms: Sequence[DemoCrm], links: Mapping[str, Sequence[Ref]]) -> tuple[str, ...]:
    """Let people edit a few linked deals, one of them on two sides at once; gives what they did, for showing."""
    by_name = {crm.connection: crm for crm in crms}
    several = [
        refs
        for _, refs in sorted(links.items())
        if len(refs) > 1 and refs[0].kind is Kind.DEAL and all(ref.connection in by_name for ref in refs)
    ]
    told: list[str] = []
    for refs, text in zip(several, ("The plant manager", "The new finance lead", "The owner's daughter"), strict=False):
        by_name[refs[0].connection].edit(refs[0].id, "decision_maker", text)
        told.append(f"in {refs[0].connection}, deal {refs[0].id}: decision maker is now {text!r}")
    if len(several) > 3:
        for ref, text in zip(several[3], ("Two warehouses run dry", "Orders get lost on Fridays"), strict=False):
            by_name[ref.connection].edit(ref.id, "pains", text)
            told.append(f"in {ref.connection}, deal {ref.id}: pains are now {text!r}")
    return tuple(told)


def _clear(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            if not (folder / MARK).exists():
                raise ConfigurationError(f"{folder} is not empty, and no demo", advice="Name another folder.")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text("The next `crmbridge demo` here deletes this folder first.\n", "utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The demo can't be written to {folder}: {error.strerror or error}",
            advice="Name a folder that you may write to.",
        ) from error


def _serve(stack: contextlib.ExitStack, team: str, spec: SandboxSpec, clock: Clock) -> DemoCrm:
    sandbox = spec.build(SandboxOptions(seed=SEED, deals=DEALS, part=TEAMS.get(team, (0.5, 1.0)), clock=clock))
    served = stack.enter_context(serve(sandbox))
    return DemoCrm(connection=team, spec=spec, sandbox=sandbox, url=served.url)


def _write_project(folder: Path, crms: Sequence[DemoCrm]) -> Path:
    create_project(folder)
    for crm in crms:
        token = folder / "tokens" / crm.connection
        token.parent.mkdir(exist_ok=True)
        token.write_text(crm.sandbox.token, "utf-8")
    settings = folder / SETTINGS_FILE
    body = yaml.safe_dump(_settings(crms), sort_keys=False, allow_unicode=True, width=110)
    settings.write_text(HEADER + body, "utf-8")
    return settings


def _settings(crms: Sequence[DemoCrm]) -> dict[str, Any]:
    """Give settings that keep all CRMs in step and act where the bundled process is not kept."""
    names = [crm.connection for crm in crms]
    return {
        "version": 1,
        "process": "processes/b2b.yaml",
        "connections": {crm.connection: _connection(crm) for crm in crms},
        "stages": {crm.connection: {"pipeline": crm.spec.pipeline, "map": dict(crm.spec.stages)} for crm in crms},
        "sync": [_sync(names)] if len(names) > 1 else [],
        "enforce": [
            {"rule": "*", "action": "warn", "severity": "warning"},
            {"rule": "qualification.*", "action": "task", "severity": "error", "due": "2d"},
            {"rule": "negotiation.*", "action": "note", "severity": "error"},
            {"rule": "*.sla", "action": "task", "severity": "warning", "due": "1d"},
            {"rule": "proposal.*", "on": names[-1:], "action": "revert", "severity": "error"},
        ],
        "schedule": [{"run": "cycle", "cron": "*/15 8-19 * * mon-fri", "timezone": "Europe/Berlin"}],
        "reports": [{"name": "weekly", "sinks": [{"html": "reports/"}, {"markdown": "reports/"}]}],
    }


def _connection(crm: DemoCrm) -> dict[str, Any]:
    return {
        "adapter": crm.spec.name,
        "base_url": crm.url,
        "currency": "EUR",
        crm.spec.credential: {"file": f"tokens/{crm.connection}"},
        "fields": dict(crm.spec.fields),
    }


def _sync(names: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "main",
        "between": list(names),
        "fields": {
            "amount": {"conflict": f"prefer: {names[-1]}"},
            "pains": {"conflict": "ask"},
            "*": {"conflict": "newest"},
        },
        "create": list(names[-1:]),
    }
