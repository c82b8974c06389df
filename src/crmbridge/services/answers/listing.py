"""List the findings with their deals and owners, filtered the way people ask for them, and show one of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import islice

from msgspec import Struct

from crmbridge.engine.deals.checks import field_name
from crmbridge.engine.nearest import nearest
from crmbridge.engine.voice import ENGLISH, Voice
from crmbridge.errors import ConfigurationError, CrmbridgeError
from crmbridge.model.changes import JournalEntry
from crmbridge.model.findings import Finding, Judgement
from crmbridge.model.lives import FindingEvent
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import FindingQuery, State, StoredFinding
from crmbridge.services.chunks import chunks
from crmbridge.services.enforce.awaiting import READER
from crmbridge.services.enforce.evaluating import evaluate_one
from crmbridge.services.enforce.surrounding import voice_of
from crmbridge.services.workspace import Workspace

ANY: frozenset[State] = frozenset({"open", "waived", "cleared"})
MOST_SHOWN = 10  # findings named when a text fits several
SOON = timedelta(days=7)  # before the end of a waiver


class ListedFinding(Struct, frozen=True, kw_only=True):
    """A finding with what people call its deal and its deal's owner."""

    finding: Finding
    opened_at: datetime
    cleared_at: datetime | None = None
    deal: str
    owner: str  # e-mail or name; empty when the deal has none

    @property
    def state(self) -> State:
        """Say whether it is open, waived or cleared."""
        return "cleared" if self.cleared_at else "waived" if self.finding.waived else "open"

    def ends_soon(self, now: datetime) -> bool:
        """Tell whether its waiver runs out within a week."""
        until = self.finding.waived.until if self.finding.waived else None
        return until is not None and until - now <= SOON


class Listed(Struct, frozen=True, kw_only=True):
    """The findings asked for, and how many there are in all that pass."""

    found: tuple[ListedFinding, ...]
    total: int


class Shown(Struct, frozen=True, kw_only=True):
    """One finding in full: its history, what was done about it, and what would clear it."""

    listed: ListedFinding
    events: tuple[FindingEvent, ...]
    journal: tuple[JournalEntry, ...]
    clears: tuple[str, ...]  # in English
    clears_told: tuple[str, ...]  # the same in the language of the settings


def list_findings(workspace: Workspace, query: FindingQuery, owner: str | None = None) -> Listed:
    """Give the findings that are wanted: the gravest first, then the oldest.

    `owner` is a part of an owner's e-mail or name; the store knows none, so it is looked for among all that else pass.
    """
    if owner is None:
        found = tuple(one for one, _ in _called(workspace, workspace.store.findings.search(query)))
        return Listed(found=found, total=workspace.store.findings.total(query))
    every = workspace.store.findings.search(replace(query, skip=0, limit=None))
    fitting = [one for one, called in _called(workspace, every) if owner.casefold() in called.casefold()]
    end = None if query.limit is None else query.skip + query.limit
    return Listed(found=tuple(islice(fitting, query.skip, end)), total=len(fitting))


def judged_before(workspace: Workspace) -> bool:
    """Tell whether deals were pulled and judged: before that, it is no good news that nothing is found."""
    pulled = any(workspace.store.records.pulled_at(name, Kind.DEAL) for name in workspace.connections)
    return pulled and any(reader.startswith(READER) for reader in workspace.store.backlog.readers())


def check_names(workspace: Workspace, query: FindingQuery) -> None:
    """Raise ConfigurationError where a query that found nothing names what isn't there: it is a slip, not good news.

    Asked only then, as findings of rules that the process had earlier can be looked for as well.
    """
    settings, process = workspace.project.settings, workspace.project.process
    rules = process.rule_ids()
    if query.connection is not None and query.connection not in settings.connections:
        raise _unknown("connection", query.connection, settings.connections)
    if query.stage is not None and process.stage(query.stage) is None:
        raise _unknown("stage", query.stage, [stage.id for stage in process.stages])
    if query.rule is not None and not any(fnmatchcase(rule, query.rule.casefold()) for rule in rules):
        raise _unknown("rule", query.rule, rules)


