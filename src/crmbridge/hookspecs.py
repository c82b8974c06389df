"""The hooks a plugin can implement. All names start with `crmbridge_`; take only the arguments you need.

A plugin is a module named by an entry point in the group `crmbridge`. Parameters have no defaults: pluggy before
1.7 never filled them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from crmbridge.model.changes import Change, Receipt
    from crmbridge.plugins import AdapterSpec, IndicatorSpec, SandboxSpec, SinkSpec
    from crmbridge.ports import Run

hookspec = pluggy.HookspecMarker("crmbridge")
hookimpl = pluggy.HookimplMarker("crmbridge")


@hookspec
def crmbridge_adapters() -> Iterable[AdapterSpec]:  # type: ignore[empty-body]
    """Name the adapters of this plugin. Called once, when the command line needs a connection. Since 0.1."""


@hookspec
def crmbridge_sandboxes() -> Iterable[SandboxSpec]:  # type: ignore[empty-body]
    """Name the sandboxes of this plugin. Called by `crmbridge sandbox` and `crmbridge demo`. Since 0.1."""


@hookspec
def crmbridge_sinks() -> Iterable[SinkSpec]:  # type: ignore[empty-body]
    """Name the sinks of this plugin: places that a report can be sent to. Called when reports go out. Since 0.1."""


@hookspec
def crmbridge_indicators() -> Iterable[IndicatorSpec]:  # type: ignore[empty-body]
    """Name the indicators of this plugin: what its SQL counts over the views. Called for each report. Since 0.1."""


@hookspec
def crmbridge_before_apply(changes: Sequence[Change]) -> Iterable[tuple[str, str]]:  # type: ignore[empty-body]
    """Veto changes: give (change id, reason) pairs for those that must not be made. Since 0.1.

    Called once per plan, after it is confirmed and before the first write. An error here stops the run before
    anything is written.
    """


@hookspec
def crmbridge_after_apply(changes: Sequence[Change], receipts: Sequence[Receipt]) -> None:
    """Observe what one batch did, once its outcomes are journaled. Since 0.1.

    An error here is logged and costs nothing.
    """


@hookspec
def crmbridge_run_finished(run: Run) -> None:
    """Observe the end of a run. An error here is logged and costs nothing. Since 0.1."""
