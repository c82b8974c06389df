"""Deletions that a CRM tells of no more: they are found all the same, and not more than those."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Never

import pytest

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, Capabilities, Page
from crmbridge.services.pull.pulling import ConnectionPull, pull
from crmbridge.services.runs.running import run_steps
from crmbridge.services.workspace import Workspace
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

DAY = timedelta(days=1)
TOLD_FOR = 15 * DAY


@pytest.fixture
def bench() -> Bench:
    """Give a CRM of sixty deals that tells of a deletion for fifteen days, pulled once."""
    return bench_of(60)


def bench_of(deals: int) -> Bench:
    """Make such a CRM of some deals."""
    found = make_bench(deals=deals, parts={"north": (0.0, 1.0)})
    found.crms["north"].forgets = TOLD_FOR
    pull(found.workspace)
    return found


def delete(bench: Bench, count: int) -> None:
    """Delete some deals as a person would."""
    for each in bench.crms["north"].deal_ids()[:count]:
        bench.crms["north"].delete_deal(each)


def forget(bench: Bench) -> None:
    """Let the CRM forget at once what is gone, as when somebody empties the recycle bin."""
    for ref in bench.crms["north"].gone:
        del bench.crms["north"].changed[ref]


def held(bench: Bench) -> set[Ref]:
    """Give the deals that the state takes for there."""
    return {record.ref for record in bench.workspace.store.records.records("north", Kind.DEAL)}


def there(bench: Bench) -> set[Ref]:
    """Give the deals that are there."""
    return {bench.crms["north"].ref(Kind.DEAL, each) for each in bench.crms["north"].deal_ids()}


class Watched(FakeAdapter):
    """A fake that counts what it is asked for, raises what it is told to, and cuts a pull of deals off."""

    asked = 0
    calls = 0
    error: Exception | None = None
    bad: frozenset[Ref] = frozenset()  # ids that the CRM can't take, whatever they are asked for with
    cut = False

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        pages = super().pull(kind, since)
        if self.cut and kind is Kind.DEAL:
            yield next(pages)
            raise RetryLaterError("too many requests")
        yield from pages

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if not self.bad.isdisjoint(refs):
            raise RefusedError("malformed id")
        self.asked += len(refs)
        return super().read(refs, fields=fields)


def watched(bench: Bench) -> tuple[Bench, Watched]:
    """Put a watched adapter before the CRM."""
    eye = Watched(bench.crms["north"])

    def wrap(_adapter: FakeAdapter, _connection: str) -> Adapter:
        return eye

    workspace = replace(bench.workspace, plugins=fake_plugins(bench.crms, wrap=wrap))
    return replace(bench, workspace=workspace), eye


# ── What is found ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("days", [1, 13, 14, 15, 16, 100])
def test_a_deletion_is_noticed_however_long_nobody_pulled(bench: Bench, days: int) -> None:
    """Whether the CRM still tells of it or not, it comes with the first pull after it."""
    delete(bench, 3)
    bench.clock.advance(days * DAY)
    said = pull(bench.workspace)[0]

    assert (3, None) == (said.gone, said.error)
    assert there(bench) == held(bench)


def test_what_was_never_told_is_noticed_in_time(bench: Bench) -> None:
    """Somebody empties the recycle bin before a pull; the deals are looked for as often as the CRM forgets."""
    delete(bench, 3)
    forget(bench)
    for _ in range(16):
        pull(bench.workspace)
        bench.clock.advance(DAY)

    assert there(bench) == held(bench)


def test_companies_and_contacts_are_looked_for_as_well(bench: Bench) -> None:
    """Each kind that the CRM forgets."""
    crm = bench.crms["north"]
    company = next(ref for ref in sorted(crm.records) if ref.kind is Kind.COMPANY)
    crm.drop(company)
    bench.clock.advance(20 * DAY)
    pull(bench.workspace)

    assert company in bench.workspace.store.records.tombstones([company])


def test_a_merge_that_is_still_told_keeps_its_survivor(bench: Bench) -> None:
    """What the pull tells comes first, and the look says nothing more of it."""
    bench.clock.advance(20 * DAY)
    crm = bench.crms["north"]
    winner, loser = crm.deal_ids()[:2]
    crm.merge_deals(winner=winner, loser=loser)
    pull(bench.workspace)
    gone = crm.ref(Kind.DEAL, loser)

    assert crm.ref(Kind.DEAL, winner) == bench.workspace.store.records.tombstones([gone])[gone].merged_into


def test_the_next_pull_goes_on_from_where_this_one_was(bench: Bench) -> None:
    """Saving what is gone moves no cursor."""
    delete(bench, 3)
    bench.clock.advance(20 * DAY)
    pull(bench.workspace)

    assert 0 == pull(bench.workspace)[0].records


# ── What it costs ───────────────────────────────────────────────────────────────────────────────────────


def test_a_first_pull_looks_for_nothing(bench: Bench) -> None:
    """What it has just read is there; nor does the pull that goes on with one that was cut off."""
    fresh = make_bench(deals=60, parts={"north": (0.0, 1.0)})
    fresh.crms["north"].forgets = TOLD_FOR
    seen, eye = watched(fresh)
    eye.cut = True
    first = pull(seen.workspace)[0].error
    eye.cut = False
    second = pull(seen.workspace)[0].error

    assert (RetryLaterError, type(None)) == (type(first), type(second))
    assert (0, held(bench)) == (eye.asked, held(fresh))


def test_nothing_is_looked_for_while_the_crm_tells_by_itself(bench: Bench) -> None:
    """Pulled each day, the deals are read by their ids once in that time, and not by every pull."""
    seen, eye = watched(bench)
    counts = []
    for _ in range(28):
        seen.clock.advance(DAY)
        pull(seen.workspace)
        counts.append(eye.asked)

    known = sum(ref.kind is not Kind.USER for ref in bench.crms["north"].records)
    assert [0] * 13 + [known] * 14 + [2 * known] == counts


def test_a_crm_that_forgets_nothing_is_asked_nothing(bench: Bench) -> None:
    """Nor is one that says nothing of it."""
    bench.crms["north"].forgets = None
    seen, eye = watched(bench)
    seen.clock.advance(400 * DAY)
    pull(seen.workspace)

    assert 0 == eye.asked


def test_what_is_known_since_an_earlier_version_is_looked_for_once(bench: Bench) -> None:
    """Nobody wrote down when that was done, so it may be long ago."""
    bench.workspace.store.memory("north").clear()
    delete(bench, 2)
    forget(bench)
    seen, eye = watched(bench)
    pull(seen.workspace)
    once = eye.asked
    pull(seen.workspace)

    assert (there(bench), once) == (held(bench), eye.asked)


def test_a_clock_that_was_ahead_puts_nothing_off(bench: Bench) -> None:
    """Looked for in the year to come, by a clock that was wrong, the deals are looked for again today."""
    bench.clock.advance(366 * DAY)
    pull(bench.workspace)
    bench.clock.advance(-366 * DAY + 20 * DAY)
    delete(bench, 1)
    forget(bench)
    pull(bench.workspace)

    assert there(bench) == held(bench)


# ── What is not believed ────────────────────────────────────────────────────────────────────────────────


def test_that_most_are_gone_is_believed_a_day_later(bench: Bench) -> None:
    """A user who may see less than before looks just like that; in between, nothing is asked again."""
    delete(bench, 40)
    bench.clock.advance(20 * DAY)
    seen, eye = watched(bench)
    first = pull(seen.workspace)[0].gone
    asked = eye.asked
    seen.clock.advance(DAY / 2)
    second = pull(seen.workspace)[0].gone
    again = eye.asked
    seen.clock.advance(DAY / 2)

    assert (0, 0, asked) == (first, second, again)
    assert (40, there(bench)) == (pull(seen.workspace)[0].gone, held(bench))


@pytest.mark.parametrize(
    ("deals", "gone", "believed"), [(60, 30, True), (60, 31, False), (20, 20, True), (22, 20, True), (22, 21, False)]
)
def test_up_to_half_or_twenty_are_believed_at_once(deals: int, gone: int, *, believed: bool) -> None:
    """The larger of the two counts."""
    bench = bench_of(deals)
    delete(bench, gone)
    bench.clock.advance(20 * DAY)

    assert (gone if believed else 0) == pull(bench.workspace)[0].gone


def test_a_clock_that_is_put_back_makes_no_doubt_a_day_old(bench: Bench) -> None:
    """Doubted by a clock that was ahead, they are doubted anew by the right one."""
    delete(bench, 40)
    bench.clock.advance(40 * DAY)
    pull(bench.workspace)
    bench.clock.advance(-10 * DAY)
    again = pull(bench.workspace)[0].gone
    bench.clock.advance(DAY)

    assert (0, 40) == (again, pull(bench.workspace)[0].gone)


def test_a_doubt_that_is_over_makes_none_of_the_next_believed(bench: Bench) -> None:
    """Whoever sees less than before for a second time is not believed at once either."""
    crm = bench.crms["north"]
    shown = {ref: record for ref, record in crm.records.items() if ref.kind is Kind.DEAL}
    for _ in range(2):
        bench.clock.advance(20 * DAY)
        for ref in shown:
            del crm.records[ref]
        assert 0 == pull(bench.workspace)[0].gone
        crm.records |= shown
        bench.clock.advance(DAY)
        pull(bench.workspace)

    assert set(shown) == held(bench)


def test_what_can_be_seen_again_within_the_day_was_never_gone(bench: Bench) -> None:
    """They stay as they are, and the doubt is over."""
    crm = bench.crms["north"]
    hidden = {ref: record for ref, record in crm.records.items() if ref.kind is Kind.DEAL}
    bench.clock.advance(20 * DAY)
    for ref in hidden:
        del crm.records[ref]
    first = pull(bench.workspace)[0].gone
    crm.records |= hidden
    bench.clock.advance(DAY)

    assert (0, 0, set(hidden)) == (first, pull(bench.workspace)[0].gone, held(bench))


@pytest.mark.parametrize("pulls", [1, 90])
@pytest.mark.parametrize("days", [14, 20, 100])
def test_what_can_be_seen_again_is_there_again(bench: Bench, days: int, pulls: int) -> None:
    """Deals that a user could not see for a while were taken for gone, and nobody edits them since."""
    crm = bench.crms["north"]
    hidden = {crm.ref(Kind.DEAL, each): crm.deal(each) for each in crm.deal_ids()[:3]}
    for ref in hidden:
        del crm.records[ref]
    bench.clock.advance(20 * DAY)
    gone = pull(bench.workspace)[0].gone
    for _ in range(pulls - 1):
        bench.clock.advance(DAY)
        pull(bench.workspace)
    crm.records |= hidden
    bench.clock.advance(days * DAY)
    pull(bench.workspace)

    assert 3 == gone
    assert hidden == bench.workspace.store.records.get(hidden)


def test_what_was_deleted_stays_so(bench: Bench) -> None:
    """Also where it was merged into another: what is read by its id is no other record."""
    crm = bench.crms["north"]
    crm.merge_deals(winner=crm.deal_ids()[0], loser=crm.deal_ids()[1])
    delete(bench, 1)
    for _ in range(3):
        bench.clock.advance(20 * DAY)
        pull(bench.workspace)

    assert there(bench) == held(bench)


@pytest.mark.parametrize("deals", [15, 60])
@pytest.mark.parametrize("error", [RefusedError("no"), RetryLaterError("too many requests")])
def test_what_could_not_be_read_is_not_gone(deals: int, error: Exception) -> None:
    """A CRM that is busy is asked by the next pull."""
    bench = bench_of(deals)
    delete(bench, 3)
    bench.clock.advance(20 * DAY)
    seen, eye = watched(bench)
    eye.error = error
    first = pull(seen.workspace)[0]

    assert (0, deals) == (first.gone, len(held(bench)))
    eye.error = None
    assert 3 == _until(seen).gone


def _until(bench: Bench) -> ConnectionPull:
    """Pull, and once more after as long as the CRM tells of deletions, if the first one found nothing gone."""
    said = pull(bench.workspace)[0]
    if said.gone:
        return said
    bench.clock.advance(TOLD_FOR)
    return pull(bench.workspace)[0]


@pytest.mark.parametrize("bad", [1, 2, 5, 40])
def test_an_id_that_the_crm_refuses_keeps_no_other_from_being_looked_for(bad: int) -> None:
    """Of the ones that it refuses nobody knows whether they are gone, so they stay."""
    bench = bench_of(60)
    deals = sorted(bench.crms["north"].deal_ids())
    seen, eye = watched(bench)
    eye.bad = frozenset(bench.crms["north"].ref(Kind.DEAL, each) for each in deals[10 : 10 + bad])
    for each in (deals[0], deals[10], deals[58], deals[59]):
        bench.crms["north"].delete_deal(each)
    forget(bench)
    bench.clock.advance(20 * DAY)

    assert 3 == pull(seen.workspace)[0].gone
    assert there(bench) | {min(eye.bad)} == held(bench)


def test_a_thousand_ids_that_the_crm_refuses_keep_no_later_one_from_being_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are asked for in ever smaller lots until that comes to nothing, and it is said once how many they are."""
    bench = bench_of(3000)
    deals = sorted(bench.crms["north"].deal_ids())
    seen, eye = watched(bench)
    eye.bad = frozenset(bench.crms["north"].ref(Kind.DEAL, each) for each in [*deals[:1000], deals[1500]])
    for each in deals[-3:]:
        bench.crms["north"].delete_deal(each)
    forget(bench)
    bench.clock.advance(20 * DAY)

    assert 3 == pull(seen.workspace)[0].gone
    assert [f"north: 1,001 deals can't be looked for, {min(eye.bad)} among them: malformed id"] == caplog.messages