def _unknown(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    guess = nearest(name, known)
    advice = f"Did you mean {guess!r}?" if guess else f"There are: {', '.join(known) or 'none'}."
    return ConfigurationError(f"There is no {what} {name!r}", advice=advice)


def find_finding(workspace: Workspace, text: str, states: frozenset[State] = ANY) -> StoredFinding:
    """Find a finding by the start of its id; raises ConfigurationError when that is none, or several."""
    query = FindingQuery(states=states, id_begins=text, limit=MOST_SHOWN)
    found = list(workspace.store.findings.search(query)) if text else []
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.finding.id for one in found)
        raise ConfigurationError(f"Several findings begin with {text!r}", advice=f"Give more: {ids}")
    kind = "" if states == ANY else "open "
    raise ConfigurationError(
        f"There is no {kind}finding {text!r}", advice="`crmbridge findings` lists them with their ids."
    )


def show_finding(workspace: Workspace, text: str) -> Shown:
    """Show one finding; raises ConfigurationError when the text names none, or several."""
    stored = find_finding(workspace, text)
    finding = stored.finding
    ((listed, _),) = _called(workspace, [stored])
    events = workspace.store.findings.events(finding.deal, finding.rule)
    voice = voice_of(workspace.project.process, workspace.project.settings)
    english, told = ((), ()) if stored.cleared_at else _clears(workspace, finding, (ENGLISH, voice))
    return Shown(
        listed=listed,
        events=tuple(event for event in events if event.visit == finding.visit),
        journal=tuple(e for e in workspace.store.journal.about([finding.deal]) if e.change.finding == finding.id),
        clears=english,
        clears_told=told,
    )


def _clears(workspace: Workspace, finding: Finding, voices: Iterable[Voice]) -> Iterator[tuple[str, ...]]:
    """Say what would clear a finding, from the deal as it is known now, beside what the finding says itself."""
    deal = workspace.store.records.get([finding.deal]).get(finding.deal)
    missing = () if deal is None else tuple(_missing(workspace, deal, finding))
    for voice in voices:
        if deal is None:
            yield (voice.line("gone"),)
            continue
        names = [", ".join(field_name(f, workspace.project.process, voice.language) for f in each) for each in missing]
        unsaid = (each for each in names if each and each not in voice.finding(finding))
        yield (voice.advice(finding.kind), *(voice.line("fill_in", fields=each) for each in unsaid))


def _missing(workspace: Workspace, deal: Record, finding: Finding) -> Iterator[tuple[str, ...]]:
    """Give the fields that a finding's rule misses now."""
    try:
        evaluation = evaluate_one(workspace, deal).evaluation
    except CrmbridgeError:  # its connection left the settings
        return
    for verdict in (*evaluation.entry, *evaluation.judged):
        if verdict.rule == finding.rule and verdict.judgement in {Judgement.FAIL, Judgement.UNKNOWN}:
            yield verdict.missing


def _called(workspace: Workspace, stored: Iterable[StoredFinding]) -> Iterator[tuple[ListedFinding, str]]:
    """Give findings with their deals' names and owners, and everything that these owners are called."""
    users = {
        user.ref: user for name in workspace.connections for user in workspace.store.records.records(name, Kind.USER)
    }
    for some in chunks(stored):
        deals = workspace.store.records.get([one.finding.deal for one in some])
        for finding, opened_at, cleared_at in some:
            deal = deals.get(finding.deal)
            shown, called = _names(_owner(deal, users))
            name = str(deal.fields.get("name") or "") if deal else ""
            listed = ListedFinding(finding=finding, opened_at=opened_at, cleared_at=cleared_at, deal=name, owner=shown)
            yield listed, called


def _owner(deal: Record | None, users: Mapping[Ref, Record]) -> Record | None:
    if deal is None or not deal.fields.get("owner"):
        return None
    return users.get(Ref(deal.ref.connection, Kind.USER, str(deal.fields["owner"])))


def _names(user: Record | None) -> tuple[str, str]:
    """Give what an owner is shown as, and everything that they are called."""
    if user is None:
        return "", ""
    name, email = str(user.fields.get("name") or ""), str(user.fields.get("email") or "")
    return email or name, f"{email} {name}"
