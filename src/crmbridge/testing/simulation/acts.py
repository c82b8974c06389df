"""What a play consists of: runs among people, faults and kills first, then calm; after that, in some, more of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from crmbridge.engine.views import CONTACTS, STAGE
from crmbridge.model.changes import Cause, Plan
from crmbridge.testing.simulation.changing import Changing, edit_apart
from crmbridge.testing.simulation.people import People
from crmbridge.testing.simulation.resting import come_to_rest
from crmbridge.testing.simulation.restoring import judge_put_back
from crmbridge.testing.simulation.scene import LATER, make_project

if TYPE_CHECKING:
    from crmbridge.testing.simulation.play import Play

CHANGED = 0.15  # in how many plays the settings are changed when all is calm, and people go on
OF_THREE = 0.5  # the same for three CRMs that carry contacts along, of which one is then left out at first
AFTERWARDS = 0.15  # in how many plays somebody goes on when all is calm


def go_through(play: Play) -> None:
    """Play it from its beginning to its end."""
    _begin(play)
    _come_to_rest(play)
    if play.later.random() < AFTERWARDS:
        play.go_on()
        _come_to_rest(play)
    if play.settings.random() < (OF_THREE if _may_meet_again(play) else CHANGED):
        _change_settings(play)
        _come_to_rest(play)
    if play.noting.is_played:
        _copy_notes(play)
    if play.meanings.is_played:
        _change_meanings(play)
    elif play.reverting.is_played:  # what a stage meant when somebody moved a deal there must be what it means now
        _take_moves_back(play)
    if play.forgetting.is_played:
        _forget(play)
    elif play.restoring.is_played and not play.noting.is_played:  # notes may be copied once more
        _put_back(play)
    elif play.saving.is_played:
        _save_plans(play)


def _begin(play: Play) -> None:
    """Let people, faults and kills have their time."""
    for _ in range(play.rng.choice((1, 1, 2, 3))):
        if play.rng.random() < 0.3:
            play.settle_conflicts()
        for _ in range(play.rng.randint(0, 4)):
            play.people.act()
        play.disturb()
        plan = play.run()
        if play.seen.entry.delete == "archive":
            play.deleting.after(play.name)
        if play.rng.random() < 0.3:
            play.calm()
            if plan is not None and play.rng.random() < 0.4:
                play.undo(play.name)
    play.merge_linked()
    play.calm()


def _may_meet_again(play: Play) -> bool:
    """Tell whether two CRMs can get to know a contact while a third is left out, which has it as well."""
    sights = [account.sight for account in play.scene.accounts.values()]
    return len(sights) > 2 and all(CONTACTS in sight.around for sight in sights)


def _change_settings(play: Play) -> None:
    """Let somebody change the settings, one thing after the other, while people go on; in the end all is back."""
    changing = Changing(play.scene.accounts, play.raw, play.seen, play.settings, play.diary)
    play.seen.twins.clear()  # people rename them now, and delete one
    play.people.also, play.people.currencies = (LATER, LATER), ("EUR", "USD")
    for number in range(play.settings.choice((1, 1, 2, 3))):
        is_left_out = number == 0 and _may_meet_again(play)
        play.take_up(changing.leave_out() if is_left_out else changing.change())
        if play.seen.left_out.connections:
            people = People(play.scene.accounts, play.seen, play.scene.clock, play.settings, play.diary)
            edit_apart(people, play.seen, play.scene.clock, play.settings)
        for _ in range(play.rng.randint(0, 4)):
            play.people.act()
        play.disturb()
        play.run()
        if play.settings.random() < 0.5:
            play.calm()
    play.take_up(changing.restore())
    play.raw = changing.now
    play.deleting.after(play.name, edits=0.5)
    for _ in range(play.rng.randint(0, 2)):
        play.people.act()
    play.calm()


def _copy_notes(play: Play) -> None:
    """Let somebody ask for notes to be copied, and people write some; then perhaps for those of another CRM."""
    noting = play.noting
    play.seen.twins.clear()  # as above
    play.people.also = (*play.people.also, *noting.edited)
    for _ in range(1 + noting.wants_another()):
        play.raw = noting.ask(play.raw, play.diary)
        play.take_up(make_project(play.raw))
        for _ in range(noting.rng.choice((1, 1, 2))):
            for _ in range(noting.rng.randint(1, 3)):
                play.people.act()
                play.people.note_writers.write_any()
            play.disturb()
            play.run()
    play.calm()
    plan = _come_to_rest(play)
    noting.judge(play.seen, play.people.note_writers.book, play.scene.accounts, plan)


def _change_meanings(play: Play) -> None:
    """Let stages of a CRM get another meaning, and people go on."""
    meanings = play.meanings
    play.seen.twins.clear()
    play.raw = copy.deepcopy(play.raw)
    play.take_up(meanings.change(play.raw, play.scene.accounts, play.seen, play.diary))
    for _ in range(meanings.rng.choice((1, 1, 2))):
        for _ in range(meanings.rng.choice((0, 0, 2, 4))):
            play.people.act()
        play.disturb()
        play.run()
    play.calm()
    _come_to_rest(play)


def _take_moves_back(play: Play) -> None:
    """Let somebody ask for moves to be taken back that the process forbids, and people make some."""
    reverting, rng = play.reverting, play.reverting.rng
    play.seen.twins.clear()
    play.raw = reverting.ask(play.raw, play.diary)
    play.parts = ("sync", "enforce")
    play.people.also = (*play.people.also, *[STAGE] * 6)
    play.oracle.reverts.rules = frozenset({"move"})
    play.take_up(make_project(play.raw))
    people = People(play.scene.accounts, play.seen, play.scene.clock, rng, play.diary)
    for _ in range(rng.choice((2, 2, 3))):
        for _ in range(rng.randint(1, 2)):
            reverting.move(people, play.seen, play.scene.clock)
        if rng.random() < 0.5:
            play.people.act()
        play.disturb()
        play.run()
    play.calm()
    _come_to_rest(play)


def _forget(play: Play) -> None:
    """Let people delete deals, and nobody look for days."""
    forgetting = play.forgetting
    play.seen.twins.clear()
    people = People(play.scene.accounts, play.seen, play.scene.clock, forgetting.rng, play.diary)
    for _ in range(forgetting.rng.choice((1, 1, 2))):
        forgetting.pass_days(people, play.seen, play.scene.accounts, play.scene.clock)
        if forgetting.rng.random() < 0.5:
            play.people.act()
        play.disturb()
        play.run()
    play.calm()
    _come_to_rest(play)


def _put_back(play: Play) -> None:
    """Let somebody put back a backup of the state after people and runs went on."""
    play.seen.twins.clear()
    play.end_process()
    put_back = play.scene.state.keep()
    for _ in range(play.restoring.rng.choice((1, 1, 2))):
        play.restoring.work(play)
        play.disturb()
        play.run()
    play.calm()
    plan = _come_to_rest(play)
    if any(item.cause is not Cause.COUNTERPART for item in plan.blocked):
        return  # what waits is not in step, and what was refused is not known afterwards
    play.diary.note("a person", "puts back a backup of the state")
    play.end_process()
    put_back()
    judge_put_back(play)


def _save_plans(play: Play) -> None:
    """Let somebody save plans and apply them late, and once more when all is at rest."""
    play.seen.twins.clear()
    play.saving.go_on(play)
    play.calm()
    _come_to_rest(play)
    play.saving.apply_all(play)
    _come_to_rest(play)


def _come_to_rest(play: Play) -> Plan:
    """Run until nothing is written any more, let the oracle judge, and give the last plan."""
    plan = come_to_rest(play.run, lambda: play.writes)
    play.oracle.judge(plan)
    return plan
