"""Show findings as a list, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.plan_view import edits_in_words
from crmbridge.cli.speech import english
from crmbridge.model.lives import accepted
from crmbridge.model.values import show
from crmbridge.services.answers.naming import names_for
from crmbridge.services.enforce.surrounding import voice_of

if TYPE_CHECKING:
    from crmbridge.engine.voice import Voice
    from crmbridge.services.answers.listing import Listed, ListedFinding, Shown
    from crmbridge.services.workspace import Workspace

TONES = {"error": Tone.BAD, "warning": Tone.WARN, "info": Tone.DIM}
_HEADS = ("id", "severity", "deal", "ref", "owner", "open since", "rule")
_SHORT = 6  # characters of an id, which tell findings apart in most lists


def list_lines(listed: Listed, now: datetime, voice: Voice, *, ended: int = 0) -> Iterator[Line]:
    """Show findings as a table, told by a voice; `ended` is how many were left out before these."""
    rows = [_row(one, now, voice) for one in listed.found]
    yield from table(rows, heads=_HEADS)
    yield ""
    deals = len({one.finding.deal for one in listed.found})
    yield f"{plural(len(listed.found), 'finding')} on {plural(deals, 'deal')}."
    if len(listed.found) < listed.total:
        rest = f"{listed.total:,} in all; --limit and --skip show others."
        yield dim(f"{ended + 1:,} to {ended + len(listed.found):,} of {rest}" if listed.found else rest)
    soon = sum(one.ends_soon(now) for one in listed.found)
    if soon:
        yield Tinted(f"{plural(soon, 'waiver')} here {'ends' if soon == 1 else 'end'} within a week.", Tone.WARN)


def _row(one: ListedFinding, now: datetime, voice: Voice) -> list[Part]:
    finding = one.finding
    grave = finding.severity.value if one.state == "open" else one.state
    said = f"{finding.rule}: {voice.finding(finding)}"
    if finding.waived and one.state == "waived":
        said = f"{finding.rule}: waived {_accepted(one, now)}"
    return [
        dim(finding.id[:_SHORT]),
        Tinted(grave, TONES[grave] if one.state == "open" else Tone.DIM),
        cut(one.deal, 32) or "(no name)",
        dim(str(finding.deal)),
        cut(one.owner, 28) or "nobody",
        one.opened_at.strftime("%Y-%m-%d"),
        said,
    ]


def _accepted(one: ListedFinding, now: datetime) -> str:
    waived = one.finding.waived
    if waived is None:
        return ""
    return accepted(waived) + ("; it ends soon" if one.ends_soon(now) else "")


def shown_lines(workspace: Workspace, shown: Shown, now: datetime) -> Iterator[Line]:
    """Show one finding: what it says, its history, what was done about it, and what would clear it."""
    one, finding = shown.listed, shown.listed.finding
    says = voice_of(workspace.project.process, workspace.project.settings).finding(finding)
    yield [strong(finding.id), f"  {finding.rule} of ", strong(f'"{cut(one.deal, 60)}"'), dim(f"  {finding.deal}")]
    grave = finding.severity.value
    rows: list[list[Part]] = [
        [dim("state"), one.state],
        [dim("severity"), Tinted(grave, TONES[grave])],
        [dim("owner"), one.owner or "nobody"],
        [dim("says"), says],
    ]
    rows += [[dim("waived"), _accepted(one, now)]] if finding.waived and one.state == "waived" else []
    rows += [[dim("" if n else "to clear"), said] for n, said in enumerate(shown.clears_told)]
    yield from table(rows, indent=2)
    yield ""
    yield strong("History")
    said = {finding.message: ""}  # how it was opened is what it says
    events = [[show(event.at), event.turn.value, said.get(event.said, event.said)] for event in shown.events]
    yield from table(events, indent=2)
    done = [entry for entry in shown.journal if entry.outcome is not None]
    if done:
        names, say = names_for(workspace, [entry.change for entry in done]), english()
        yield ""
        yield strong("What crmbridge did")
        yield from table(
            [
                [
                    show(e.at),
                    e.change.action.value,
                    str(e.outcome),
                    f"{edits_in_words(e.change, names, say)} {e.message}",
                ]
                for e in done
            ],
            indent=2,
        )