def test_a_crm_that_refuses_everything_is_soon_left_alone(bench: Bench) -> None:
    """It is for no single id, so it is not asked for each of them."""
    seen, eye = watched(bench)
    kinds = {ref.kind for ref in bench.crms["north"].records} - {Kind.USER}
    eye.error = RefusedError("no")
    bench.clock.advance(20 * DAY)
    pull(seen.workspace)

    assert 0 < eye.calls <= 20 * len(kinds)


class Tired(Watched):
    """Answers so many requests that read deals, then says that the limit of the day is reached, until the next day."""

    left = 0
    deals = 0

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        if refs and refs[0].kind is Kind.DEAL:
            if not self.left:
                raise RetryLaterError("enough for today")
            self.left -= 1
            self.deals += len(refs)
        return super().read(refs, fields=fields)


def tired(bench: Bench) -> tuple[Workspace, Tired]:
    """Put such an adapter before the CRM."""
    eye = Tired(bench.crms["north"])

    def wrap(_adapter: FakeAdapter, _connection: str) -> Adapter:
        return eye

    return replace(bench.workspace, plugins=fake_plugins(bench.crms, wrap=wrap)), eye


def test_a_look_goes_on_where_a_limit_ended_it() -> None:
    """It is not begun anew each day, which would never come to its end, and what is back meanwhile is not gone."""
    bench = bench_of(2500)
    crm = bench.crms["north"]
    workspace, eye = tired(bench)
    hidden = {crm.ref(Kind.DEAL, each): crm.deal(each) for each in sorted(crm.deal_ids())[:3]}
    for ref in hidden:
        del crm.records[ref]
    back = min(hidden)
    bench.clock.advance(20 * DAY)
    said = []
    for _ in range(3):
        eye.left = 2
        said.append(pull(workspace)[0])
        crm.records[back] = hidden[back]
        bench.clock.advance(DAY)

    assert [RetryLaterError, type(None), type(None)] == [type(each.error) for each in said]
    assert [0, 2, 0] == [each.gone for each in said]
    assert 2500 + 3 == eye.deals
    assert there(bench) == held(bench)


