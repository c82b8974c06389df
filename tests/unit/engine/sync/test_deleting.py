"""Deals that are gone from one CRM, and what that means for their counterparts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from crmbridge.engine.sync.deleting import (
    ARCHIVED,
    HAD,
    UNDONE,
    Gone,
    Merges,
    hold_back,
    judge_gone,
    lacks,
    lost_in,
    with_lost,
)
from crmbridge.model.changes import Action, Cause
from crmbridge.model.records import BACK, Ref, Tombstone
from crmbridge.model.values import Value
from crmbridge.settings import Cap
from crmbridge.testing.factories import make_change, make_ref, make_tombstone

NORTH, SOUTH, WEST = (make_ref(connection=name) for name in ("north", "south", "west"))
ALL = (NORTH, SOUTH, WEST)


def judged(
    *gone: Ref,
    policy: str = "archive",
    edited: tuple[Ref, ...] = (),
    marks: Mapping[Ref, Mapping[str, Value]] | None = None,
    elsewhere: Mapping[Ref, Sequence[Ref]] | None = None,
    left_over: Mapping[str, Ref] | None = None,
) -> Gone:
    tombstones = {ref: make_tombstone(connection=ref.connection) for ref in gone}
    return judge_gone(
        "l",
        ALL,
        tombstones,
        marks or {},
        present=[ref for ref in ALL if ref not in gone],
        edited=edited,
        policy=policy,
        merges=Merges(elsewhere=elsewhere or {}, left_over=left_over or {}),
    )


def test_nothing_follows_a_deletion_where_the_settings_say_never() -> None:
    """The place of the deal that is gone stays taken, so nothing is created in it either."""
    assert Gone(members=ALL, deleted=NORTH) == judged(NORTH, policy="never")


def test_the_counterparts_follow_where_the_settings_say_archive() -> None:
    """All that are there; the link stays, to know them again."""
    assert Gone(members=ALL, deleted=NORTH, archive=(SOUTH, WEST)) == judged(NORTH)
    assert Gone(members=ALL, deleted=NORTH, archive=(WEST,)) == judged(NORTH, SOUTH)


def test_a_link_ends_where_the_settings_say_so() -> None:
    """Nothing is taken away from anybody."""
    assert Gone(members=ALL, deleted=NORTH, ended=True) == judged(NORTH, policy="unlink")


@pytest.mark.parametrize("policy", ["archive", "unlink"])
def test_a_deal_that_may_have_been_merged_is_asked_about(policy: str) -> None:
    """A counterpart of a deal that was merged into one of the link is left where one of the link is gone."""
    rest = make_ref("other")
    asked = judged(NORTH, policy=policy, edited=(WEST,), left_over={"north": rest})

    assert (ALL, (), False) == (asked.members, asked.archive, asked.ended)
    assert [f"{NORTH} is gone and may have been merged into {rest}"] == [
        item.reason.partition(",")[0] for item in asked.stopped
    ]
    assert judged(NORTH) == judged(NORTH, left_over={"south": rest})
    assert judged(NORTH, policy="never") == judged(NORTH, policy="never", left_over={"north": rest})
    assert judged(*ALL) == judged(*ALL, left_over={"north": rest})


def test_an_edit_beats_a_delete() -> None:
    """The deal that somebody works on stays, and where it was deleted its place is free for a new counterpart."""
    assert Gone(members=(SOUTH, WEST)) == judged(NORTH, edited=(WEST,))


def test_a_deletion_of_ours_is_followed_by_none() -> None:
    """What we took away because of another one is no person's deletion: only that other one speaks."""
    marks = {SOUTH: {ARCHIVED: True}}

    assert (WEST,) == judged(NORTH, SOUTH, marks=marks).archive
    assert Gone(members=(NORTH, WEST)) == judged(SOUTH, marks=marks)  # the one that was deleted is back


def test_a_deal_that_a_person_brings_back_stays() -> None:
    """We took it away, and somebody restored it: it is not taken away again, whatever is gone elsewhere."""
    marks = {SOUTH: {ARCHIVED: True}}

    assert Gone(members=(SOUTH, WEST)) == judged(NORTH, marks=marks)


def test_a_deal_that_a_person_brings_back_after_an_undo_stays() -> None:
    """Somebody wants it, as somebody does who edits it; a place that was emptied by the same undo is free as well."""
    marks = {SOUTH: {UNDONE: True}, WEST: {UNDONE: True}}

    assert Gone(members=(SOUTH,)) == judged(NORTH, WEST, marks=marks)


@pytest.mark.parametrize("policy", ["never", "archive", "unlink"])
def test_a_creation_that_was_undone_takes_nobody_with_it(policy: str) -> None:
    """Its place stays taken: the deal that it was made for stays, and no new counterpart is made, whoever edits it."""
    assert Gone(members=ALL) == judged(SOUTH, marks={SOUTH: {UNDONE: True}}, policy=policy)
    assert Gone(members=ALL) == judged(SOUTH, marks={SOUTH: {UNDONE: True}}, policy=policy, edited=(NORTH,))


def test_what_was_not_read_yet_keeps_its_place() -> None:
    """Nobody knows whether it is there, so what we took away for it is not made anew."""
    marks = {SOUTH: {ARCHIVED: True}}
    gone = {SOUTH: make_tombstone(connection="south")}

    def members(tombstones: Mapping[Ref, Tombstone], *present: Ref) -> tuple[Ref, ...]:
        found = judge_gone("l", ALL, tombstones, marks, present=present, edited=(), policy="archive", merges=Merges())
        return found.members

    assert ALL == members(gone)
    assert ALL == members({}, NORTH, WEST)
    assert (NORTH, WEST) == members(gone, NORTH, WEST)


