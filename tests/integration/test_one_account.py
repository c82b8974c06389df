"""One account under two names: each of its deals would be taken for another one and made a second time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.integration.test_two_way import entry, run
from tests.unit.services.able import able_bench

from crmbridge.errors import ConfigurationError
from crmbridge.services.pull import same_account
from crmbridge.services.runs.cycle import Cycle
from crmbridge.settings import Settings
from crmbridge.testing.workspaces import Bench

NAMES = ("north", "south", "again")


def bench_with(names: Sequence[str], **crms: str) -> Bench:
    """Make a bench whose settings name these connections; `crms` says which account a CRM is, where it is another's."""
    bench = able_bench(NAMES, **entry(*NAMES))
    for name, account in crms.items():
        bench.crms[name].account = account
    return with_names(bench, *names)


def with_names(bench: Bench, *names: str) -> Bench:
    """Go on with settings that name these connections alone."""
    settings = bench.workspace.project.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    usual: dict[str, Any] = able_bench(NAMES).workspace.project.settings.model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    parts = {part: {name: usual[part][name] for name in names} for part in ("connections", "stages")}
    return bench.again(Settings.model_validate({**settings, **parts, **entry(*names)}))


def move_to(bench: Bench, old: str, new: str) -> None:
    """Let a CRM show all that another one holds, as it is the same account."""
    for native in bench.crms[old].deal_ids():
        bench.crms[new].create_deal(str(bench.crms[old].deal(native).fields["name"]), stage="qualification")


def errors(cycle: Cycle) -> dict[str, str]:
    """Give what was wrong with which connection."""
    return {name: error.message for name, error in cycle.errors}


def counts(bench: Bench) -> dict[str, int]:
    """Count the deals of each CRM."""
    return {name: len(crm.deal_ids()) for name, crm in bench.crms.items()}


@pytest.mark.parametrize("noted", [True, False])
def test_a_connection_that_was_renamed_makes_nothing_twice(monkeypatch: pytest.MonkeyPatch, *, noted: bool) -> None:
    """Nor where an older crmbridge pulled it, which noted no accounts but those of its bookmarks."""
    if not noted:
        monkeypatch.setattr(same_account, "note_account", lambda *_, **__: None)
        monkeypatch.setattr("crmbridge.services.pull.bookmarking.note_account", lambda *_, **__: None)
    bench = bench_with(["north", "south"], again="north")
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    monkeypatch.undo()
    move_to(bench, "north", "again")
    before = counts(bench)
    renamed = with_names(bench, "again", "south")
    cycles = [run(renamed), run(renamed)]

    assert before == counts(renamed)
    assert [3, 3] == [each.exit_code() for each in cycles]
    assert all("linked under the name north" in errors(each)["again"] for each in cycles)
    assert {} == errors(run(with_names(bench, "north", "south")))


def test_another_account_takes_the_place_of_one_that_left() -> None:
    """Its deals are other ones, whatever it is called."""
    bench = bench_with(["north", "south"])
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    cycle = run(with_names(bench, "again", "south"))

    assert {} == errors(cycle)
    assert 1 == len(bench.crms["again"].deal_ids())


def test_no_account_is_kept_in_step_with_itself() -> None:
    """Two connections have the token of one account, by mistake; the first run tells, and so does each after it."""
    bench = bench_with(["north", "again"], again="north")
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    move_to(bench, "north", "again")
    before = counts(bench)
    cycles = [run(bench), run(bench)]

    assert before == counts(bench)
    assert all("lead to one account, north" in next(iter(errors(each).values())) for each in cycles)
    bench.crms["again"].account = "another"
    assert {} == errors(run(bench))


def test_accounts_of_one_name_and_other_people_are_two() -> None:
    """Some CRMs tell no more of an account than what its company is called."""
    bench = bench_with(["north", "again"], again="north")
    bench.crms["again"].records = {
        ref: record for ref, record in bench.crms["again"].records.items() if ref.id != "1" or ref.kind != "user"
    }
    bench.crms["north"].create_deal("Rollout", stage="qualification")

    assert {} == errors(run(bench))
    assert 1 == len(bench.crms["again"].deal_ids())


def test_the_words_say_what_to_do() -> None:
    """Naming it as before keeps what is known."""
    bench = bench_with(["north", "south"], again="north")
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    renamed = with_names(bench, "again", "south").workspace
    with pytest.raises(ConfigurationError) as caught:
        same_account.note_account(renamed, "again", renamed.adapter("again").describe(), new=True)

    assert "Call it north again, or let `store:` name a new state." == caught.value.advice