def test_a_look_that_was_ended_long_ago_counts_from_when_it_was_begun(bench: Bench) -> None:
    """What was deleted and forgotten since is found by the next one, at once."""
    bench = bench_of(1100)
    workspace, eye = tired(bench)
    bench.clock.advance(20 * DAY)
    eye.left = 1
    first = pull(workspace)[0].error
    delete(bench, 2)
    forget(bench)
    bench.clock.advance(20 * DAY)
    for _ in range(2):
        eye.left = 9
        pull(workspace)

    assert isinstance(first, RetryLaterError)
    assert there(bench) == held(bench)


# ── Where all can be named ──────────────────────────────────────────────────────────────────────────────


class Naming(Watched):
    """Names all deals that are there, but for the ones that its list has lost, and none where that costs too much."""

    lost: frozenset[str] = frozenset()
    costs_too_much = False

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, names_all=frozenset({Kind.DEAL}))

    def name_all(self, kind: Kind) -> Collection[str] | None:
        assert kind is Kind.DEAL
        return None if self.costs_too_much else set(self._crm.deal_ids()) - self.lost


def naming(bench: Bench) -> tuple[Bench, Naming]:
    """Put such an adapter before the CRM, of which deals are the only ones that are looked for."""
    eye = Naming(bench.crms["north"])

    def wrap(_adapter: FakeAdapter, _connection: str) -> Adapter:
        return eye

    return replace(bench, workspace=replace(bench.workspace, plugins=fake_plugins(bench.crms, wrap=wrap))), eye


