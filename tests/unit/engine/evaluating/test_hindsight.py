"""A deal as it was at an earlier moment."""

from __future__ import annotations

from datetime import timedelta

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.model.records import Edit, Kind
from crmbridge.testing.factories import NOON, make_deal, make_moves, make_position, make_record, make_subject

DAY = timedelta(days=1)


def edited(field: str, before: object, after: object, *, days_ago: float, known_since: float = 30) -> Edit:
    """Make an edit that was seen some days ago."""
    return Edit(field=field, since=NOON - known_since * DAY, at=NOON - days_ago * DAY, before=before, after=after)


def subject(**overrides: object) -> Subject:
    """Give a deal that came to proposal four days ago and to closing yesterday, when it was last changed."""
    moves = make_moves((NOON - 9 * DAY, "qualification"), (NOON - 4 * DAY, "proposal"), (NOON - DAY, "closing"))
    deal = make_deal(stage="closing", fields={"bant.need": "yes"}, updated_at=NOON - DAY)
    return make_subject(*moves, deal=deal, **overrides)


def test_a_deal_stands_where_its_moves_had_led() -> None:
    """Later ones have not been made yet."""
    stages = [rewind(subject(), NOON - days * DAY).place.stage for days in (0, 1, 2, 4, 5)]

    assert ["closing", "closing", "proposal", "proposal", "qualification"] == stages
    assert 2 == len(rewind(subject(), NOON - 2 * DAY).moves)


def test_before_it_was_made_there_is_no_deal() -> None:
    """Nothing can be said of it."""
    assert rewind(subject(), NOON - 10 * DAY) is None


def test_without_moves_the_record_is_all_that_is_known() -> None:
    """Where the CRM has no history."""
    then = rewind(make_subject(deal=make_deal(stage="proposal")), NOON - 2 * DAY)

    assert ("proposal", NOON - 2 * DAY) == (then.place.stage, then.deal.updated_at)


def test_a_record_that_is_ahead_of_its_history_counts_once_it_was_changed() -> None:
    """Before that, the history does."""
    ahead = make_subject(
        *make_moves((NOON - 9 * DAY, "qualification")), deal=make_deal(stage="proposal", updated_at=NOON - DAY)
    )

    assert ["proposal", "qualification"] == [rewind(ahead, NOON - days * DAY).place.stage for days in (0.5, 2)]


def test_fields_are_those_of_then_where_they_were_seen() -> None:
    """What was never edited is as it is."""
    edits = (
        edited("bant.need", "no", "yes", days_ago=3),
        edited("bant.budget", None, "yes", days_ago=1, known_since=3),
        edited("bant.budget", "yes", None, days_ago=0.5, known_since=1),
    )
    fields = {days: rewind(subject(edits=edits), NOON - days * DAY).deal.fields for days in (0, 2, 4)}

    assert ["yes", "yes", "no"] == [fields[days]["bant.need"] for days in (0, 2, 4)]
    assert [None, None] == [fields[days].get("bant.budget") for days in (2, 4)]
    assert "7" == fields[4]["owner"]


def test_edits_to_come_are_not_known_yet() -> None:
    """Else a rule would be judged by what was seen only later."""
    edits = (edited("bant.need", "no", "yes", days_ago=3), edited("bant.need", "yes", "no", days_ago=0.5))
    then = rewind(subject(edits=edits), NOON - 2 * DAY)

    assert [edits[0]] == list(then.edits)


def test_a_deal_had_last_changed_before_then() -> None:
    """When the copy before the next edit was made, at its newest move, or at the edit before."""
    later = edited("bant.need", "no", "yes", days_ago=0.5, known_since=2.5)
    earlier = edited("bant.need", "yes", "no", days_ago=3)

    assert NOON - 2.5 * DAY == rewind(subject(edits=(later,)), NOON - 2 * DAY).deal.updated_at
    assert NOON - 3 * DAY == rewind(subject(edits=(earlier,)), NOON - 2 * DAY).deal.updated_at
    assert NOON - 4 * DAY == rewind(subject(), NOON - 2 * DAY).deal.updated_at


def test_activities_are_those_of_then() -> None:
    """Done by then; one that was only made since does not count, nor does its number."""
    done = [
        make_record(
            Kind.ACTIVITY,
            number,
            fields={"done": True, "at": NOON - days * DAY, "deals": ("1",)},
            created_at=NOON - days * DAY,
        )
        for number, days in ((1, 6), (2, 1))
    ]
    then = rewind(subject(activities=done), NOON - 2 * DAY)

    assert [done[0]] == list(then.activities)
    assert 1 == then.deal.fields["activities_done"]


def test_nothing_is_taken_from_what_is_now() -> None:
    """Looking back to now changes nothing that is said."""
    now = subject(edits=(edited("bant.need", "no", "yes", days_ago=3),))

    assert evaluate(now, NOON) == evaluate(rewind(now, NOON), NOON)
    assert make_position("closing") == rewind(now, NOON).deal.position
