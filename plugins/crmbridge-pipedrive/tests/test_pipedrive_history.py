"""Moves from changelogs and flows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status
from crmbridge_pipedrive.api import Api
from crmbridge_pipedrive.changelogs import ChangeLogs
from crmbridge_pipedrive.history import History, may_have_moved
from crmbridge_pipedrive.verdicts import ForbiddenError, NoRouteError

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
PIPELINES = {"1": "1", "2": "1", "3": "1", "7": "2"}
Row = dict[str, Any]


class Feeds:
    """Stands in for the two history lists; an error is raised where the rows would be."""

    def __init__(self, changelog: list[Row] | Exception, flow: list[Row] | Exception = ()) -> None:  # type: ignore[assignment]  # an empty feed
        self._changelog, self._flow = changelog, flow
        self.asked: list[str] = []

    def rows(self, call: str, *, id_: int) -> Iterator[Row]:
        return self._give(f"{call} of {id_}", self._changelog)

    def rows_v1(self, call: str, _params: Row, *, id_: int) -> Iterator[Row]:
        return self._give(f"{call} of {id_}", self._flow)

    def _give(self, call: str, rows: list[Row] | Exception) -> Iterator[Row]:
        self.asked.append(call)
        if isinstance(rows, Exception):
            raise rows
        return iter(rows)


def change(minutes: int, field: str, old: str | None, new: str | None) -> Row:
    """Make a changelog row, some minutes after the deal's creation."""
    at = NOON + timedelta(minutes=minutes)
    return {"field_key": field, "old_value": old, "new_value": new, "actor_user_id": 7, "time": f"{at:%F %T}"}


def flow_row(row: Row) -> Row:
    data = {"field_key": row["field_key"], "old_value": row["old_value"], "new_value": row["new_value"]}
    return {"object": "dealChange", "data": {**data, "user_id": row["actor_user_id"], "log_time": row["time"]}}


def moves(feeds: Feeds, stage: str, status: str = "open", **times: int) -> tuple[Move, ...]:
    """Read the moves of a deal that stands somewhere now; times are minutes after its creation."""
    row = {"id": 1, "add_time": f"{NOON:%FT%TZ}", "creator_user_id": 9, "status": status, "stage_id": int(stage)}
    row |= {name: f"{NOON + timedelta(minutes=m):%FT%TZ}" for name, m in times.items()}
    deal = Record(
        ref=Ref("pd", Kind.DEAL, "1"),
        fields={},
        version="v",
        created_at=NOON,
        updated_at=NOON + timedelta(days=9),
        position=Position(PIPELINES[stage], stage, Status(status)),
    )
    history = History(api=cast("Api", feeds), logs=ChangeLogs(cast("Api", feeds), {}), pipeline_of=PIPELINES)
    return history.moves(deal, row, history.read(row))


def path(found: tuple[Move, ...]) -> list[tuple[str, str]]:
    return [(move.after.stage, move.after.status.value) for move in found]


def test_what_is_unknown_in_a_row_is_passed_over() -> None:
    """New keys came to changes without notice and broke strict schemas (tap-pipedrive PR #59)."""
    said = {"change_source": "app", "change_source_user_agent": None, "is_bulk_update_flag": 1, "made_up": {"a": []}}
    rows = [change(3, "stage_id", "1", "2") | said, change(2, "made_up_field", None, "x") | said]

    assert [("1", "open"), ("2", "open")] == path(moves(Feeds(rows), "2", stage_change_time=3))


def test_a_deal_that_never_moved_has_its_creation() -> None:
    """The initial stage is nowhere in the log; without a move it is the one where the deal stands."""
    found = moves(Feeds([]), "2")

    assert [(NOON, None, Position("1", "2", Status.OPEN), "9")] == [(m.at, m.before, m.after, m.by) for m in found]


def test_the_initial_stage_is_where_the_first_move_left_from() -> None:
    """Both feeds come newest first, and hold only changes."""
    rows = [change(9, "stage_id", "2", "3"), change(5, "value", "1", "2"), change(3, "stage_id", "1", "2")]
    found = moves(Feeds(rows), "3", stage_change_time=9)

    assert [("1", "open"), ("2", "open"), ("3", "open")] == path(found)
    assert [None, *(move.after for move in found[:-1])] == [move.before for move in found]


def test_won_and_reopened_are_moves() -> None:
    """Won and lost are statuses: the stage stays, the position changes."""
    rows = [change(8, "status", "won", "open"), change(4, "status", "open", "won"), change(2, "stage_id", "1", "2")]
    found = moves(Feeds(rows), "2", stage_change_time=2)

    assert [("1", "open"), ("2", "open"), ("2", "won"), ("2", "open")] == path(found)


def test_one_edit_is_one_move() -> None:
    """Pipeline, stage and status changed in one second by one edit are one step."""
    rows = [
        change(5, "status", "open", "won"),
        change(5, "stage_id", "1", "7"),
        change(5, "pipeline_id", "1", "2"),
    ]
    found = moves(Feeds(rows), "7", "won", stage_change_time=5, won_time=5)

    assert [Position("1", "1", Status.OPEN), Position("2", "7", Status.WON)] == [move.after for move in found]


