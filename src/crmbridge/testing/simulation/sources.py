"""What sync may write: what somebody put there, where the policy lets it; and take away only what was deleted."""

from __future__ import annotations

from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Ref
from crmbridge.testing.simulation.moving import check_move
from crmbridge.testing.simulation.sight import HANGING
from crmbridge.testing.simulation.verdicts import Edit, members
from crmbridge.testing.simulation.witness import NOTHING, Agreed, Witness


def check_sources(seen: Witness, change: Change) -> None:
    """Check that what sync writes was put there by a person, in another record than the one written to."""
    if change.link is None or change.action is not Action.UPDATE or change.target is None:
        return
    seen.links()
    for name, value in seen.sights[change.connection].written(change):
        edits = seen.edits_of(change.link, name)
        told = value in [e.value for e in edits if e.ref != change.target or e.decided]
        if name in HANGING:
            told = told or members(value) <= frozenset().union(*(members(e.value) | members(e.before) for e in edits))
        if name == STAGE:
            others = seen.members[change.link] - {change.target}
            told = told or any(ref in others and to == value for ref, _, to in seen.set_back)
        told = told or seen.may_be_ours(change.link, change.target, name)
        assert told, f"P4: {value!r} was written to {change.target} {name} of {change.link}; nobody set it"
        _check_policy(seen, change.target, name)
        if name == STAGE and not seen.left_out.has_any(seen.members[change.link], STAGE):
            # A counterpart of a deal that is gone stands where it was made: what joins it then follows no move.
            there = [e for e in edits if seen.deleted_at.get(e.ref, seen.began) >= seen.began]
            known = seen.store.records.last_known({edit.ref for edit in there})
            check_move(change, value, there, seen.stages, {ref: deal.created_at for ref, deal in known.items()})


def _check_policy(seen: Witness, target: Ref, name: str) -> None:
    """Check that a field's policy lets anything be written there at all."""
    policy = seen.entry.policy(name)
    assert policy.source != target.connection, f"P1: {name} was written to {target}, which alone speaks of it"
    if policy.source is None and policy.conflict == "only_if_empty":
        held = seen.value(target, name) if target in seen.deals() else None
        assert held is None, f"P1: {name} of {target} was written over, and is only filled where empty"


def check_archive(seen: Witness, change: Change) -> None:
    """Check that what is taken away was deleted elsewhere, and that nobody edited it since.

    What people write where another side speaks alone is theirs, may have stood there for long, and keeps no deal.
    """
    if change.action is not Action.ARCHIVE or change.link is None:
        return
    seen.links()
    refs = seen.members[change.link]
    assert seen.entry.delete == "archive", f"P1: {change.target} is taken away, and nothing says that it may be"
    assert any(ref in seen.deleted_at for ref in refs), f"P1: {change.target} is taken away, and nobody deleted it"
    back = seen.back_at.get(change.target, seen.began) if change.target else seen.began
    again = back >= seen.began or any(seen.deleted_at.get(ref, 0) > back for ref in refs)
    assert again, f"P1: {change.target} is taken away again, and a person had brought it back"
    for edit in seen.edits:
        is_new = seen.begins[-1] < edit.number <= seen.began or _was_kept_away(seen, change.link, edit)
        is_seen = is_new and not edit.fresh and not edit.decided and not _may_stay(seen, edit)
        speaks = seen.entry.policy(edit.name).source in {None, edit.ref.connection}
        speaks = speaks and not seen.left_out.has(edit.ref, edit.name)
        is_here = edit.ref in refs and edit.ref in seen.deals()
        mine = [each for each in seen.edits if (each.ref, each.name) == (edit.ref, edit.name)]
        # Whoever edits a field again says nothing any more with the edit before.
        said = [each for each in mine if each.number <= max(seen.began, *seen.looked[edit.ref.connection])][-1:]
        settled = any(_got_there(seen, change.link, each) for each in (edit, *said))
        if is_seen and speaks and is_here and not settled and not _was_written_over(seen, change.link, edit):
            agreed = seen.agreed.get((change.link, edit.name), Agreed(0, NOTHING, ())).value
            last = mine[-1]
            assert seen.taken_back(change.link, last, agreed), f"P1: {edit} is lost by a deletion"


def _may_stay(seen: Witness, edit: Edit) -> bool:
    """Tell whether an edit was looked at by an earlier run where only what is empty is filled: it is not to travel."""
    was_seen = any(edit.number <= look < seen.began for look in seen.looked[edit.ref.connection])
    return was_seen and seen.entry.policy(edit.name).conflict == "only_if_empty"


def _was_kept_away(seen: Witness, link: str, edit: Edit) -> bool:
    """Tell whether an edit that still stands was sent to a deal that is gone, last of its field, and did not arrive."""
    if edit.ref not in seen.deals() or seen.value(edit.ref, edit.name) != edit.value:
        return False
    for ref in (ref for ref in seen.members[link] if ref in seen.deleted_at):
        sent = [one for one in seen.values_sent(link, edit.name) if one.ref == ref and one.at < seen.deleted_at[ref]]
        if any(one.value == edit.value and edit.number <= one.seen and not one.applied for one in sent[-1:]):
            return True
    return False


def _was_written_over(seen: Witness, link: str, edit: Edit) -> bool:
    """Tell whether what another deal said was written over an edit since; whether it should be, is judged elsewhere.

    Where it was only meant to be, the edit had given way all the same: that would be sent again.
    """
    over = [one for one in seen.values_sent(link, edit.name) if one.ref == edit.ref and one.applied]
    if any(edit.number <= one.at and one.value != edit.value for one in over):
        return True
    rows = (row for row in seen.rows if row.change.link == link and edit.at is not None and row.at >= edit.at)
    intents = [row.change for row in rows if row.outcome is None]
    meant = [each for change in intents if change.target == edit.ref for each in change.edits if each.name == edit.name]
    return any(seen.sights[edit.ref.connection].shown(edit.name, each.before) == edit.value for each in meant)


def _got_there(seen: Witness, link: str, edit: Edit) -> bool:
    """Tell whether a deal held an edit when it was deleted: it had been written there, or was entered there, too."""
    others = [ref for ref in seen.members[link] - {edit.ref} if ref in seen.went_with]
    if any(seen.went_with[ref].get(edit.name, NOTHING) == edit.value for ref in others):
        return True
    return any(_was_seen_with(seen, link, ref, edit) for ref in others) or any(
        one.applied and one.value == edit.value and edit.number <= one.at < seen.deleted_at.get(one.ref, 0)
        for one in seen.values_sent(link, edit.name)
        if one.ref is not None
    )


def _was_seen_with(seen: Witness, link: str, ref: Ref, edit: Edit) -> bool:
    """Tell whether a deal that is gone held the same when it was looked at last: nobody saw what it was given since."""
    looks = [look for look in seen.looked[ref.connection] if edit.number <= look < seen.deleted_at[ref]]
    held = [e for e in seen.edits if (e.ref, e.name) == (ref, edit.name) and e.number <= max(looks, default=-1)]
    sent = any(one.ref == ref for one in seen.values_sent(link, edit.name))
    return not sent and any(each.value == edit.value for each in held[-1:])
