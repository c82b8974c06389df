"""Links as a whole: one counterpart in each CRM, what became of deletions, and that each effect is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from crmbridge.engine.sync.matching import link_id
from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Change, JournalEntry, Outcome, Plan
from crmbridge.model.records import Ref, Status
from crmbridge.testing.simulation.witness import Witness


def judge_counterparts(seen: Witness, plan: Plan) -> None:
    """Check that nothing is doubled, that each link is whole, and each open deal linked, or a person is asked."""
    _judge_doubles(seen)
    _judge_twins(seen)
    stopped = {item.link for item in plan.blocked}
    _judge_merged(seen, stopped)
    for link, refs in seen.links().items():
        sides = [ref.connection for ref in refs]
        assert len(sides) == len(set(sides)), f"P2: {link} has two records in one CRM: {refs}"
        live = [ref for ref in refs if ref in seen.deals()]
        if live and link not in stopped:
            _judge_missing(seen, link, live, set(seen.crms) - set(sides))
            _judge_deletion(seen, link, live)
    linked = {ref for refs in seen.links().values() for ref in refs}
    asked = {item.deal for item in plan.blocked}
    for ref in seen.deals():
        told = ref in linked | asked or link_id(ref) in stopped
        assert told or not _is_open(seen, ref), f"P1: {ref} has no link, and the plan says nothing of it"


def _judge_doubles(seen: Witness) -> None:
    for crm in seen.crms.values():
        # The survivor of a merge may have taken over the key of the other one.
        records = (record for ref, record in crm.records.items() if ref not in seen.was_shaken)
        keys = Counter(record.key for record in records if record.key)
        assert not [key for key, count in keys.items() if count > 1], f"P2: doubled in {crm.connection}: {keys}"
        marks = Counter((on, mark) for on, mark in crm.attached.values())
        assert not [mark for mark, count in marks.items() if count > 1], f"P2: doubled tasks in {crm.connection}"


def _judge_twins(seen: Witness) -> None:
    """Check that nobody guessed which of two deals of one name belongs to a third one."""
    for twins in seen.twins:
        guessed = [ref for ref in sorted(twins) if len(twins.intersection(seen.linked(ref))) > 1]
        assert not guessed, f"P2: which of {sorted(twins)} belong together was guessed: {guessed}"


def _judge_merged(seen: Witness, stopped: Collection[str]) -> None:
    """Check that what is left of merged deals has one of their counterparts for its own.

    Where it was there before it may have been given its own meanwhile, and where one of theirs is gone, or was just
    being made, it may have come to stand beside that one; then a person is asked about the other's.
    """
    deals, links = seen.deals(), seen.links()
    for merged in seen.merges:
        there = {ref for ref in merged.counterparts if ref in deals and ref not in seen.was_shaken}
        asked = any(link in stopped for link, refs in links.items() if there.intersection(refs))
        certain = merged.is_new and merged.is_whole and there == merged.counterparts
        if there and merged.left in deals and (certain or not asked):
            kept = there.intersection(seen.linked(merged.left))
            assert kept, f"P2: {merged.left} is what is left of merged deals, and lost their counterparts {there}"


def _is_open(seen: Witness, ref: Ref) -> bool:
    position = seen.crms[ref.connection].records[ref].position
    return position is not None and position.status is Status.OPEN


def _judge_missing(seen: Witness, link: str, live: Sequence[Ref], missing: Collection[str]) -> None:
    """Check that no counterpart is missing of an open deal; where stages can't be told, the first in order speaks."""
    first = min(live, key=lambda ref: seen.entry.between.index(ref.connection))
    whole = not missing or seen.is_ended(link) or seen.is_shaken(link) or not _is_open(seen, first)
    assert whole, f"P1: {link} lacks {missing}, and the plan says nothing of it"


def _judge_deletion(seen: Witness, link: str, live: Sequence[Ref]) -> None:
    """Check that a deletion got to the others where it should, unless somebody edited one of them at the time."""
    refs = seen.members[link]
    deleted = [seen.deleted_at[ref] for ref in refs if ref in seen.deleted_at]
    if seen.entry.delete != "archive" or not deleted or seen.is_shaken(link):
        return
    before = max(begin for begin in seen.begins if begin <= max(deleted))
    since = [edit for edit in seen.edits if edit.ref in refs and edit.number > before and not edit.fresh]
    edited = [edit for edit in since if not edit.number <= seen.settled(link, edit.name) < min(deleted)]
    remade = {ref.connection for ref in live} == set(seen.crms)
    excuses = (_differed, _may_have_differed, _may_lack)
    whole = edited or remade or any(excuse(seen, link, live) for excuse in excuses)
    assert whole, f"P1: {link} was deleted in one CRM, and {live} is still there"


