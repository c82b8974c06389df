"""Two-way sync as a whole: what hangs on deals, deletions, policies, what waits, and what CRMs make of values."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.integration.two_way import FIRM, HOUR, RoundingCrm, add, crm, entry, linked, only, restore, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Action, Cause, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.settings import Settings
from crmbridge.testing.fake_crm import FakeCrm

# ── What hangs on a deal ────────────────────────────────────────────────────────────────────────────────


def test_a_deal_comes_with_its_company_and_contacts() -> None:
    """What is missing there is made first, in the same run, and the next run has nothing to write."""
    bench = able_bench(**entry(companies="create", contacts="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "p1", name="Ann", email="ann@acme.example", company=firm)
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm, contacts=(ann,))
    first, second = run(bench), run(bench)
    deal, records = only(bench, "south"), bench.crms["south"].records
    company, contact = (
        records[Ref("south", kind, str(native))]
        for kind, native in ((Kind.COMPANY, deal.fields["company"]), (Kind.CONTACT, deal.fields["contacts"][0]))  # type: ignore[index]
    )

    assert [Kind.COMPANY, Kind.CONTACT, Kind.DEAL] == [c.creates for c in first.plan.changes] if first.plan else False
    assert (FIRM, "ann@acme.example", company.ref.id) == (
        dict(company.fields), contact.fields["email"], contact.fields["company"]
    )  # fmt: skip
    assert () == second.plan.changes if second.plan else False


def test_what_is_there_is_matched_and_not_made_again() -> None:
    """Companies by their domain without case, contacts by their e-mail."""
    bench = able_bench(**entry(companies="create", contacts="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    add(bench, "south", Kind.COMPANY, "c9", name="ACME", domain="Acme.Example")
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm)
    run(bench)

    assert "c9" == only(bench, "south").fields["company"]


def test_what_two_crms_have_linked_is_matched_where_it_comes_later() -> None:
    """A third one has the company and the contact by now, though no deal of it names them."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, companies="match", contacts="match"))
    for name in names[:2]:
        add(bench, name, Kind.COMPANY, f"{name}-c", **FIRM)
        add(bench, name, Kind.CONTACT, f"{name}-p", name="Ann", email="ann@acme.example")
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="north-c", contacts=("north-p",))
    run(bench)
    lacking = only(bench, "west").fields
    add(bench, "west", Kind.COMPANY, "west-c", **FIRM)
    add(bench, "west", Kind.CONTACT, "west-p", name="Ann", email="ann@acme.example")
    bench.clock.advance(HOUR)
    run(bench)
    quiet = run(bench)

    for name, there in (("company", "west-c"), ("contacts", ("west-p",))):
        assert (None, there) == (lacking.get(name), only(bench, "west").fields.get(name))
    assert () == quiet.plan.changes if quiet.plan else False


