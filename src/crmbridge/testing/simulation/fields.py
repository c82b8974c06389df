"""One field of one link: in step with what a person wants, or in the plan for a person to decide."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from crmbridge.engine.sync.sameness import altered
from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.settings import FieldSync
from crmbridge.testing.simulation.sight import HANGING
from crmbridge.testing.simulation.verdicts import Edit, judge_filled, judge_members, judge_one_way, members
from crmbridge.testing.simulation.witness import NOTHING, Agreed, Sent, Witness


class _Case(Struct, frozen=True, kw_only=True):
    """What is known of a field: what the deals hold, all that people entered, what was agreed, and their edits since.

    `said` are the last edits of each deal that say something, `net` those of them that were not taken back.
    """

    link: str
    name: str
    values: Mapping[Ref, Value]
    agreed: object
    entered: Sequence[Edit]
    edits: Sequence[Edit]
    said: Sequence[Edit]
    net: Sequence[Edit]
    allowed: Sequence[object]
    policy: FieldSync

    @property
    def found(self) -> Value:
        """What the first deal holds."""
        return next(iter(self.values.values()))

    def __str__(self) -> str:
        """Tell it all, for whoever looks for what went wrong."""
        return f"{self.link} {self.name}: {self.values}; agreed {self.agreed}; edits {self.edits}"


def judge_field(seen: Witness, link: str, refs: Sequence[Ref], name: str, *, blocked: bool) -> None:
    """Check one field of one link; `blocked` tells that a person is asked about it."""
    views = {ref: seen.view(ref) for ref in refs if seen.is_there(ref)}
    values = {ref: view[name] for ref, view in views.items() if name in view}
    if len(values) < 2 or seen.is_ended(link):
        return
    entered = seen.edits_of(link, name)
    _judge_entered(seen, link, name, entered, blocked=blocked)
    case = _case(seen, link, name, values, entered)
    if not any(edit.number > seen.parted.get((link, name), -1) for edit in case.edits):
        return  # sides that might differ, under the policy of before, may go on doing so
    if case.policy.source is not None or case.policy.conflict == "only_if_empty":
        if not blocked and not seen.is_shaken(link):
            _judge_by_policy(case)
    elif not blocked:
        _judge_in_step(seen, case)
    elif not seen.is_shaken(link):
        _judge_kept(seen, case)


def _judge_entered(seen: Witness, link: str, name: str, entered: Sequence[Edit], *, blocked: bool) -> None:
    """Check that what a CRM fills in by itself, as an owner, goes nowhere: people have entered what others get.

    It fills in no stages; where these differ since one means something else, a person is told.
    """
    if name == STAGE:
        return
    if not any(edit.value is not None or not edit.fresh for edit in entered) and not _was_edited_unread(seen, link):
        sent = [one for one in seen.values_sent(link, name) if one.ref is not None and one.before is None]
        assert not sent, f"P4: nobody entered {link} {name}: {sent}"
        assert not blocked, f"P4: a person is asked about what nobody entered: {link} {name}"


def _case(seen: Witness, link: str, name: str, values: Mapping[Ref, Value], entered: Sequence[Edit]) -> _Case:
    since, agreed, together = seen.agreed.get((link, name), Agreed(0, NOTHING, ()))
    edits = [edit for edit in entered if edit.number > since or edit.ref not in together]
    last = {edit.ref: edit for edit in edits}
    # An empty field of a deal that is new, or of which crmbridge never knew anything else, says nothing.
    known: set[Ref | None] = {*together, *seen.in_step.get((link, name), Agreed(0, NOTHING, ())).refs}
    known |= {edit.ref for edit in edits if edit.decided}
    sent = seen.values_sent(link, name)
    said = [
        edit
        for edit in last.values()
        if edit.value is not None
        or _was_known(edit, known, sent)
        or _was_sent_on(edit, entered, sent)
        or _was_made_with(seen, link, edit)
    ]
    net = [edit for edit in said if not seen.taken_back(link, edit, agreed)]
    allowed: list[object] = [edit.value for edit in said]
    if len(net) < len(last) or not net or any(edit.ref not in values for edit in net):
        # What was taken back, or deleted, may count for nothing; then what was there before stands.
        allowed += [agreed, *(edit.value for edit in edits)]
    if any(edit.ref not in together for edit in edits):
        allowed.append(agreed)  # a deal that joined the link stands beside what the others had agreed on
    policy = seen.entry.policy(name)
    return _Case(
        link=link, name=name, values=values, agreed=agreed, entered=entered, edits=edits, said=said, net=net,
        allowed=allowed, policy=policy,
    )  # fmt: skip


def _was_known(edit: Edit, known: Collection[Ref | None], sent: Sequence[Sent]) -> bool:
    """Tell whether crmbridge knew of another value before a field was emptied; else nobody can see the emptying."""
    return not edit.fresh and (edit.ref in known or any(one.ref == edit.ref and one.at < edit.number for one in sent))


def _was_sent_on(edit: Edit, entered: Sequence[Edit], sent: Sequence[Sent]) -> bool:
    """Tell whether a run had sent to others what somebody had entered in a field before it was emptied."""
    filled = [each.number for each in entered if each.ref == edit.ref and each.number < edit.number]
    on = [one for one in sent if one.value == edit.before and one.ref != edit.ref and one.seen < edit.number]
    return edit.before is not None and bool(filled) and any(filled[-1] <= one.at for one in on)


def _was_made_with(seen: Witness, link: str, edit: Edit) -> bool:
    """Tell whether we made a deal with a value in a field, and had read that deal before the field was emptied."""
    if edit.fresh or edit.number <= seen.known_at.get(edit.ref, edit.number):
        return False
    rows = (row for row in seen.journal.entries() if row.ref == edit.ref and row.outcome is Outcome.APPLIED)
    made = (row.change for row in rows if row.change.link == link and row.change.action is Action.CREATE)
    return any(sent.name == edit.name and sent.after is not None for change in made for sent in change.edits)


def _judge_by_policy(case: _Case) -> None:
    if case.policy.source is not None:
        judge_one_way(case.policy.source, case.values, case.net, case.edits, str(case))
    elif len(case.net) == len({edit.ref for edit in case.edits}):
        judge_filled(case.values, case.net, str(case))


def _judge_kept(seen: Witness, case: _Case) -> None:
    """Check that whoever is asked can see what each side wanted: it still stands there."""
    for edit in case.net:
        if edit.decided or edit.ref not in case.values or _was_outdone(seen, case, edit):
            continue
        later: list[object] = [other.value for other in case.edits if other.number > edit.number]
        if case.policy.conflict != "ask":
            later = [*later, *case.allowed]
        assert case.values[edit.ref] in [edit.value, *later], f"P1: lost though asked {case}"


def _was_outdone(seen: Witness, case: _Case, edit: Edit) -> bool:
    """Tell whether what stands there was written over an edit, from a deal touched no earlier, or preferred."""
    held, others = case.values[edit.ref], seen.members[case.link] - {edit.ref}
    over = [one.at for one in seen.values_sent(case.link, case.name) if (one.ref, one.value) == (edit.ref, held)]
    gave = [e for e in seen.edits if e.ref in others and (e.name, e.value) == (case.name, held)]
    if case.policy.preferred is not None:
        excuses = [e for e in gave if e.ref.connection == case.policy.preferred]
    elif case.policy.conflict == "newest" and edit.at is not None:
        givers = {e.ref for e in gave}
        excuses = [e for e in seen.edits if e.ref in givers and e.at is not None and e.at >= edit.at]
    else:
        return False
    return any(edit.number <= at and any(excuse.number <= at for excuse in excuses) for at in over)


def _judge_in_step(seen: Witness, case: _Case) -> None:
    found = case.found
    if _were_given(seen, case):
        return
    assert any(_are_in_step(seen, case, whole) for whole in case.values.values()), f"P1: not in step {case}"
    if any(value != found for value in case.values.values()):
        return
    if seen.is_shaken(case.link) or (not case.net and case.agreed is NOTHING):
        return
    if case.name in HANGING and (members(found) or any(members(edit.value) for edit in case.edits)):
        excuses = (_went_unseen, _was_put_back_unseen)
        unseen = [e for e in case.edits if _went_untaken(seen, case.link, e) or any(ex(seen, e) for ex in excuses)]
        unseen += [edit for edit in case.edits if _was_taken_off(case, edit)]
        judge_members(found, case.agreed, case.edits, str(case), unseen)
    elif case.edits and case.edits[-1].decided:
        known = [case.edits[-1].value, *_not_known_to_who_decided(seen, case)]
        assert found in known, f"P1: not what was decided {case}"
    elif not _was_set_back(seen, case):
        assert found in case.allowed, f"P1: nobody's value {case}"
        _judge_rivals(seen, case)


def _was_set_back(seen: Witness, case: _Case) -> bool:
    """Tell whether the preferred deal was moved back to where all stand: that wins over moves of the others, too."""
    back = [ref for ref, _, to in seen.set_back if case.name == STAGE and to == case.found]
    return any(ref in seen.members[case.link] and ref.connection == case.policy.preferred for ref in back)


def _were_given(seen: Witness, case: _Case) -> bool:
    """Tell whether deals hold nothing but what their own CRM gave them when we made them: nobody entered or sent it.

    What was entered in the instant in which a deal was made can't be told from that.
    """
    made = seen.store.records.last_known(_made(seen, case.link))
    at_once = {(ref, deal.created_at) for ref, deal in made.items()}
    if any(edit.ref in case.values and (edit.ref, edit.at) not in at_once for edit in case.net):
        return False
    entered = [edit for edit in case.entered if (edit.ref, edit.at) not in at_once]
    touched, known = {edit.ref for edit in entered}, {edit.value for edit in entered if not edit.fresh}
    known.update(one.value for one in seen.values_sent(case.link, case.name))
    return all(value is None or (ref not in touched and value not in known) for ref, value in case.values.items())


def _was_edited_unread(seen: Witness, link: str) -> bool:
    """Tell whether somebody edited a deal that we made before it was known to be made, or before any run had read it.

    What its CRM gave it can't be told from an entry then.
    """
    made = _made(seen, link)
    return any(
        edit.at is not None and (edit.at < made[edit.ref] or edit.number <= seen.known_at.get(edit.ref, edit.number))
        for edit in seen.edits
        if edit.ref in made
    )


def _made(seen: Witness, link: str) -> dict[Ref, datetime]:
    """Give the records of a link that we made, each with when that was known."""
    rows = [row for row in seen.journal.entries() if row.change.link == link and row.change.action is Action.CREATE]
    return {row.ref: row.at for row in rows if row.outcome is Outcome.APPLIED and row.ref is not None}


def _not_known_to_who_decided(seen: Witness, case: _Case) -> list[Value]:
    """Give the edits that no run had looked at when a person decided by what the last one had found: they are later."""
    last = max(begin for begin in seen.begins if begin <= case.edits[-1].number)
    return [edit.value for edit in case.edits if edit.number > last and not edit.decided and not edit.fresh]


def _was_taken_off(case: _Case, edit: Edit) -> bool:
    """Tell whether what somebody added was taken off later, also where all agreed since, and the deal is gone."""
    later = [each for each in case.entered if each.number > edit.number]
    off = frozenset[str]().union(*(members(each.before) - members(each.value) for each in later))
    return members(edit.value) - members(edit.before) <= off


def _went_unseen(seen: Witness, edit: Edit) -> bool:
    """Tell whether a deal was gone, with what was done to it, before any run could see that."""
    gone, looked = seen.deleted_at.get(edit.ref, 0), seen.looked[edit.ref.connection]
    begins = [begin for begin in seen.begins if edit.number <= begin < gone]
    # A run that had begun may have come to look at that CRM only when the deal was gone.
    return gone > edit.number and not any(begin <= look < gone for begin in begins for look in looked)


def _was_put_back_unseen(seen: Witness, edit: Edit) -> bool:
    """Tell whether somebody only put back what had been taken off before any run could see that: it says nothing."""
    those, looked = members(edit.value) - members(edit.before), seen.looked[edit.ref.connection]
    mine = [e for e in seen.edits if (e.ref, e.name) == (edit.ref, edit.name) and e.number < edit.number]
    since = [e for e in mine if not any(e.number <= look < edit.number for look in looked)]
    return bool(those) and any(those <= members(e.before) for e in since)


def _went_untaken(seen: Witness, link: str, edit: Edit) -> bool:
    """Tell whether a deal was gone, with what was done to it, while no other CRM took that: a person was told so."""
    gone, those = seen.deleted_at.get(edit.ref, 0), members(edit.value) - members(edit.before)
    sent = [
        one
        for one in seen.values_sent(link, edit.name)
        if edit.number <= one.at < gone and one.ref != edit.ref and those <= members(one.value)
    ]
    return bool(those and sent) and not any(one.applied for one in sent)


def _are_in_step(seen: Witness, case: _Case, whole: Value) -> bool:
    """Tell whether all deals hold a value, or what somebody cut it to."""
    return all(value == whole or _is_cut(seen, case, ref, whole) for ref, value in case.values.items())


def _is_cut(seen: Witness, case: _Case, ref: Ref, whole: Value) -> bool:
    """Tell whether a person cut what we had written, or meant to, before any later run could look at it.

    That is taken for the CRM's doing, and stays where it is; once a run has looked, it is an edit like any other.
    """
    value, sent = case.values[ref], [one for one in seen.values_sent(case.link, case.name) if one.ref == ref]
    entered = [edit for edit in case.edits if edit.ref == ref and edit.value == value]
    return any(
        one.value == cut.before and one.at < cut.number and altered(one.value, value)
        for cut in entered
        if cut.before == whole
        for one in sent
        if not any(one.at < begin < cut.number for begin in seen.begins)
    ) or any(_seems_an_arrival(seen, case.link, edit, altered) for edit in entered if altered(whole, value))


def _judge_rivals(seen: Witness, case: _Case) -> None:
    # What came before all sides held the same is no rival of what came after.
    after, held, mates = seen.in_step.get((case.link, case.name), Agreed(0, NOTHING, ()))
    said = [edit for edit in case.said if edit.number > after or edit.ref not in mates]
    there = [edit for edit in case.net if edit in said and edit.ref in case.values]
    if not there or case.found == max(there, key=lambda edit: edit.number).value:
        return  # the last word won, which is all there is to most; the rest reads the journal
    rivals = [e for e in there if not _seems_an_arrival(seen, case.link, e) and not _gave_way(seen, case, e)]
    taken_back = [edit for edit in said if edit not in case.net]
    joined = case.found == held and any(edit.ref not in mates for edit in said)
    if not joined and case.found not in [edit.value for edit in taken_back]:
        _judge_winner(seen, case, said, rivals)


def _gave_way(seen: Witness, case: _Case, edit: Edit) -> bool:
    """Tell whether something else than what stands there now was written over an edit: that was its rival."""
    over = [one for one in seen.values_sent(case.link, case.name) if one.ref == edit.ref and one.at >= edit.number]
    return any(one.applied and one.value not in [edit.value, case.found] for one in over)


def _seems_an_arrival(
    seen: Witness, link: str, edit: Edit, alike: Callable[[Value, Value], bool] = operator.eq
) -> bool:
    """Tell whether somebody entered just what was meant to be sent there, and had not arrived.

    With `altered`: what a CRM may have made of that.
    """
    at, sight = edit.at, seen.sights[edit.ref.connection]
    mine = [e for e in seen.edits if (e.ref, e.name) == (edit.ref, edit.name) and e.number < edit.number]
    earlier = [each.at for each in mine if each.at is not None]
    for entry in seen.rows:
        change = entry.change
        meant = entry.outcome is None and (change.link, change.target) == (link, edit.ref)
        if meant and at is not None and entry.at <= at and not any(entry.at < each for each in earlier):
            shown = {e.name: (sight.shown(e.name, e.before), sight.shown(e.name, e.after)) for e in change.edits}
            before, after = shown.get(edit.name, (NOTHING, None))
            if before == edit.before and alike(after, edit.value):
                return True
    return False


def _judge_winner(seen: Witness, case: _Case, said: Sequence[Edit], live: Sequence[Edit]) -> None:
    value = case.found
    if not live or value == (newest := max(live, key=lambda edit: edit.number)).value:
        return
    mine = [edit for edit in said if edit.value == value]
    # Of a deal that is gone, or an emptied field: whether that says something depends on what was agreed before.
    if any(edit.number > newest.number and edit.value == value for edit in case.edits):
        return
    if case.policy.conflict == "newest":
        # The time is the record's: the side whose record was touched later, by us too, has the last word.
        later = any(touch > newest.number for edit in mine for touch in seen.touched[edit.ref])
        assert later or _is_no_older(seen, mine, newest), f"P1: an older edit won {case}"
    elif case.policy.preferred is not None:
        preferred = [edit for edit in mine if edit.ref.connection == case.policy.preferred]
        assert preferred, f"P1: the preferred did not win {case}"
    else:
        raise AssertionError(f"P1: nobody was asked {case}")


def _is_no_older(seen: Witness, edits: Sequence[Edit], newest: Edit) -> bool:
    """Tell whether the clocks of the CRMs put the last touch of one of these deals no earlier than the newest edit.

    Of records that were touched in one moment none is the newer one, and some clocks have whole seconds.
    """
    sides = {edit.ref for edit in edits}
    times = [edit.at for edit in seen.edits if edit.ref in sides and edit.at is not None]
    return newest.at is None or any(at >= newest.at for at in times)