def _differed(seen: Witness, link: str, live: Sequence[Ref]) -> bool:
    """Tell whether deals hold something else than one that is gone did: what did not get there beats a deletion.

    What was never agreed on does so, too, and what nobody entered: a deal that crmbridge made has an owner of its CRM.
    So does a stage, where one that is gone stood in none of the process.
    """
    gone = [seen.went_with[ref] for ref in seen.members[link] if ref in seen.went_with]
    held = [each for ref in live for each in seen.view(ref).items()]
    return any(had.get(name, None if name == STAGE else value) != value for name, value in held for had in gone)


def _may_have_differed(seen: Witness, link: str, live: Sequence[Ref]) -> bool:
    """Tell whether deals hold what nobody could say one of had that was gone: its field was named too late for that.

    What was never agreed on beats a deletion, also where both happened to hold the same.
    """
    unread = {name for ref in seen.members[link] for name in seen.unread.get(ref, ())}
    return any(seen.value(ref, name) is not None for ref in live for name in unread)


def _may_lack(seen: Witness, link: str, live: Sequence[Ref]) -> bool:
    """Tell whether deals hold what was sent to one that was gone before anybody knew whether it had arrived there.

    It counts as an edit that did not get there.
    """
    gone = [ref for ref in seen.members[link] if ref in seen.deleted_at]
    for name, value in [held for ref in live for held in seen.view(ref).items()]:
        sent = seen.values_sent(link, name)
        for ref in gone:
            last = [one for one in sent if one.ref == ref and one.at < seen.deleted_at[ref]][-1:]
            if any(one.value == value and not one.applied for one in last):
                return True
    return False


def judge_effects(seen: Witness) -> None:
    """Check that what the CRMs carried out is what the journal says was applied, each once."""
    rows = seen.rows
    last = {entry.change.id: entry for entry in rows if entry.outcome is not None}
    intents = {entry.change.id: entry for entry in rows if entry.outcome is None}
    sent = Counter(entry.change.id for entry in rows if entry.outcome is None)
    known = set(last)
    effects: Counter[str] = Counter()
    for crm in seen.crms.values():
        effects.update(crm.effects)
    assert set(+effects) <= known, "P6: something was carried out that the journal does not know"
    for change, entry in last.items():
        if _blurred(seen, entry.change, entry.ref) or _written_over(intents, entry):
            continue
        expected = int(entry.outcome is Outcome.APPLIED)
        found = effects[change]
        if entry.change.action is Action.AMEND and sent[change] > 1:
            # It only sets values, so after an unclear answer it is done once more: nobody can tell which of them was.
            found = min(found, 1)
            expected = max(expected, found)
        assert expected == found, f"P6: {change} is {entry.outcome} and was carried out {found} times"


def _blurred(seen: Witness, change: Change, ref: Ref | None) -> bool:
    """Tell whether what a change wrote was written by others too, so that reading back can't tell who did it."""
    target = change.target or ref
    names = {edit.name for edit in change.edits}
    if change.action is Action.CREATE:
        return bool(seen.deleted_at)
    others = [other for *_, other in seen.sent[change.link or ""] if other.target == target and other.id != change.id]
    if change.action is not Action.UPDATE:
        gone = target in seen.was_shaken or any(other.action is Action.ARCHIVE for other in others)
        return (change.action is Action.ARCHIVE and gone) or target in seen.deleted_at
    again = any(edit in other.edits for other in others for edit in change.edits)  # wanted anew since, and done
    return again or target in seen.deleted_at or any(e.ref == target and e.name in names for e in seen.edits)


def _written_over(intents: Mapping[str, JournalEntry], ended: JournalEntry) -> bool:
    """Tell whether another change was written over an update before anybody could read back what became of it."""
    change = ended.change
    first, names = intents[change.id].seq, {edit.name for edit in change.edits}
    between = [e.change for e in intents.values() if e.change.target == change.target and first < e.seq < ended.seq]
    return change.action is Action.UPDATE and any(edit.name in names for other in between for edit in other.edits)