def test_what_is_named_is_not_asked_for(bench: Bench) -> None:
    """Only who is missing from the list is, as it may have a gap."""
    delete(bench, 3)
    forget(bench)
    bench.clock.advance(20 * DAY)
    others = sum(ref.kind not in {Kind.USER, Kind.DEAL} for ref in bench.crms["north"].records)
    seen, eye = naming(bench)
    eye.lost = frozenset(bench.crms["north"].deal_ids()[:2])

    assert 3 == pull(seen.workspace)[0].gone
    assert 3 + 2 + others == eye.asked
    assert there(bench) == held(bench)


def test_what_is_named_again_is_there_again(bench: Bench) -> None:
    """However long a user could not see it; what is still gone is not asked for."""
    crm = bench.crms["north"]
    hidden = {crm.ref(Kind.DEAL, each): crm.deal(each) for each in crm.deal_ids()[:5]}
    for ref in hidden:
        del crm.records[ref]
    seen, _ = naming(bench)
    bench.clock.advance(20 * DAY)
    gone = pull(seen.workspace)[0].gone
    for _ in range(90):
        bench.clock.advance(DAY)
        pull(seen.workspace)
    crm.records |= hidden
    bench.clock.advance(15 * DAY)
    pull(seen.workspace)

    assert (5, there(bench)) == (gone, held(bench))


