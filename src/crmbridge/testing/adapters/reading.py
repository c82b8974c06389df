"""The AdapterSuite's tests of describe, full pulls, moves, read and find."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from crmbridge.model.changes import Action
from crmbridge.model.records import STANDARD_FIELDS, Kind, Position, Record, Ref, Status
from crmbridge.model.values import Money, Value
from crmbridge.ports import Adapter
from crmbridge.sandbox import WorldDeal
from crmbridge.testing.adapters.changes import needs
from crmbridge.testing.adapters.workbench import (
    CONNECTION,
    CURRENCY,
    AdapterWorkbench,
    Stop,
    expected_stops,
    field_bindings,
    pull_all,
)

WITHOUT = "deals are read without {!r}: read it, or where the CRM has none, exempt this test with that as the reason"


class DescribingTests:
    """What an account is said to have is what it has."""

    def test_describe_gives_the_pipelines_stages_in_order(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Stages come in the order that the CRM shows them, with the status that its metadata gives."""
        pipeline = next(p for p in adapter.describe().pipelines if p.id == bench.pipeline)
        statuses = {stage.id: stage.status for stage in pipeline.stages}
        # A CRM with fewer stages than the process has one for several.
        steps = list(dict.fromkeys(n for stage, n in bench.stages.items() if stage not in {"won", "lost"}))

        assert steps == [stage.id for stage in pipeline.stages if stage.id in steps]
        assert {Status.OPEN} == {statuses[step] for step in steps}
        for status in (Status.WON, Status.LOST):
            if status.value in bench.stages:
                assert status == statuses[bench.stages[status.value]]

    def test_describe_gives_the_fields(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Every field that the plugin names is in the account, with the type that its values have."""
        types = {field.name: field.type for field in adapter.describe().fields}

        for binding in field_bindings(bench.fields):
            assert binding.type == types.get(binding.native), binding.native

    def test_describe_gives_the_currency(self, adapter: Adapter) -> None:
        """The one that deals are in, where the adapter names any."""
        currencies = adapter.describe().currencies

        assert CURRENCY in currencies or not currencies

    def test_describe_gives_the_people(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Everybody in the sales team is there, active, with the e-mail address that matches them across CRMs."""
        described = adapter.describe()
        active = {user.fields["email"] for user in described.users if user.fields.get("active")}

        assert {user.email for user in bench.world.users} <= active
        assert described.account
        assert {Kind.USER} == {user.ref.kind for user in described.users}

    def test_a_declared_external_key_has_its_field(self, adapter: Adapter) -> None:
        """An account made for crmbridge has the key field, and the CRM keeps it unique where that is declared."""
        needs(adapter, Action.CREATE)
        key_field = adapter.describe().key_field

        assert key_field is not None
        assert key_field.unique or not adapter.capabilities.external_key


class ReadingTests:
    """What an adapter reads is what is there."""

    def test_a_full_pull_gives_every_deal_once(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Nothing is missing, nothing comes twice, and nothing is unreadable."""
        pulled = pull_all(adapter)

        assert {deal.name for deal in bench.deals} == {record.fields["name"] for record in pulled.records.values()}
        assert len(bench.deals) == pulled.delivered == len(pulled.records)
        assert [] == [problem for record in pulled.records.values() for problem in record.problems]

    def test_a_full_pull_walks_all_pages(self, crowded: AdapterWorkbench) -> None:
        """More deals than fit on a page come whole, with their moves."""
        adapter = crowded.open()
        pages = list(adapter.pull(Kind.DEAL, None))
        adapter.close()
        found = [record for page in pages for record in page.records]

        assert sorted(deal.name for deal in crowded.deals) == sorted(str(record.fields["name"]) for record in found)
        moved = {move.deal for page in pages for move in page.moves}
        assert moved == {record.ref for record in found} or not adapter.capabilities.history
        totals = [page.total for page in pages if page.total is not None]
        assert [] == [total for total in totals if abs(total - len(found)) * 10 > len(found)], "about all of them"
        assert len([page for page in pages if page.records]) > 1, "set `crowd` to more deals than fit on a page"

    def test_amounts_and_dates_are_exact(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Money is a Decimal with its currency, to the cent; a close date is the day that was picked."""
        found = {r.fields["name"]: (r.fields["amount"], r.fields["close_date"]) for r in _deals(adapter)}

        assert {deal.name: (Money(deal.amount, deal.currency), deal.close_date) for deal in bench.deals} == found

    def test_process_fields_are_typed(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Every process field holds the value that was filled in, as its type, and nothing where nothing was."""
        found = {r.fields["name"]: {n: r.fields.get(n) for n in bench.fields} for r in _deals(adapter)}

        for deal in bench.deals:
            assert {name: deal.fields.get(name) for name in bench.fields} == found[deal.name]

    def test_owners_are_users(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal's owner is the id of a user, who is found among the users."""
        emails = {user.ref.id: user.fields["email"] for user in pull_all(adapter, Kind.USER).records.values()}
        expected = {user.number: user.email for user in bench.world.users}
        found = {r.fields["name"]: emails[str(r.fields["owner"])] for r in _deals(adapter)}

        assert {deal.name: expected[deal.owner] for deal in bench.deals} == found

    def test_companies_are_linked(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal's company is the id of a company, which has its name and domain."""
        companies = {r.ref.id: r.fields for r in pull_all(adapter, Kind.COMPANY).records.values()}
        expected = {company.number: company for company in bench.world.companies}

        for record in _deals(adapter):
            assert "company" in record.fields, WITHOUT.format("company")
            company = expected[_of(bench, record.fields["name"]).company]
            found = companies[str(record.fields["company"])]
            assert (company.name, company.domain) == (found["name"], found["domain"])

    def test_contacts_are_linked(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal's contacts are the ids of contacts, sorted, each once."""
        emails = {r.ref.id: r.fields["email"] for r in pull_all(adapter, Kind.CONTACT).records.values()}
        expected = {contact.number: contact.email for contact in bench.world.contacts}

        for record in _deals(adapter):
            assert "contacts" in record.fields, WITHOUT.format("contacts")
            ids = record.fields["contacts"]
            assert isinstance(ids, tuple)
            assert tuple(sorted(set(ids))) == ids
            assert {expected[n] for n in _of(bench, record.fields["name"]).contacts} == {emails[id_] for id_ in ids}

    def test_contacts_are_whole(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Each has its own name, title and company, as far as the adapter reads these."""
        domains = {r.ref.id: r.fields["domain"] for r in pull_all(adapter, Kind.COMPANY).records.values()}
        names = {company.number: company.domain for company in bench.world.companies}
        found = {r.fields["email"]: r.fields for r in pull_all(adapter, Kind.CONTACT).records.values()}

        for contact in bench.world.contacts:
            fields = dict(found[contact.email])
            if fields.get("company") is not None:
                fields["company"] = domains[str(fields["company"])]
            expected = {"name": contact.name, "title": contact.title, "company": names[contact.company]}
            assert {name: value for name, value in expected.items() if name in fields} == {
                name: fields[name] for name in expected if name in fields
            }

    def test_what_people_chose_is_read_as_they_see_it(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Where a deal comes from and why it was lost, as far as the adapter reads it: words, and no codes."""
        for record in _deals(adapter):
            deal = _of(bench, record.fields["name"])
            expected = {"source": deal.source or None, "lost_reason": deal.lost_reason or None}
            given = {name: record.fields[name] or None for name in expected if name in record.fields}
            assert {name: expected[name] for name in given} == given

    def test_activities_are_counted(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Where the CRM gives a count of activities, it is right."""
        for record in _deals(adapter):
            activities = _of(bench, record.fields["name"]).activities
            done = sum(activity.done for activity in activities)
            expected = {"activities": len(activities), "activities_done": done}
            expected["activities_open"] = len(activities) - done
            counted = {name: record.fields[name] for name in expected if name in record.fields}
            assert {name: expected[name] for name in counted} == counted

    def test_moves_are_complete_and_in_order(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal's history is its whole journey: a chain from its creation to where it stands now."""
        if not adapter.capabilities.history:
            pytest.skip("the adapter declares no history")
        pulled = pull_all(adapter)

        for ref, record in pulled.records.items():
            deal, moves = _of(bench, record.fields["name"]), pulled.moves[ref]
            stops = expected_stops(bench, deal, status_in_stage=adapter.capabilities.status_in_stage)
            assert stops == [Stop(move.at, move.after.stage, move.after.status) for move in moves]
            assert [None, *(move.after for move in moves[:-1])] == [move.before for move in moves]
            assert moves[-1].after == record.position
            assert record.created_at == deal.created_at == moves[0].at

    def test_whoever_moved_a_deal_is_a_user(self, adapter: Adapter) -> None:
        """Whoever a move names is one of the account's users; a name or an id of another kind would be nobody's."""
        movers = {move.by for moves in pull_all(adapter).moves.values() for move in moves} - {None}
        if not movers:
            pytest.skip("the CRM does not say who moved a deal")

        assert set() == movers - {ref.id for ref in pull_all(adapter, Kind.USER).records}

    def test_positions_are_native(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal stands where its journey ended, in the CRM's own terms."""
        in_stage = adapter.capabilities.status_in_stage
        last = {deal.name: expected_stops(bench, deal, status_in_stage=in_stage)[-1] for deal in bench.deals}
        expected = {name: Position(bench.pipeline, stop.stage, stop.status) for name, stop in last.items()}

        assert expected == {record.fields["name"]: record.position for record in _deals(adapter)}

    def test_read_gives_what_pull_gave(self, adapter: Adapter) -> None:
        """Reading past the index gives the same records, for every kind that the adapter declares."""
        assert {Kind.DEAL} <= adapter.capabilities.kinds <= set(STANDARD_FIELDS)
        for kind in sorted(adapter.capabilities.kinds):
            pulled = pull_all(adapter, kind).records
            assert pulled or kind in {Kind.NOTE, Kind.FILE}, kind  # the world has none of these
            assert pulled == dict(adapter.read(list(pulled)))

    def test_read_gives_the_fields_that_are_asked_for(self, adapter: Adapter) -> None:
        """Asked for one field, it gives that and the position as a whole reading does; others may be left out."""
        pulled = pull_all(adapter).records
        ref = next(ref for ref, record in sorted(pulled.items()) if record.fields.get("decision_maker"))

        for name, value in pulled[ref].fields.items():
            record = adapter.read([ref], fields={name})[ref]
            assert (value, pulled[ref].position) == (record.fields.get(name), record.position), name


def _deals(adapter: Adapter) -> list[Record]:
    return list(pull_all(adapter).records.values())


def _of(bench: AdapterWorkbench, name: Value) -> WorldDeal:
    return next(deal for deal in bench.deals if deal.name == name)


class LookupTests:
    """What is not there is not found, whoever asks."""

    def test_read_leaves_out_what_is_not_there(self, adapter: Adapter) -> None:
        """Refs that name nothing, or make no sense, cost none of the others."""
        known = next(iter(pull_all(adapter).records))
        unknown = [Ref(CONNECTION, Kind.DEAL, "999999999999"), Ref(CONNECTION, Kind.DEAL, "no such/deal?")]

        assert {known} == set(adapter.read([known, *unknown]))
        assert {} == dict(adapter.read([]))

    def test_find_says_none_for_an_unknown_key(self, adapter: Adapter) -> None:
        """A key or marker that was never written is certainly not there."""
        deal = next(iter(pull_all(adapter).records))

        asked = ((Action.CREATE, Kind.DEAL, None), (Action.TASK, Kind.TASK, deal), (Action.NOTE, Kind.NOTE, deal))
        for action, kind, near in asked:
            if action in adapter.capabilities.actions:
                assert None is adapter.find(kind, "never-written", near)

    def test_threads_share_an_adapter(self, adapter: Adapter) -> None:
        """Several threads reading at once get what one gets."""
        alone = pull_all(adapter)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda _: pull_all(adapter), range(4)))

        assert [alone.records] * 4 == [pulled.records for pulled in together]
        assert [alone.moves] * 4 == [pulled.moves for pulled in together]

    def test_nothing_shows_the_token(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """An adapter that ends up in a log gives nothing away."""
        assert bench.served.token not in f"{adapter!r} {adapter} {adapter.describe()!r}"
