"""What of a plan is written: what is selected of it and can be done without the rest, and not more than is allowed."""

from __future__ import annotations

import pytest

from crmbridge.engine.sync.matching import link_id
from crmbridge.errors import ConfigurationError, OverLimitError
from crmbridge.model.changes import Action, Change, FieldEdit
from crmbridge.model.records import Kind
from crmbridge.services.apply.choosing import Choice, choose
from crmbridge.testing.factories import make_change, make_plan, make_ref
from crmbridge.testing.workspaces import Bench, make_bench

ACME = link_id(make_ref("77", kind=Kind.COMPANY))
ANN = link_id(make_ref("78", kind=Kind.CONTACT))


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Give a workspace on two CRMs."""
    return make_bench()


def create(id_: str, kind: Kind, link: str, **needs: str | tuple[str, ...]) -> Change:
    """Create a record in the south that hangs on the records of these links."""
    edits = tuple(FieldEdit(name, None, value) for name, value in needs.items())
    return make_change(
        id=id_,
        action=Action.CREATE,
        connection="south",
        target=None,
        creates=kind,
        link=link,
        edits=edits,
        linked=tuple(needs),
    )


PLAN = make_plan(
    create("company", Kind.COMPANY, ACME),
    create("contact", Kind.CONTACT, ANN, company=ACME),
    create("deal", Kind.DEAL, link_id(make_ref("1")), company=ACME, contacts=(ANN,)),
    make_change("5", id="rename", connection="south"),
    make_change("6", id="away", connection="south", action=Action.ARCHIVE, edits=()),
)


def test_what_needs_something_that_was_not_selected_is_left_out_with_it(bench: Bench) -> None:
    """And says what it needs; so is what needs that in turn."""
    bench.workspace.store.links.save(
        {link_id(make_ref("1")): [make_ref("1")], ANN: [make_ref("78", kind=Kind.CONTACT)]}
    )
    chosen = choose(bench.workspace, PLAN, Choice(select=("north:1", "north:contact:78", "update")))

    assert ["rename"] == [change.id for change in chosen.plan.changes]
    assert [("contact", "company"), ("deal", "contact")] == [(change.id, needed) for change, needed in chosen.left]
    assert 2 == chosen.unselected


def test_what_it_needs_may_be_selected_as_well(bench: Bench) -> None:
    """Then both are made, in the order of the plan."""
    chosen = choose(bench.workspace, PLAN, Choice(select=("create",)))

    assert (["company", "contact", "deal"], ()) == ([c.id for c in chosen.plan.changes], chosen.left)


def test_what_it_needs_may_be_there_already(bench: Bench) -> None:
    """Or fail for itself when it is applied."""
    plan = make_plan(*PLAN.changes[2:])

    assert ["deal"] == [change.id for change in choose(bench.workspace, plan, Choice(select=("create",))).plan.changes]


@pytest.mark.parametrize(("most", "held"), [(0, True), (1, False)])
def test_deletions_have_a_limit_of_their_own(bench: Bench, most: int, held: bool) -> None:  # noqa: FBT001  a case
    """It counts what is selected."""
    choice = Choice(max_deletes=most)
    if not held:
        assert PLAN == choose(bench.workspace, PLAN, choice).plan
        return
    with pytest.raises(OverLimitError, match=r"more deletes \(1\) than --max-deletes 0"):
        choose(bench.workspace, PLAN, choice)
    assert choose(bench.workspace, PLAN, Choice(select=("update",), max_deletes=most))


@pytest.mark.parametrize("text", ["west", "west:1", "north:", "delete", "lnkx", "123"])
def test_what_names_nothing_is_refused(bench: Bench, text: str) -> None:
    """A slip must not write another part than was meant, or silently nothing."""
    with pytest.raises(ConfigurationError, match="names nothing"):
        choose(bench.workspace, PLAN, Choice(select=(text,)))
