"""Read the moments that are typed on the command line."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crmbridge.model.cases import When
    from crmbridge.services.workspace import Workspace


def earlier(workspace: Workspace, text: str, option: str) -> datetime:
    """Read a moment that has passed: a day, a time, or how long ago; business time in the process's first calendar.

    `90d` is understood as `90d ago`. Raises UsageError for anything else, and for a moment to come.
    """
    from crmbridge.engine.cases.case_values import moment_of  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.enforce.evaluating import compile_calendars  # noqa: PLC0415  the same

    now = workspace.clock.now()
    try:
        found = moment_of(_when(text), now, next(iter(compile_calendars(workspace).values()), None))
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"{option}: {error}") from None
    if found > now:
        raise click.UsageError(f"{option}: {text!r} is still to come")
    return found


def _when(text: str) -> When:
    from crmbridge.model.business_time import Duration  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.model.cases import When  # noqa: PLC0415  the same

    with contextlib.suppress(ValueError):
        return When(offset=Duration.parse(text))
    return When.parse(text)
