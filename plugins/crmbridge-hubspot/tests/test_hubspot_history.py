"""The history of `dealstage` and `pipeline` becomes moves."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.ports import NativeStage, Pipeline
from crmbridge_hubspot.account import Account
from crmbridge_hubspot.history import moves_of

DEAL = Ref("hs", Kind.DEAL, "9")
DAY = datetime(2026, 5, 1, tzinfo=UTC)


def make_account() -> Account:
    """Make an account with two pipelines."""
    first = NativeStage(id="a", label="A", status=Status.OPEN)
    won = NativeStage(id="w", label="W", status=Status.WON)
    other = NativeStage(id="x", label="X", status=Status.OPEN)
    return Account(
        portal="1",
        ui_domain="app.example",
        zone=ZoneInfo("UTC"),
        pipelines=(
            Pipeline(id="p", label="P", stages=(first, won)),
            Pipeline(id="q", label="Q", stages=(other,)),
        ),
        fields={},
        native_types={},
        home="EUR",
        currencies=("EUR",),
        owners=({"id": "71", "userId": 9071}, {"id": "72", "userId": None, "userIdIncludingInactive": 9072}),
    )


def version(value: str, minute: int, user: int | None = None) -> dict[str, Any]:
    """Make one version as HubSpot sends it."""
    return {"value": value, "timestamp": f"2026-05-01T00:{minute:02}:00Z", "updatedByUserId": user}


def moved(stages: list[dict[str, Any]], pipelines: list[dict[str, Any]]) -> list[tuple[int, Position | None, Position]]:
    """Read moves, as (minute, before, after)."""
    raw = {"properties": {"pipeline": "p"}, "propertiesWithHistory": {"dealstage": stages, "pipeline": pipelines}}
    return [(move.at.minute, move.before, move.after) for move in moves_of(DEAL, raw, make_account())]


A, W, X = Position("p", "a", Status.OPEN), Position("p", "w", Status.WON), Position("q", "x", Status.OPEN)


def test_versions_come_newest_first_and_moves_oldest_first() -> None:
    """HubSpot's order is recorded as newest first; a chain of moves starts with the deal's creation."""
    assert [(0, None, A), (5, A, W), (9, W, A)] == moved(
        [version("a", 9), version("w", 5), version("a", 0)], [version("p", 0)]
    )


def test_a_version_that_repeats_the_stage_is_no_move() -> None:
    """Rewriting the same stage adds a version, and nothing moved."""
    assert [(0, None, A), (5, A, W)] == moved([version("w", 7), version("w", 5), version("a", 0)], [version("p", 0)])


def test_a_move_to_another_pipeline_is_one_move() -> None:
    """Stage and pipeline are two properties; however far apart their versions are, no deal stands in between."""
    assert [(0, None, A), (6, A, X)] == moved([version("x", 6), version("a", 0)], [version("q", 5), version("p", 0)])
    assert [(0, None, A), (5, A, X)] == moved([version("x", 5), version("a", 0)], [version("q", 6), version("p", 0)])


def test_a_stage_that_is_no_more_keeps_its_id() -> None:
    """Stages are deleted, histories stay."""
    assert [(0, None, Position("p", "old", Status.OPEN)), (5, Position("p", "old", Status.OPEN), A)] == moved(
        [version("a", 5), version("old", 0)], [version("p", 0)]
    )


def test_a_deal_without_history_has_no_moves() -> None:
    """A property that was never set has an empty list of versions."""
    assert [] == moved([], [])


def test_a_mover_is_named_by_owner_id() -> None:
    """Histories name users by `userId`, which is refused as an owner ("Owners" guide)."""
    history = {"dealstage": [version("w", 5, 9072), version("a", 0, 9071)], "pipeline": []}
    moves = moves_of(DEAL, {"properties": {"pipeline": "p"}, "propertiesWithHistory": history}, make_account())

    assert ["71", "72"] == [move.by for move in moves]


def test_a_move_keeps_its_id() -> None:
    """Later versions leave the ids of earlier moves alone, or a repeated page would add moves."""
    short = {"dealstage": [version("a", 0)], "pipeline": []}
    long = {"dealstage": [version("w", 5), version("a", 0)], "pipeline": []}
    ids = [
        [move.id for move in moves_of(DEAL, {"properties": {}, "propertiesWithHistory": each}, make_account())]
        for each in (short, long)
    ]

    assert ids[0] == ids[1][:1]
    assert 2 == len(set(ids[1]))