def test_that_most_are_not_named_any_more_is_believed_a_day_later(bench: Bench) -> None:
    """The rule is the same."""
    delete(bench, 40)
    forget(bench)
    bench.clock.advance(20 * DAY)
    seen, _ = naming(bench)
    first = pull(seen.workspace)[0].gone
    bench.clock.advance(DAY)

    assert (0, 40) == (first, pull(seen.workspace)[0].gone)


def test_where_naming_all_costs_too_much_nobody_is_looked_for(bench: Bench) -> None:
    """To ask for each would cost more still, so it waits until the next time."""
    delete(bench, 3)
    forget(bench)
    bench.clock.advance(20 * DAY)
    seen, eye = naming(bench)
    eye.costs_too_much = True
    first = pull(seen.workspace)[0].gone
    eye.costs_too_much = False
    at_once = pull(seen.workspace)[0].gone
    bench.clock.advance(15 * DAY)

    assert (0, 0, 3) == (first, at_once, pull(seen.workspace)[0].gone)


# ── What follows ────────────────────────────────────────────────────────────────────────────────────────


def in_step(**policy: object) -> Bench:
    """Make two CRMs that forget deletions and are kept in step, without deals."""
    names = ("north", "south")
    sync = [{"name": "main", "between": names, "create": names, "fields": {"*": {"conflict": "newest"}}, **policy}]
    bench = make_bench(parts=dict.fromkeys(names, (0.0, 1.0)), sync=sync)
    for crm in bench.crms.values():
        crm.forgets, crm.able = TOLD_FOR, True
    return bench


