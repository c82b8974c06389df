"""The factories give values that fit together, and take overrides."""

from crmbridge.model.records import Kind, Status
from crmbridge.testing import factories


def test_the_usual_settings_map_every_stage_of_the_usual_process() -> None:
    """A test that takes both as they come has no unmapped stage."""
    process, settings = factories.make_process(), factories.make_settings()

    mapped = settings.stages["north"].map

    assert {stage.id for stage in process.stages} | {"won", "lost"} == set(mapped)


def test_a_deal_stands_where_it_is_told() -> None:
    """A stage name becomes the native position that the usual settings map to it."""
    deal = factories.make_deal("9", connection="south", stage="care", fields={"name": "Big"}, version="v2")

    assert ("sales", "n_care", Status.WON) == deal.position
    assert ("south", Kind.DEAL, "9") == deal.ref
    assert ("Big", "7", "v2") == (deal.fields["name"], deal.fields["owner"], deal.version)


def test_a_history_is_a_chain() -> None:
    """Each move starts where the one before it ended, and the first starts nowhere."""
    noon = factories.NOON
    first, second = factories.make_moves((noon, "qualification"), (noon, "proposal"))

    assert None is first.before
    assert first.after == second.before
    assert first.id < second.id
