"""The fake CRM passes the suite of the real ones, as far as it has no wire."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crmbridge.adapting import course_of
from crmbridge.model.courses import Course, Held
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Capabilities, Page
from crmbridge.sandbox import Faults, RequestLog, Sandbox, SandboxOptions, Served, VirtualClock, make_world
from crmbridge.sandbox.world import FILLED_AFTER
from crmbridge.testing import AdapterSuite, AdapterWorkbench, Exemption, SuiteConfig
from crmbridge.testing.adapters.capabilities import CapabilityTests
from crmbridge.testing.adapters.field_history import FieldHistoryTests
from crmbridge.testing.adapters.forgetting import ForgettingTests
from crmbridge.testing.adapters.suite import NOON
from crmbridge.testing.adapters.workbench import CONNECTION
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_records import PIPELINE, STAGES

NO_WIRE = "the fake has no wire that could break"


async def _no_app(*_: object) -> None:
    raise AssertionError(NO_WIRE)


class TestFakeCrm(AdapterSuite):
    config: ClassVar[SuiteConfig] = SuiteConfig(
        figure="figure",
        exempt=tuple(
            Exemption(name, NO_WIRE)
            for name in (
                "test_reads_are_repeated",
                "test_a_page_that_is_not_there_says_nothing_of_records",
                "test_no_course_is_made_up_for_what_was_not_read",
                "test_a_shaky_crm_loses_nothing",
                "test_a_limited_write_is_repeated",
                "test_a_limit_without_end_is_said",
                "test_an_unclear_creation_is_found_again",
                "test_an_unclear_update_is_unknown",
                "test_a_creation_that_never_arrived_is_not_found",
                "test_one_refused_item_costs_only_itself",
                "test_a_refused_credential_is_said_without_showing_it",
                "test_a_crm_that_is_not_there_is_said",
                "test_a_late_index_costs_nothing",
                "test_a_wrong_credential_is_said_without_showing_it",
                "test_a_credential_that_works_again_works_again",
                "test_a_wait_that_was_asked_for_is_kept",
                "test_a_wrong_type_loses_nothing",
                "test_a_dripping_answer_is_given_up",
                "test_a_storm_is_said_and_nothing_is_skipped",
                "test_a_storm_does_not_move_the_cursor",
                "test_a_day_that_is_used_up_is_not_waited_for",
                "test_an_unclear_write_is_unknown",
                "test_an_unclear_archive_is_settled_by_reading",
                "test_an_unclear_company_or_contact_is_looked_for",
                "test_a_deal_is_never_applied_without_what_hangs_on_it",
                "test_an_update_is_never_applied_in_part",
                "test_a_write_of_which_the_answer_is_called_html_is_never_said_to_be_refused",
            )
        ),
    )

    @contextlib.contextmanager
    def workbench(self, options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
        crm = FakeCrm(CONNECTION, options.clock, able=True)
        crm.remembers = True
        world = make_world(options.seed, options.deals, options.as_of)
        crm.fill(world, world.part(options.part))
        sandbox = Sandbox(
            name="fake",
            token="none",
            app=_no_app,
            backstage=_no_app,
            log=RequestLog(),
            faults=Faults({}, options.seed),
            clock=options.clock,
            state=crm,
        )
        assert isinstance(options.clock, VirtualClock)
        yield AdapterWorkbench(
            served=Served(sandbox, "http://nowhere.invalid"),
            open=lambda **_: FakeAdapter(crm),
            stages={stage: stage for stage in STAGES},
            fields={name: name for names in FILLED_AFTER.values() for name in names},
            clock=options.clock,
            options=options,
            pipeline=PIPELINE,
        )


class TellsOfToday(FakeAdapter):
    """Takes what fields hold now for what they held."""

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        for deal in deals:
            for name in sorted(fields):
                yield course_of(deal, name, [Held(since, deal.fields.get(name))], since)


class TellsOfTexts(FakeAdapter):
    """Gives values as the CRM keeps them."""

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        for course in super().field_history(deals, fields, since):
            held = (one._replace(value=str(one.value)) for one in course.held)
            yield replace(course, held=tuple(held))


class TellsOfSome(FakeAdapter):
    """Stops at the end of its first page."""

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        return super().field_history(deals[:50], fields, since)


@pytest.mark.parametrize(
    ("lies", "caught_by"),
    [
        (TellsOfToday, "test_a_field_is_told_as_it_was_at_each_moment"),
        (TellsOfToday, "test_values_are_of_the_type_of_the_field"),
        (TellsOfTexts, "test_values_are_of_the_type_of_the_field"),
        (TellsOfSome, "test_many_deals_each_get_their_answer"),
    ],
)
def test_a_history_that_is_not_true_is_caught(tmp_path: Path, lies: type[FakeAdapter], caught_by: str) -> None:
    """The declaration alone is no proof."""
    options = SandboxOptions(seed=11, deals=230, clock=VirtualClock(NOON))
    with TestFakeCrm().workbench(options, tmp_path) as bench:
        crm: Any = bench.hands
        lying = replace(bench, open=lambda **_: lies(crm))
        test = getattr(FieldHistoryTests(), caught_by)

        with pytest.raises(AssertionError):
            test(lying) if caught_by.startswith("test_many") else test(lying, lying.open())


class NamesAll(FakeAdapter):
    """Names all deals."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, names_all=frozenset({Kind.DEAL}))

    def name_all(self, kind: Kind) -> Collection[str] | None:
        return [record.ref.id for page in self.pull(kind, None) for record in page.records]