def test_what_we_made_and_nobody_read_is_looked_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deal can't be read when it was just made, and a person deletes it; nobody pulls until its CRM forgot that."""
    bench = in_step(delete="archive")
    north, south = bench.crms["north"], bench.crms["south"]
    north.create_deal("Deal 1", stage="qualification")
    with monkeypatch.context() as unread:
        unread.setattr(FakeAdapter, "read", lambda *_refs, **_asked: _raise(RetryLaterError("south is down")))
        run_steps(bench.workspace, "cycle")
    south.delete_deal(next(iter(south.deal_ids())))
    bench.clock.advance(20 * DAY)
    run_steps(bench.workspace, "cycle")

    assert [] == [*north.deal_ids(), *south.deal_ids()]


def _raise(error: Exception) -> Never:
    raise error


@pytest.mark.parametrize(("count", "archived"), [(3, 3), (6, 0)])
def test_the_cap_on_deletions_holds(count: int, archived: int) -> None:
    """What is found gone is a deletion like others: it is followed, up to as many as may go at once."""
    bench = in_step(delete="archive", delete_cap={"records": 5, "percent": 5})
    for number in range(10):
        bench.crms["north"].create_deal(f"Deal {number}", stage="qualification")
    run_steps(bench.workspace, "cycle")
    delete(bench, count)
    bench.clock.advance(20 * DAY)
    run_steps(bench.workspace, "cycle")

    assert 10 - archived == len(bench.crms["south"].deal_ids())


@pytest.mark.parametrize(("policy", "left"), [("never", 4), ("unlink", 4), ("archive", 2)])
def test_what_a_user_can_see_again_has_one_counterpart(policy: str, left: int) -> None:
    """Deals that were hidden for a while count as deleted; where they are unlinked for that, they stay apart."""
    bench = in_step(delete=policy)
    north, south = bench.crms["north"], bench.crms["south"]
    for number in range(4):
        north.create_deal(f"Deal {number}", stage="qualification")
    run_steps(bench.workspace, "cycle")
    hidden = {north.ref(Kind.DEAL, each): north.deal(each) for each in north.deal_ids()[:2]}
    for ref in hidden:
        del north.records[ref]
    bench.clock.advance(20 * DAY)
    run_steps(bench.workspace, "cycle")
    meanwhile = len(south.deal_ids())
    north.records |= hidden
    bench.clock.advance(20 * DAY)
    run_steps(bench.workspace, "cycle")
    for each in north.deal_ids():
        north.edit_deal(each, name=f"Renamed {each}")
    run_steps(bench.workspace, "cycle")
    renamed = [each for each in south.deal_ids() if str(south.deal(each).fields["name"]).startswith("Renamed")]

    assert (left, 4) == (meanwhile, len(south.deal_ids()))
    assert (2 if policy == "unlink" else 4) == len(renamed)
