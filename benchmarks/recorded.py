"""Measure what it costs to ask CRMs what deals held when they moved: requests of a cycle, with and without.

A project with one CRM, pulled; then so many deals are edited, moved on past a rule, and edited so that the rule is
broken now. Prints for each CRM the requests of the next cycle and of the idle one after it, and the findings that are
open then: where nothing is asked, and where it is. Asserts nothing.

    python benchmarks/recorded.py [--only hubspot] [--moved 100] [--deals 300]
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.plugins import SandboxSpec, load_plugins
from crmbridge.sandbox import SandboxOptions, VirtualClock, serve
from crmbridge.services.projects.checking import digest_of
from crmbridge.services.runs.cycle import run_cycle
from crmbridge.services.workspace import Project, Workspace
from crmbridge.settings import Settings
from crmbridge.store import open_store
from crmbridge.testing.factories import make_process, make_stage

VENDORS = {"hubspot": "dealstage", "pipedrive": "stage_id", "salesforce": "StageName"}  # and what holds the stage
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIELD = "decision_maker"
STAGES = ("prospecting", "qualification", "proposal")


class Figures(NamedTuple):
    """What one cycle took."""

    requests: int
    findings: int  # that are open after it


def process() -> Process:
    """Make a process of three stages, the second with a rule."""
    rule = {"id": "who", "check": {"required": [FIELD]}}
    stages = [make_stage(stage, exit=[rule] if stage == "qualification" else []) for stage in STAGES]
    return make_process(stages=stages, fields=[{"id": FIELD, "type": FieldType.TEXT.value, "name": FIELD}])


def measure(vendor: str, deals: int, moved: int, *, ask: bool) -> list[Figures]:
    """Give the figures of the cycle after the moves, and of the idle one after that."""
    plugin = importlib.import_module(f"crmbridge_{vendor}.plugin")
    spec = cast("SandboxSpec", next(iter(plugin.crmbridge_sandboxes())))
    clock = VirtualClock(MONDAY)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(spec.build(SandboxOptions(seed=3, deals=deals, clock=clock, now=MONDAY))) as served,
    ):
        (Path(folder) / "token").write_text(served.token, "utf-8")
        connection = {
            "adapter": vendor,
            "base_url": served.url,
            "currency": "EUR",
            spec.credential: {"file": f"{folder}/token"},
            "fields": {FIELD: spec.fields[FIELD]},
        }
        workspace = _workspace(plugin, connection, spec, clock, Path(folder))
        if not ask:
            _silence(workspace)
        state: Any = served.sandbox.state
        native = spec.fields[FIELD]
        if hasattr(state, "track_fields"):
            state.track_fields(native)
        for each in state.deal_ids()[:moved]:
            state.edit_deal(each, **{VENDORS[vendor]: _stage(vendor, spec, "qualification"), native: "Ann"})
        clock.advance(timedelta(days=1))
        run_cycle(workspace, "first")
        for changes in ({native: "Bo"}, {VENDORS[vendor]: _stage(vendor, spec, "proposal")}, {native: _none(vendor)}):
            clock.advance(MINUTE)
            for each in state.deal_ids()[:moved]:
                state.edit_deal(each, **changes)
        found = []
        for name in ("moved", "idle"):
            clock.advance(15 * MINUTE)
            before = len(served.sandbox.log.all())
            run_cycle(workspace, name)
            sent = len(served.sandbox.log.all()) - before
            found.append(Figures(sent, len(list(workspace.store.findings.findings()))))
        workspace.close()
    return found


def _workspace(
    plugin: Any, connection: dict[str, Any], spec: SandboxSpec, clock: VirtualClock, folder: Path
) -> Workspace:
    stages = {name: spec.stages[name] for name in STAGES}
    settings = Settings.model_validate(
        {
            "version": 1,
            "process": "p.yaml",
            "connections": {"crm": connection},
            "stages": {"crm": {"pipeline": spec.pipeline, "map": stages}},
            "enforce": [{"rule": "*", "action": "audit"}],
        }
    )
    model = process()
    project = Project(
        settings=settings, process=model, path=folder / "crmbridge.yaml", digest=digest_of(settings, model)
    )
    store = open_store(f"sqlite:///{folder / 'state.db'}")
    return Workspace(project=project, store=store, clock=clock, plugins=load_plugins({"one": plugin}, installed=False))


def _silence(workspace: Workspace) -> None:
    """Let the adapter declare that its CRM can't tell."""
    adapter = workspace.adapter("crm")
    declared = replace(adapter.capabilities, field_history=0)
    kind = type(adapter)
    silent = type(kind.__name__, (kind,), {"capabilities": property(lambda _: declared)})
    adapter.__class__ = silent


def _stage(vendor: str, spec: SandboxSpec, name: str) -> Any:
    return int(spec.stages[name]) if vendor == "pipedrive" else spec.stages[name]


def _none(vendor: str) -> Any:
    return "" if vendor == "hubspot" else None


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Measure asking CRMs what deals held when they moved.")
    parser.add_argument("--only", action="append", choices=tuple(VENDORS), help="one CRM; may be repeated (all)")
    parser.add_argument("--moved", type=int, default=100, help="deals that moved (100)")
    parser.add_argument("--deals", type=int, default=300, help="deals in all (300)")
    asked = parser.parse_args()
    print(f"{'CRM':<12}{'requests':>9}{'asking':>8}{'idle':>6}{'asking':>8}{'findings':>10}{'asking':>8}")
    for vendor in asked.only or VENDORS:
        moved, idle = measure(vendor, asked.deals, asked.moved, ask=False)
        asking, later = measure(vendor, asked.deals, asked.moved, ask=True)
        print(
            f"{vendor:<12}{moved.requests:>9}{asking.requests:>8}{idle.requests:>6}{later.requests:>8}"
            f"{moved.findings:>10}{asking.findings:>8}"
        )


if __name__ == "__main__":
    main()