def test_a_deal_waits_for_its_company() -> None:
    """Its company could not be made: the deal is not made either, and comes with the company in the next run."""
    bench = able_bench(**entry(companies="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm)
    bench.crms["south"].faults.append("limit")
    first = run(bench)
    left = list(bench.crms["south"].deal_ids())
    run(bench)
    run(bench)

    assert ([], 0) == (left, first.applied.count(Outcome.APPLIED))
    company = str(only(bench, "south").fields["company"])
    assert FIRM == dict(bench.crms["south"].records[Ref("south", Kind.COMPANY, company)].fields)


def test_associations_are_kept_in_step_member_by_member() -> None:
    """Both sides add a contact, one takes one away: all of it happens everywhere, and nobody else is touched."""
    bench = able_bench(**entry(contacts="create"))
    people = [
        [add(bench, name, Kind.CONTACT, f"{name[0]}{n}", name=f"P{n}", email=f"p{n}@acme.example") for n in range(4)]
        for name in ("north", "south")
    ]
    unknown = add(bench, "south", Kind.CONTACT, "s9", name="No mail")
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=(people[0][0], people[0][1])).id
    run(bench)
    south = only(bench, "south").ref.id
    bench.crms["south"].edit_deal(south, contacts=(people[1][0], people[1][1], people[1][2], unknown))
    bench.crms["north"].edit_deal(north, contacts=(people[0][1], people[0][3]))
    run(bench)
    quiet = run(bench)

    assert {"n1", "n2", "n3"} == set(only(bench, "north").fields["contacts"])  # type: ignore[arg-type]
    assert {"s1", "s2", "s3", "s9"} == set(only(bench, "south").fields["contacts"])  # type: ignore[arg-type]
    assert () == quiet.plan.changes if quiet.plan else False


class SlowCrm(FakeCrm):
    """Makes a deal with its first contact only, and is not heard of when it should add the others."""

    def carry_out(self, change: Change) -> Receipt:
        edits = tuple(edit._replace(after=edit.after[:1]) if edit.name == "contacts" else edit for edit in change.edits)  # type: ignore[index]
        done = super().carry_out(replace(change, edits=edits))
        partly = edits != change.edits and change.action is Action.CREATE
        return replace(done, outcome=Outcome.UNKNOWN, message="not all of its contacts") if partly else done


def test_a_deal_that_was_made_in_part_is_finished() -> None:
    """It is nobody's edit that some of its contacts are missing: they are added, and none is taken away elsewhere."""
    bench = able_bench(**entry(contacts="create"))
    for name in ("north", "south"):
        for n in range(3):
            add(bench, name, Kind.CONTACT, f"{name[0]}{n}", name=f"P{n}", email=f"p{n}@acme.example")
    bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=("n0", "n1", "n2"))
    bench.crms["south"].__class__ = SlowCrm
    run(bench)
    bench.crms["south"].__class__ = FakeCrm
    run(bench)
    quiet = run(bench)

    assert {"n0", "n1", "n2"} == set(only(bench, "north").fields["contacts"])  # type: ignore[arg-type]
    assert {"s0", "s1", "s2"} == set(only(bench, "south").fields["contacts"])  # type: ignore[arg-type]
    assert () == quiet.plan.changes if quiet.plan else False


def test_another_company_travels_and_one_that_is_missing_is_told_of() -> None:
    """A company that only one side has, where none may be made, blocks that field alone."""
    bench = able_bench(**entry(companies="match"))
    for name in ("north", "south"):
        add(bench, name, Kind.COMPANY, "a", **FIRM)
        add(bench, name, Kind.COMPANY, "b", name="Bolt", domain="bolt.example")
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", company="a").id
    run(bench)
    bench.crms["north"].edit_deal(north, company="b")
    run(bench)

    assert "b" == only(bench, "south").fields["company"]


def test_a_company_that_gets_a_domain_brings_its_deals_together() -> None:
    """Deals that could not be matched before are looked at again when their company can be told."""
    bench = able_bench(**entry(create=[], companies="match"))
    for name, domain in (("north", "acme.example"), ("south", None)):
        add(bench, name, Kind.COMPANY, "c", name="Acme", domain=domain)
        bench.crms[name].create_deal("Rollout", stage="qualification", company="c")
    run(bench)
    before = len(bench.workspace.store.links.links())
    crm(bench, "south").put(Kind.COMPANY, "c", {"name": "Acme", "domain": "ACME.example"})
    bench.clock.advance(HOUR)
    run(bench)
    deals = [refs for refs in bench.workspace.store.links.links().values() if refs[0].kind is Kind.DEAL]

    assert (0, [2]) == (before, [len(refs) for refs in deals])


@pytest.mark.parametrize(
    "ours",
    [
        "Rule not met\n[crmbridge:abc]",
        "Rule not met\n\n[crmbridge:abc] Call them",  # a person wrote on
        "Rule not met\n\ncrmbridge:abc",  # as Pipedrive and Salesforce keep it
        "Rule not met\n\ncrmbridge:note:abc\nCall them",
    ],
)
def test_notes_are_copied_one_way_once(ours: str) -> None:
    """What people write in one CRM is copied to the others; what crmbridge wrote there is not."""
    bench = able_bench(
        **entry(notes="from: north"),
        connections={
            name: {"adapter": "fake", "kinds": ["user", "company", "contact", "deal", "note"]}
            for name in ("north", "south")
        },
    )
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    add(bench, "north", Kind.NOTE, "n1", body="They want it in May", deals=(north,))
    add(bench, "north", Kind.NOTE, "n2", body=ours, deals=(north,))
    cycles = [run(bench), run(bench)]
    south = only(bench, "south").ref.id

    assert ["They want it in May"] == [n.fields["body"] for n in bench.crms["south"].hanging_on(south, Kind.NOTE)]
    assert [1, 0] == [len(cycle.plan.changes) for cycle in cycles if cycle.plan]