def test_being_deleted_is_no_move() -> None:
    """The flow of a deleted or merged deal shows its status going to `deleted`; a tombstone says that."""
    rows = [change(6, "status", "open", "deleted"), change(3, "stage_id", "1", "2")]

    assert [("1", "open"), ("2", "open")] == path(moves(Feeds(rows), "2", stage_change_time=3))


@pytest.mark.parametrize(
    "changelog",
    [[], [change(3, "stage_id", "1", "2")], RefusedError("410"), ForbiddenError("403"), NoRouteError("404")],
    ids=["empty", "too short", "gone", "forbidden", "no such call"],
)
def test_the_flow_is_asked_where_the_changelog_does_not_explain(changelog: list[Row] | Exception) -> None:
    """How far back the changelog goes is not documented; the flow costs twice as much and is the second choice."""
    rows = [change(9, "stage_id", "2", "3"), change(3, "stage_id", "1", "2")]
    feeds = Feeds(changelog, [flow_row(row) for row in rows])

    assert [("1", "open"), ("2", "open"), ("3", "open")] == path(moves(feeds, "3", stage_change_time=9))
    assert ["changelog of 1", "flow of 1"] == feeds.asked


def test_a_changelog_that_explains_is_enough() -> None:
    """40 tokens are not spent where 20 did: one flow for each deal took most of a run (tap-pipedrive PR #36)."""
    feeds = Feeds([change(3, "stage_id", "1", "2")])
    moves(feeds, "2", stage_change_time=3)

    assert ["changelog of 1"] == feeds.asked


def test_a_closed_deal_needs_a_step_that_closed_it() -> None:
    """A won deal without one has more history than the changelog shows."""
    feeds = Feeds([change(3, "stage_id", "1", "2")], [flow_row(change(8, "status", "open", "won"))])
    found = moves(feeds, "2", "won", stage_change_time=3, won_time=8)

    assert ["changelog of 1", "flow of 1"] == feeds.asked
    assert ("2", "won") == path(found)[-1]


def test_without_any_history_the_last_known_time_counts() -> None:
    """A deal merged or deleted meanwhile answers 403, 404 or 410: it stood there since its last change, at least."""
    feeds = Feeds(RefusedError("404"), RefusedError("404"))
    found = moves(feeds, "3", stage_change_time=9)

    assert [(NOON + timedelta(minutes=9), None, "3")] == [(m.at, m.before, m.after.stage) for m in found]


def test_calls_that_are_no_more_take_no_history_away() -> None:
    """Taken for a deal that is gone, all moves that are known of every deal would be replaced by its last one."""
    with pytest.raises(NoRouteError):
        moves(Feeds(NoRouteError("404"), NoRouteError("404")), "3", stage_change_time=9)


def test_history_that_lags_is_brought_up_to_the_record() -> None:
    """The record knows of a move that neither feed shows yet; the feed's own row for it will have the same id."""
    late = Feeds([change(3, "stage_id", "1", "2")], [])
    then = Feeds([change(9, "stage_id", "2", "3"), change(3, "stage_id", "1", "2")])
    early, later = moves(late, "3", stage_change_time=9), moves(then, "3", stage_change_time=9)

    assert ("3", "open") == path(early)[-1]
    assert [move.id for move in later] == [move.id for move in early]


def test_a_refused_token_is_not_taken_for_a_missing_history() -> None:
    """Only this one deal's refusal is passed over; a token that is refused stops the pull."""
    with pytest.raises(AuthenticationError):
        moves(Feeds(AuthenticationError("401")), "2")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("123")), max_size=12))
def test_any_history_is_a_chain_to_where_the_deal_is(walk: list[tuple[int, str]]) -> None:
    """However often and quickly a deal moves, its moves follow on each other, with ids of their own, in order."""
    stage, at, rows = "1", 0, []
    for wait, target in walk:
        at += wait
        if target != stage:
            rows.append(change(at, "stage_id", stage, target))
            stage = target
    feeds = Feeds(rows[::-1])
    found = moves(feeds, stage, stage_change_time=at) if rows else moves(feeds, stage)

    assert len(rows) + 1 == len(found) == len({move.id for move in found})
    assert [None, *(move.after for move in found[:-1])] == [move.before for move in found]
    assert stage == found[-1].after.stage
    assert list(found) == sorted(found, key=lambda move: (move.at, len(move.id), move.id))


def test_only_deals_that_may_have_moved_are_worth_their_history() -> None:
    """New ones, moved ones, closed ones, and open ones that were won or lost before."""
    since = NOON

    def row(**values: Any) -> Row:
        return {"id": 5, "status": "open", "add_time": "2026-01-01T00:00:00Z", **values}

    assert may_have_moved(row(), None, ())
    assert may_have_moved(row(stage_change_time="2026-06-10T12:00:00Z"), since, ())
    assert may_have_moved(row(add_time="2026-06-10T12:00:01Z"), since, ())
    assert may_have_moved(row(status="won", won_time="2026-06-10T13:00:00Z"), since, ())
    assert may_have_moved(row(first_won_time="2026-02-01T00:00:00Z"), since, ())
    assert may_have_moved(row(), since, {5})
    assert not may_have_moved(row(stage_change_time="2026-06-10T11:59:59Z"), since, {6})
    assert not may_have_moved(row(status="lost", lost_time="2026-02-01T00:00:00Z"), since, {5})