class NamesSome(NamesAll):
    """Stops at the end of its first page."""

    def name_all(self, kind: Kind) -> Collection[str] | None:
        return [record.ref.id for record in next(self.pull(kind, None)).records]


class NamesMore(NamesAll):
    """Names one that is not there."""

    def name_all(self, kind: Kind) -> Collection[str] | None:
        return [*(super().name_all(kind) or ()), "gone"]


@pytest.mark.parametrize("names", [NamesAll, NamesSome, NamesMore])
def test_names_that_are_not_those_of_all_are_caught(tmp_path: Path, names: type[NamesAll]) -> None:
    """Who is missing would be looked for by its id, time and again, and who is gone would be taken for there."""
    options = SandboxOptions(seed=11, deals=230, clock=VirtualClock(NOON))
    with TestFakeCrm().workbench(options, tmp_path) as bench:
        crm: Any = bench.hands
        caught = contextlib.nullcontext() if names is NamesAll else pytest.raises(AssertionError)

        with caught:
            ForgettingTests().test_all_that_is_there_is_named(bench, names(crm), Kind.DEAL)


class Silent(FakeAdapter):
    """Speaks to a CRM that tells of no deletion: what is known is looked for once a day."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, tombstones=False, forgets={Kind.DEAL: timedelta(days=1)})

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        for page in super().pull(kind, since):
            yield replace(page, tombstones=())


class Deaf(Silent):
    """Gives what is gone as if it were there."""

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        there = super().read(refs, fields=fields)
        return {ref: there.get(ref, next(iter(there.values()))) for ref in refs}


@pytest.mark.parametrize("speaks", [Silent, Deaf])
def test_a_crm_that_tells_of_no_deletion_can_declare_that(tmp_path: Path, speaks: type[FakeAdapter]) -> None:
    """The suite holds it to what it declares: what is gone is missed when it is looked for."""
    options = SandboxOptions(seed=11, deals=24, clock=VirtualClock(NOON))
    with TestFakeCrm().workbench(options, tmp_path) as bench:
        crm: Any = bench.hands
        adapter = speaks(crm)
        CapabilityTests().test_declarations_agree_with_each_other(adapter)
        with pytest.raises(pytest.skip.Exception):
            ForgettingTests().test_a_deletion_is_told_for_as_long_as_is_said(bench, adapter)
        caught = contextlib.nullcontext() if speaks is Silent else pytest.raises(AssertionError)

        with caught:
            ForgettingTests().test_a_deletion_is_noticed_however_late(bench, adapter, 1)


class Alone(FakeAdapter):
    """Speaks to a CRM on whose deals neither companies nor contacts hang."""

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        for page in super().pull(kind, since):
            yield replace(page, records=tuple(map(_alone, page.records)))

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        return {ref: _alone(record) for ref, record in super().read(refs, fields=fields).items()}


def _alone(record: Record) -> Record:
    hanging = {"company", "contacts"} if record.ref.kind is Kind.DEAL else set[str]()
    return replace(record, fields={name: value for name, value in record.fields.items() if name not in hanging})


def test_a_crm_whose_deals_have_no_company_is_told_what_to_do(tmp_path: Path) -> None:
    """Two tests ask for what hangs on deals, and say that they may be exempted; a deal is made without it."""
    options = SandboxOptions(seed=11, deals=24, clock=VirtualClock(NOON))
    with TestFakeCrm().workbench(options, tmp_path) as bench:
        crm: Any = bench.hands
        suite, adapter = TestFakeCrm(), Alone(crm)
        for test in (suite.test_companies_are_linked, suite.test_contacts_are_linked):
            with pytest.raises(AssertionError, match="exempt this test with that as the reason"):
                test(bench, adapter)

        suite.test_a_deal_is_created_whole(bench, adapter)