@pytest.mark.parametrize("body", ["crmbridge: who looks after it?", "As crmbridge:deal says, they wait", "[crm] Call"])
def test_what_only_speaks_of_crmbridge_is_copied(body: str) -> None:
    """A person wrote it."""
    kinds = {"adapter": "fake", "kinds": ["user", "company", "contact", "deal", "note"]}
    bench = able_bench(**entry(notes="from: north"), connections={"north": kinds, "south": kinds})
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    add(bench, "north", Kind.NOTE, "n1", body=body, deals=(north,))
    run(bench)

    assert [body] == [n.fields["body"] for n in bench.crms["south"].hanging_on(only(bench, "south").ref.id, Kind.NOTE)]


# ── Deletions ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_deletion_is_left_alone_where_nothing_is_said() -> None:
    """The counterpart stays, and no new one is made in the place of the deal that is gone."""
    bench, north, south = linked()
    bench.crms["north"].delete_deal(north)
    plans = [run(bench).plan, run(bench).plan]

    assert [(), ()] == [plan.changes for plan in plans if plan]
    assert ([], [south]) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())


def test_a_deletion_is_followed_where_the_settings_say_archive() -> None:
    """And nothing comes back."""
    bench, north, _ = linked(delete="archive")
    bench.crms["north"].delete_deal(north)
    cycle = run(bench)
    quiet = run(bench)

    assert [Action.ARCHIVE] == [change.action for change in cycle.plan.changes] if cycle.plan else False
    assert [] == bench.crms["south"].deal_ids()
    assert () == quiet.plan.changes if quiet.plan else False


def test_an_edit_beats_a_deletion() -> None:
    """Somebody works on the counterpart: it stays, and the deal is made again where it was deleted."""
    bench, north, south = linked(delete="archive")
    bench.crms["south"].edit_deal(south, name="We go on")
    bench.crms["north"].delete_deal(north)
    run(bench)
    run(bench)

    assert ("We go on", "We go on") == (only(bench, "north").fields["name"], only(bench, "south").fields["name"])


def test_what_was_never_agreed_on_beats_a_deletion() -> None:
    """The two differed from the start and nobody decided: one of them going does not decide it."""
    bench = able_bench(**entry(fields={"*": {"conflict": "ask"}}, delete="archive", match={"deal": ["name"]}))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", amount=Money(Decimal(5), "EUR")).id
    south = bench.crms["south"].create_deal("Rollout", stage="qualification", amount=Money(Decimal(7), "EUR")).id
    run(bench)
    bench.crms["north"].delete_deal(north)
    run(bench)

    assert [south] == bench.crms["south"].deal_ids()


def test_a_deal_that_is_brought_back_comes_back_everywhere() -> None:
    """The counterpart that was taken away for it is made anew, once."""
    bench, north, _ = linked(delete="archive")
    before = bench.crms["north"].deal(north)
    bench.crms["north"].delete_deal(north)
    run(bench)
    restore(bench, "north", north, before)
    run(bench)
    quiet = run(bench)

    assert ("Rollout", "Rollout") == (only(bench, "north").fields["name"], only(bench, "south").fields["name"])
    assert () == quiet.plan.changes if quiet.plan else False


def test_a_counterpart_that_is_brought_back_is_not_taken_away_again() -> None:
    """Somebody restored what we had archived: that is an edit, and the deal is made again on the other side."""
    bench, north, south = linked(delete="archive")
    before = bench.crms["south"].deal(south)
    bench.crms["north"].delete_deal(north)
    run(bench)
    restore(bench, "south", south, before)
    run(bench)
    quiet = run(bench)

    assert [south] == bench.crms["south"].deal_ids()
    assert "Rollout" == only(bench, "north").fields["name"]
    assert () == quiet.plan.changes if quiet.plan else False


