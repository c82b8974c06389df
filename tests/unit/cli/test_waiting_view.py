"""How what waits for a person is shown, whatever its CRM wrote into it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.unit.cli.written import text

from crmbridge.cli.commands import links
from crmbridge.cli.speech import english
from crmbridge.cli.waiting_view import age, full_lines, waiting_form, waiting_lines
from crmbridge.model.changes import Blocked, Cause, Edited
from crmbridge.model.values import Money
from crmbridge.ports import Waiting
from crmbridge.services.by_hand.linking import list_unclear
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.workspaces import MONDAY, Bench, make_bench

EVIL = "\x1b[31mRoll\u202eout\x00\nnow"
EURO = Money(Decimal(12000), "EUR")


@pytest.fixture
def bench() -> Bench:
    """Give two CRMs with a deal each, of the same name."""
    made = make_bench(parts={"north": (0, 0), "south": (0, 0)})
    for crm in made.crms.values():
        crm.create_deal(EVIL, amount=EURO)
    pull(made.workspace)
    return made


def conflict(bench: Bench) -> Waiting:
    """Give a conflict that has waited for two days, with hostile text wherever there is text."""
    refs = [crm.named(EVIL)[0].ref for crm in bench.crms.values()]
    bench.workspace.store.links.save({"lnk1": refs})
    item = Blocked(
        link="lnk1",
        deal=refs[0],
        name="amount",
        reason=f"changed {EVIL}",
        values={"north": EURO, "south": EVIL},
        edited={"north": Edited(MONDAY, EVIL)},
    )
    return Waiting(item, MONDAY - timedelta(days=2))


def test_a_conflict_shows_both_values_with_who_and_when(bench: Bench) -> None:
    """And since when it waits."""
    one = conflict(bench)

    assert text(waiting_lines(bench.workspace, [one], MONDAY)).splitlines() == [
        f'{one.item.id}  amount of "Rollout now"',
        f"    conflict  on {one.item.deal}, waits for 2 days",
        "    north     12,000 EUR (edited 2026-06-08 09:00 UTC by Rollout now)",
        "    south     Rollout now",
        "    because   changed Rollout now",
        "",
    ]


def test_one_in_full_says_how_to_decide(bench: Bench) -> None:
    """With each command ready to be copied, and the records it is about."""
    one = conflict(bench)
    said = text(full_lines(bench.workspace, one, MONDAY))

    assert f"  crmbridge conflicts resolve {one.item.id} --take south\n" in said
    assert f"  crmbridge conflicts resolve {one.item.id} --value TEXT\n" in said
    assert all(f"{crm.named(EVIL)[0].ref}  Rollout now" in said for crm in bench.crms.values())
    assert set() == set("\x1b\u202e\x00") & set(said)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.CONFLICT])
def test_what_is_no_conflict_says_what_else_to_do(bench: Bench, cause: Cause) -> None:
    """Each cause has its way."""
    one = conflict(bench)
    item = Blocked(link="", deal=one.item.deal, name="link", reason="r", cause=cause)
    said = text(full_lines(bench.workspace, Waiting(item, MONDAY), MONDAY)).strip().splitlines()

    assert said[-1].endswith(".")
    assert "resolve" not in said[-1]


def test_an_id_stays_while_it_waits(bench: Bench) -> None:
    """Whatever is edited meanwhile; another field or cause has another."""
    item = conflict(bench).item
    later = Blocked(link=item.link, deal=item.deal, name=item.name, reason="changed again", values={})
    others = [
        Blocked(link=item.link, deal=item.deal, name="name", reason=""),
        Blocked(link=item.link, deal=item.deal, name="amount", reason="", cause=Cause.REFUSED),
    ]

    assert item.id == later.id
    assert 3 == len({item.id, *(other.id for other in others)})


def test_programs_get_the_values_as_plan_files_have_them(bench: Bench) -> None:
    """With the id, the age and the name as they are."""
    form = waiting_form(bench.workspace, conflict(bench), MONDAY)

    assert {"money": ["12000", "EUR"]} == form["values"]["north"]
    assert (172_800, EVIL, "conflict") == (form["age_seconds"], form["deal_name"], form["cause"])


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "a moment"), (59, "a moment"), (60, "1 minute"), (7200, "2 hours"), (90_000, "1 day")]
)
def test_an_age_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    """A clock that went back counts as none."""
    assert said == age(timedelta(seconds=seconds), english())


def test_what_may_belong_together_stands_side_by_side(bench: Bench) -> None:
    """With what tells one from another, and the commands."""
    north, south = (crm.named(EVIL)[0].ref for crm in bench.crms.values())
    item = Blocked(link="lnk2", deal=north, name="link", reason=EVIL, values={"south": south.id}, cause=Cause.LINK)
    bench.workspace.store.waiting.replace(["lnk2"], [item], MONDAY)
    (unclear,) = list_unclear(bench.workspace)
    said = text(links._unclear_lines(unclear))

    assert f"    {south}  Rollout now  12,000 EUR, created 2026-06-08" in said
    assert f"crmbridge links join {north} RECORD" in said
    assert f"crmbridge links split {north} " in said
    assert set() == set("\x1b\u202e\x00") & set(said)
