"""Waiving: accept that a rule does not hold for a deal, until a day. No CRM is written to."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from crmbridge.engine.time.moments import shifted
from crmbridge.errors import ConfigurationError
from crmbridge.model.findings import Waiver
from crmbridge.model.values import iso
from crmbridge.ports import State
from crmbridge.services.answers.listing import find_finding
from crmbridge.services.runs.cycle import finish, writing
from crmbridge.services.workspace import Workspace

OPEN: frozenset[State] = frozenset({"open", "waived"})
_LENGTH = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def until_of(text: str, now: datetime) -> datetime:
    """Read until when: a day, which still counts (in UTC), or a length of time such as `30d`, `2w` or `48h`.

    Raises ConfigurationError for anything else, and for what is over already.
    """
    length = _LENGTH.fullmatch(text.strip())
    if length:
        until = now + int(length[1]) * _UNITS[length[2]]
    else:
        try:
            day = date.fromisoformat(text.strip())
        except ValueError:
            raise ConfigurationError(
                f"{text!r} is neither a day nor a length of time", advice="Write 2026-12-31, 30d, 2w or 48h."
            ) from None
        until = datetime.combine(day, time.min, tzinfo=UTC)
        until = shifted(until, timedelta(days=1))
    if until <= now:
        raise ConfigurationError(f"{text} is over already", advice="A waiver ends some time from now.")
    return until


def waive(workspace: Workspace, text: str, *, by: str, why: str, until: str) -> Waiver:
    """Waive a finding as one run: its rule, for its deal, until then; the next run ends what was begun about it.

    Raises ConfigurationError, noting nothing, when no one finding is meant or a part is missing.
    """
    if not by.strip() or not why.strip():
        raise ConfigurationError("A waiver says who gives it, and why", advice="Give --by WHO --why TEXT.")
    with writing(workspace, "findings") as run:
        finding = find_finding(workspace, text, OPEN).finding
        now = workspace.clock.now()
        waiver = Waiver(
            deal=finding.deal,
            rule=finding.rule,
            by=by.strip(),
            why=why.strip(),
            until=until_of(until, now),
            at=now,
        )
        workspace.store.waivers.put(waiver)
        said = {"by": waiver.by, "why": waiver.why, "until": iso(waiver.until)}
        finish(workspace, run, "findings", 0, {"waived": finding.id, "deal": str(finding.deal), **said})
    return waiver


def unwaive(workspace: Workspace, text: str, *, by: str) -> Waiver:
    """Take a waiver back as one run, and give it as it was; the next run acts on its findings again.

    Raises ConfigurationError when there is none: an approval in a CRM's field is taken back there.
    """
    with writing(workspace, "findings") as run:
        finding = find_finding(workspace, text, OPEN).finding
        links = workspace.store.links
        found = links.of([finding.deal]).get(finding.deal)
        deals = set(links.get([found]).get(found, ())) if found else {finding.deal}
        given = [w for w in workspace.store.waivers.all() if w.deal in deals and w.rule == finding.rule]
        if not given:
            advice = "Take the approval back in the CRM." if finding.waived else "`crmbridge findings --state waived`."
            raise ConfigurationError(f"No waiver was given for the finding {finding.id}", advice=advice)
        for waiver in given:
            workspace.store.waivers.drop(waiver.deal, waiver.rule, workspace.clock.now(), by)
        workspace.store.backlog.touch(sorted(deals))  # another of them may lead by now
        finish(workspace, run, "findings", 0, {"unwaived": finding.id, "deal": str(finding.deal), "by": by})
    return given[0]