def test_an_ended_link_keeps_nothing_in_step() -> None:
    """Of three, one is deleted: the other two are left as they are, and go their own ways."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, delete="unlink"))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["north"].delete_deal(north)
    run(bench)
    bench.crms["south"].edit_deal(only(bench, "south").ref.id, name="Alone")
    run(bench)

    assert "Rollout" == only(bench, "west").fields["name"]
    assert [] == bench.crms["north"].deal_ids()


def test_a_mass_deletion_stops_at_the_cap() -> None:
    """Nothing of it is carried out, everything waits with a reason, and one deletion more or less changes nothing."""
    bench = able_bench(**entry(delete="archive", delete_cap={"records": 2, "percent": 0}))
    deals = [bench.crms["north"].create_deal(f"Deal {n}", stage="qualification").id for n in range(5)]
    run(bench)
    for deal in deals[:3]:
        bench.crms["north"].delete_deal(deal)
    held = run(bench)
    waiting = [each.item for each in bench.workspace.store.waiting.all()]

    assert (5, 7) == (len(bench.crms["south"].deal_ids()), held.exit_code())
    assert [Cause.DELETE] * 3 == [item.cause for item in waiting]
    assert "3 deletions in south are more than the 2 allowed at once" in waiting[0].reason


@pytest.mark.parametrize(("delete", "left"), [("archive", 2), ("unlink", 5)])
def test_what_the_cap_holds_back_waits_until_it_is_raised(delete: str, left: int) -> None:
    """However many runs come in between; then all of it is carried out, and nothing waits any more."""
    few = {"records": 2, "percent": 0}
    bench = able_bench(**entry(delete=delete, delete_cap=few))
    deals = [bench.crms["north"].create_deal(f"Deal {n}", stage="qualification").id for n in range(5)]
    run(bench)
    for deal in deals[:3]:
        bench.crms["north"].delete_deal(deal)
    held = [(run(bench).exit_code(), len(bench.workspace.store.waiting.all())) for _ in range(3)]
    project = bench.workspace.project
    more = Settings.model_validate(
        {**project.settings.model_dump(mode="json"), **entry(delete=delete, delete_cap={**few, "records": 3})}
    )
    bench = bench.again(more)
    last = run(bench)

    assert [(7, 3)] * 3 == held
    assert (0, ()) == (last.exit_code(), bench.workspace.store.waiting.all())
    assert left == len(bench.crms["south"].deal_ids())


def test_an_empty_answer_deletes_nothing() -> None:
    """A CRM that suddenly lists nothing at all has lost nothing as long as it names no deletion."""
    bench, north, south = linked(delete="archive")
    records = bench.crms["north"].records
    bench.crms["north"].records = {ref: record for ref, record in records.items() if ref.kind is not Kind.DEAL}
    bench.crms["north"].changed.clear()
    run(bench)
    bench.crms["north"].records = records

    assert [south] == bench.crms["south"].deal_ids()
    assert [north] == bench.crms["north"].deal_ids()


def test_a_merge_of_two_linked_deals_is_told() -> None:
    """Each had a counterpart: the one whose deal was merged away is named, and stays."""
    bench = able_bench(**entry())
    one, two = (bench.crms["north"].create_deal(name, stage="qualification").id for name in ("One", "Two"))
    run(bench)
    bench.crms["north"].merge_deals(winner=one, loser=two)
    cycle = run(bench)

    assert [Cause.LINK] == [item.cause for item in cycle.plan.blocked] if cycle.plan else False
    assert 2 == len(bench.crms["south"].deal_ids())
    assert [one] == bench.crms["north"].deal_ids()


# ── Policies, and what CRMs make of values ──────────────────────────────────────────────────────────────


def test_a_field_that_goes_one_way() -> None:
    """Only one side speaks; what others change is theirs until then, and no run writes for it."""
    fields = {"*": {"conflict": "newest"}, "name": {"direction": "from: north"}}
    bench, north, south = linked(fields=fields)
    bench.crms["south"].edit_deal(south, name="Ours")
    quiet = run(bench)
    bench.crms["north"].edit_deal(north, name="New name")
    run(bench)

    assert () == quiet.plan.changes if quiet.plan else False
    assert "New name" == only(bench, "south").fields["name"]


def test_a_field_that_is_only_filled() -> None:
    """Empty is filled; a value is never written over, and values that differ are no conflict."""
    fields = {"*": {"conflict": "only_if_empty"}}
    bench, north, south = linked(fields=fields)
    bench.crms["north"].edit_deal(north, amount=Money(Decimal(5), "EUR"))
    run(bench)
    bench.crms["south"].edit_deal(south, amount=Money(Decimal(7), "EUR"))
    cycles = [run(bench), run(bench)]

    assert Money(Decimal(5), "EUR") == only(bench, "north").fields["amount"]
    assert Money(Decimal(7), "EUR") == only(bench, "south").fields["amount"]
    assert [((), ())] * 2 == [(cycle.plan.changes, cycle.plan.blocked) for cycle in cycles if cycle.plan]


def test_what_a_crm_makes_of_a_value_is_nobodys_edit() -> None:
    """A rounded amount and a cut name don't travel back and are not written again; a true edit of them travels."""
    bench, north, south = linked()
    bench.crms["south"].__class__ = RoundingCrm
    name = "A name that is a good deal longer than forty characters"
    bench.crms["north"].edit_deal(north, name=name, amount=Money(Decimal("10.25"), "EUR"))
    writing_, quiet, still = run(bench), run(bench), run(bench)
    kept = only(bench, "north").fields
    bench.crms["south"].edit_deal(south, amount=Money(Decimal(11), "EUR"))
    run(bench)

    assert (1, 0, 0) == tuple(len(cycle.plan.changes) for cycle in (writing_, quiet, still) if cycle.plan)
    assert (name, Money(Decimal("10.25"), "EUR")) == (kept["name"], kept["amount"])
    assert Money(Decimal(11), "EUR") == only(bench, "north").fields["amount"]
    assert name == only(bench, "north").fields["name"]


