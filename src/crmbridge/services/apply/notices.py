"""Notices: tell a sink of findings. Each is told once; what may have arrived is not sent again."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.errors import ConfigurationError, CrmbridgeError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.services.workspace import Workspace

AT_ONCE = 20  # notices in one message


def send(workspace: Workspace, batch: Sequence[Change]) -> list[Receipt]:
    """Send notices to their sink, in one message; one receipt each. A sink that fails costs nothing else."""
    from crmbridge.report import Notice, notice_document, open_sink  # noqa: PLC0415  templates, for the few who need them

    name, settings = sink_of(batch[0]), workspace.project.settings
    said = [Notice(*(str(change.after.get(part) or "") for part in ("subject", "to", "body"))) for change in batch]
    try:
        entry = settings.notices.get(name)
        if entry is None:
            raise ConfigurationError(f"There is no sink {name!r} under `notices`")
        sink = open_sink(entry, workspace.project.folder, workspace.plugins.sinks(), workspace.clock.now)
        place = sink.deliver(notice_document(f"notice-{batch[0].id}", said, settings.language))
        outcome, message = Outcome.APPLIED, f"told {name}: {place}"
    except UnclearError as error:  # nobody wants to be told twice
        outcome, message = Outcome.APPLIED, f"told {name}, and it may not have arrived: {error.message}"
    except CrmbridgeError as error:
        outcome, message = Outcome.FAILED, f"{name} was not told: {error.message}"
    return [Receipt(change=change.id, outcome=outcome, ref=change.target, message=message) for change in batch]


def sink_of(change: Change) -> str:
    """Name the sink that a notice goes to; nothing for other changes."""
    return str(change.after.get("sink") or "") if change.action is Action.NOTIFY else ""