def test_everything_gone_asks_for_nothing() -> None:
    """There is nobody left to follow."""
    assert () == judged(*ALL).archive


def test_a_merge_into_a_deal_with_counterparts_of_its_own_is_told() -> None:
    """Whether the others shall be merged as well is for a person to say; none of them is archived."""
    survivor, counterpart = make_ref("9"), make_ref("9", connection="south")
    found = judged(NORTH, elsewhere={NORTH: (survivor, counterpart, make_ref("9", connection="east"))})

    assert ((), None) == (found.archive, found.deleted)
    assert [(SOUTH, Cause.LINK)] == [(item.deal, item.cause) for item in found.stopped]
    assert str(survivor) in found.stopped[0].reason
    assert {"south": "9"} == found.stopped[0].values


def test_more_deletions_than_the_cap_are_held_back_as_a_whole() -> None:
    """A CRM that lost everything must not empty the others; the other connections are not concerned."""
    many = [make_change(n, connection="south", action=Action.ARCHIVE, link=f"l{n}") for n in range(4)]
    few = [make_change(n, connection="west", action=Action.ARCHIVE) for n in range(3)]
    kept, held = hold_back([*many, *few], Cap(records=3, percent=0), links=1000)

    assert few == kept
    assert [(change.link, change.target, Cause.DELETE) for change in many] == [(h.link, h.deal, h.cause) for h in held]
    assert "4 deletions in south are more than the 3 allowed at once" in held[0].reason


def test_the_cap_grows_with_the_links() -> None:
    """Five percent of many is more than twenty."""
    many = [make_change(n, action=Action.ARCHIVE) for n in range(50)]

    assert (many, []) == hold_back(many, Cap(), links=1000)
    assert [] == hold_back([*many, make_change(51, action=Action.ARCHIVE)], Cap(), links=1000)[0]


def test_nobody_is_asked_about_counterparts_that_are_gone() -> None:
    """Of what was merged into a deal of another link, only a counterpart that is there could be merged, too."""
    other = make_ref("other", connection="north")

    assert judged(NORTH, elsewhere={NORTH: (other,)}).stopped
    assert judged(NORTH, SOUTH, elsewhere={NORTH: (other,)}).stopped
    assert () == judged(NORTH, SOUTH, WEST, elsewhere={NORTH: (other,)}).stopped


@pytest.mark.parametrize(
    ("spoken", "owed"), [("new", True), ("old", False), ("newer", False)], ids=["decided", "had", "said since"]
)
def test_a_deal_lacks_what_was_decided_on_and_never_got_there(spoken: str, *, owed: bool) -> None:
    """What a person said after the decision is an edit of its own, and is known by the base of its own deal."""
    assert owed == lacks({"name": "old"}, {"name": spoken}, {"name": "new"})


def test_a_deal_lacks_nothing_that_it_never_had_or_that_nobody_decided_on() -> None:
    """Its CRM may have no such field, or the others may differ: neither is a write that did not arrive."""
    assert not lacks({}, {"name": "new"}, {"name": "new"})
    assert not lacks({"name": "old"}, {"name": "new"}, {})


def test_a_link_remembers_all_that_it_lost() -> None:
    """However often one is made anew, its key tells it from each of those before, in whatever order they went."""
    first = {HAD: with_lost({}, [SOUTH])}

    assert with_lost(first, [WEST, SOUTH]) == with_lost({HAD: with_lost({}, [WEST])}, [SOUTH])
    assert {str(SOUTH), str(WEST)} == set(with_lost(first, [WEST]))


@pytest.mark.parametrize("policy", ["never", "unlink"])
def test_an_edit_makes_no_difference_where_no_counterpart_would_follow(policy: str) -> None:
    """Nothing is to be saved from a deletion, so what was deleted is not made anew."""
    assert judged(NORTH, policy=policy) == judged(NORTH, policy=policy, edited=(WEST,))


@pytest.mark.parametrize("mark", [ARCHIVED, UNDONE])
def test_a_deal_that_we_took_away_ourselves_lacks_nothing(mark: str) -> None:
    """Its place stays empty, so what was decided on since will never get there."""
    assert not lacks({"name": "old", mark: True}, {"name": "new"}, {"name": "new"})


def test_a_deal_that_has_what_was_decided_on_lacks_nothing() -> None:
    """It was written there, so the deletion of that deal is no write that failed."""
    assert not lacks({"name": "new"}, {"name": "new"}, {"name": "new"})


def test_a_deal_that_came_back_on_its_own_stays_when_another_is_deleted() -> None:
    """Who took it out of the trash wants it; it is not taken away again for an older deletion."""
    assert Gone(members=(SOUTH, WEST)) == judged(NORTH, marks={WEST: {BACK: True}})


def test_an_edit_of_the_deleted_deal_itself_does_not_save_its_counterparts() -> None:
    """Who edited it and then deleted it has decided last."""
    assert judged(NORTH) == judged(NORTH, edited=(NORTH,))


def test_a_deletion_in_a_crm_that_left_the_link_is_followed() -> None:
    """The deal that a person deleted may be no member any more, and the others follow it all the same."""
    found = judge_gone(
        "l",
        (SOUTH, WEST),
        {NORTH: make_tombstone(connection="north")},
        {},
        present=(SOUTH, WEST),
        edited=(),
        policy="archive",
        merges=Merges(),
    )

    assert Gone(members=(SOUTH, WEST), deleted=NORTH, archive=(SOUTH, WEST)) == found


def test_what_a_link_lost_is_told_apart_by_whole_names() -> None:
    """A connection whose name begins like another's lost nothing of that one's, so no key of a creation changes."""
    assert ["crm:1"] == lost_in({HAD: ("crm:1", "crm2:2")}, "crm")