class WithoutEmptyCrm(RoundingCrm):
    """Has no empty amount: none and zero are one there, which its adapter reads as none."""

    @staticmethod
    def _kept(value: Value) -> Value:
        return None if value == Money(Decimal(0), "EUR") else value


@pytest.mark.parametrize("conflict", ["newest", "ask"])
def test_zero_stays_where_a_crm_has_no_empty_amount(conflict: str) -> None:
    """It does not come back as none, and is not written again; who clears the amount is heard."""
    bench, north, south = linked(fields={"*": {"conflict": conflict}})
    bench.crms["south"].__class__ = WithoutEmptyCrm
    held = []
    for amount in (Money(Decimal(5), "EUR"), Money(Decimal(0), "EUR"), None, Money(Decimal(0), "EUR")):
        bench.crms["north"].edit_deal(north, amount=amount)
        cycles = [run(bench), run(bench), run(bench)]
        held.append((only(bench, "north").fields["amount"], only(bench, "south").fields["amount"]))
        assert [0, 0] == [len(cycle.plan.changes) for cycle in cycles[1:] if cycle.plan]
    bench.crms["south"].edit_deal(south, amount=Money(Decimal(7), "EUR"))
    run(bench)

    five, zero = Money(Decimal(5), "EUR"), Money(Decimal(0), "EUR")
    assert [(five, five), (zero, None), (None, None), (zero, None)] == held
    assert Money(Decimal(7), "EUR") == only(bench, "north").fields["amount"]


def test_an_idle_run_looks_at_nothing() -> None:
    """Once everything is in step, the backlog is empty, however many deals there are."""
    bench, *_ = linked()
    run(bench)
    backlog = bench.workspace.store.backlog

    assert {()} == {backlog.pending(reader)[1] for reader in backlog.readers()}


@pytest.mark.parametrize("policy", ["ask", "newest"])
def test_three_crms_share_one_link(policy: str) -> None:
    """An edit in any of them reaches the two others."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, fields={"*": {"conflict": policy}}))
    bench.crms["south"].create_deal("Rollout", stage="qualification")
    run(bench)
    bench.crms["west"].edit_deal(only(bench, "west").ref.id, name="From the west")
    run(bench)

    assert ["From the west"] * 3 == [only(bench, name).fields["name"] for name in names]
    assert [3] == [len(refs) for refs in bench.workspace.store.links.links().values()]


def test_what_was_decided_in_this_run_is_written_down_once() -> None:
    """What we wrote to the south before the west was written to is no edit that a later one contradicts."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, fields={"*": {"conflict": "ask"}}))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.clock.advance(HOUR)
    for name in ("First", "Second"):
        bench.crms["north"].edit_deal(north, name=name)
        done = run(bench)

        assert () == done.plan.blocked if done.plan else False
        assert [name] * 3 == [only(bench, each).fields["name"] for each in names]
