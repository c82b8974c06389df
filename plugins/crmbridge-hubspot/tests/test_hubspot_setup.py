"""An account's set-up is read once an hour, and again as soon as a record names what it does not have."""

from collections.abc import Callable, MutableMapping
from datetime import timedelta
from typing import Any

import pytest
import respx

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, AdapterContext, BoundTo, FieldBinding, tells_bound
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_hubspot import plugin
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.setup import MEMORY

from .accounts import Answer

DETAILS = "/account-info/2026-03/details"
READ = "/crm/objects/2026-03/deals/batch/read"


@pytest.fixture
def memory() -> MutableMapping[str, str]:
    """Give what lies between runs."""
    return {}


@pytest.fixture
def run(tmp_path: Any, clock: VirtualClock, memory: MutableMapping[str, str]) -> Callable[..., Adapter]:
    """Give a way to open an adapter as a new process would, with what the last one remembered."""
    (tmp_path / "token").write_text("pat-in-a-test")

    def opener(fields: tuple[FieldBinding, ...] = (), **settings: Any) -> Adapter:
        read = HubSpotSettings.model_validate({"token": {"file": str(tmp_path / "token")}, **settings})
        (spec,) = plugin.crmbridge_adapters()
        return spec.open(read, AdapterContext(connection="hs", clock=clock, fields=fields, memory=memory))

    return opener


def make_deal(**properties: str | None) -> dict[str, Any]:
    """Make a deal as HubSpot sends it."""
    usual = {"dealname": "Deal", "dealstage": "first", "pipeline": "default"}
    stamp = "2026-06-01T10:00:00Z"
    return {"id": "1", "properties": {**usual, **properties}, "createdAt": stamp, "updatedAt": stamp}


@pytest.fixture
def account(hubspot: respx.MockRouter) -> respx.MockRouter:
    """Answer for an account with one deal, with nothing on it."""
    hubspot.post(path=READ).respond(json={"results": [make_deal()]})
    hubspot.post(path__regex=r"/crm/associations/.*").respond(json={"results": []})
    return hubspot


def times_read(router: respx.MockRouter) -> int:
    """Count how often the set-up was read."""
    return sum(call.request.url.path == DETAILS for call in router.calls)


def read_one(adapter: Adapter) -> Any:
    """Read the deal."""
    return adapter.read([Ref("hs", Kind.DEAL, "1")])[Ref("hs", Kind.DEAL, "1")]


def test_a_new_process_remembers(account: respx.MockRouter, run: Callable[..., Adapter], clock: VirtualClock) -> None:
    """Five requests for every run of a cron job would be most of what it sends."""
    read_one(run())
    clock.advance(timedelta(minutes=50))
    read_one(run())
    assert 1 == times_read(account)

    clock.advance(timedelta(minutes=10))
    read_one(run())
    assert 2 == times_read(account)


def test_describing_reads_afresh(account: respx.MockRouter, run: Callable[..., Adapter]) -> None:
    """Who asks what the account looks like wants to know it now."""
    run().describe()
    run().describe()

    assert 2 == times_read(account)


@pytest.mark.parametrize("kept", ["", "[]", '{"at":"now"}', '{"at":"2026-06-10T12:00:00Z"}'])
def test_a_memory_that_can_not_be_used_is_read_anew(
    account: respx.MockRouter, run: Callable[..., Adapter], memory: MutableMapping[str, str], kept: str
) -> None:
    """What another version left is no reason to stop."""
    memory[MEMORY] = kept
    read_one(run())

    assert 1 == times_read(account)


def test_the_memory_of_another_version_is_not_believed(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter]
) -> None:
    """A connection that was pointed elsewhere, or to another version, reads its own set-up."""
    answer_account(account, "2026-09")
    account.post(path="/crm/objects/2026-09/deals/batch/read").respond(json={"results": []})
    read_one(run())
    run(api_version="2026-09").read([Ref("hs", Kind.DEAL, "1")])

    assert 1 == sum("/account-info/2026-09/" in call.request.url.path for call in account.calls)


@pytest.mark.parametrize(
    ("properties", "minutes"),
    [({"dealstage": "brand_new"}, 0), ({"pipeline": "brand_new"}, 0), ({"hubspot_owner_id": "99"}, 2)],
)
def test_what_the_set_up_does_not_have_is_looked_for_once(
    account: respx.MockRouter,
    run: Callable[..., Adapter],
    clock: VirtualClock,
    properties: dict[str, str],
    minutes: int,
) -> None:
    """A stage that was made a minute ago is no unknown stage; one that was deleted costs one look, not one a page."""
    adapter = run()
    read_one(adapter)
    clock.advance(timedelta(minutes=minutes))
    account.post(path=READ).respond(json={"results": [make_deal(**properties)]})
    read_one(adapter)
    clock.advance(timedelta(minutes=minutes))
    read_one(adapter)

    assert 2 == times_read(account)


def test_owners_who_are_gone_are_not_looked_for_one_by_one(
    account: respx.MockRouter, run: Callable[..., Adapter]
) -> None:
    """An old account has deals of many people who left; nothing about a deal depends on who they were."""
    adapter = run()
    for owner in ("91", "92", "93"):
        account.post(path=READ).respond(json={"results": [make_deal(hubspot_owner_id=owner)]})
        read_one(adapter)

    assert 1 == times_read(account)


@pytest.mark.parametrize("hours", [0, 2])
def test_a_bound_property_that_was_deleted_is_not_empty(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], clock: VirtualClock, hours: int
) -> None:
    """Deals come without it and without a word; sync would else clear the field in the other CRMs."""
    answer_account(account, properties=labelled("bant_budget_c"))
    account.post(path=READ).respond(json={"results": [make_deal(bant_budget_c="true")]})
    read_one(run(BOUND))
    answer_account(account, properties=labelled())
    account.post(path=READ).respond(json={"results": [make_deal()]})
    clock.advance(timedelta(hours=hours))
    deal = read_one(run(BOUND))

    assert "bant.budget" not in deal.fields
    assert ["bant.budget"] == [each.field for each in deal.problems]


@pytest.mark.parametrize("value", ["true", "", None])
def test_a_bound_property_that_is_not_listed_is_read_where_it_comes(
    account: respx.MockRouter, run: Callable[..., Adapter], value: str | None
) -> None:
    """Sensitive ones are not listed unless that is asked for ("Properties" guide)."""
    account.post(path=READ).respond(json={"results": [make_deal(secret=value)]})
    deal = read_one(run((FieldBinding(name="secret", native="secret", type=FieldType.BOOL),)))

    assert (True if value else None, ()) == (deal.fields.get("secret"), deal.problems)


def test_a_bound_property_that_answers_leave_out_is_looked_for_once(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], clock: VirtualClock
) -> None:
    """It is there, and deals come without it: it is empty."""
    answer_account(account, properties=labelled("bant_budget_c"))
    adapter = run(BOUND)
    read_one(adapter)
    for _ in range(3):
        clock.advance(timedelta(minutes=2))
        deal = read_one(adapter)

    assert (None, ()) == (deal.fields.get("bant.budget"), deal.problems)
    assert 2 == times_read(account)


def test_no_secret_is_remembered(
    account: respx.MockRouter, run: Callable[..., Adapter], memory: MutableMapping[str, str]
) -> None:
    """The memory lies in the store, beside what everybody may read there."""
    read_one(run())

    assert "pat-in-a-test" not in memory[MEMORY]


@pytest.mark.parametrize("zone", ["America/Younger", "\x00", "x" * 500, "../etc"])
def test_a_time_zone_that_is_not_known_here_is_said(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], zone: str
) -> None:
    """An old machine knows no young zone. Days would be wrong in any other, so nobody guesses; the settings can say."""
    answer_account(account, details={"portalId": 42, "timeZone": zone, "companyCurrency": "EUR"})
    with pytest.raises(ConfigurationError) as caught:
        read_one(run())

    assert "timezone" in caught.value.advice
    assert read_one(run(timezone="Europe/Berlin"))


# ── Fields by label ─────────────────────────────────────────────────────────────────────────────────────


def labelled(*names: str) -> dict[str, Any]:
    """Answer with properties that all have one label, beside the ones that every account has."""
    usual = ("dealname", "amount", "closedate", "hubspot_owner_id")
    properties = [{"name": name, "label": name, "type": "string", "fieldType": "text"} for name in usual]
    properties += [
        {"name": name, "label": "BANT budget", "type": "bool", "fieldType": "booleancheckbox"} for name in names
    ]
    return {"results": properties}


BOUND = (FieldBinding(name="bant.budget", native="BANT budget", type=FieldType.BOOL),)


def test_a_field_may_be_named_by_its_label(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter]
) -> None:
    """People see labels; the API wants names."""
    answer_account(account, properties=labelled("bant_budget_c"))
    account.post(path=READ).respond(json={"results": [make_deal(bant_budget_c="false")]})

    assert False is read_one(run(BOUND)).fields["bant.budget"]


def test_a_label_may_be_that_of_another_field_later(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], clock: VirtualClock
) -> None:
    """Told of that, crmbridge does not take the other one, which is empty, for one that somebody emptied."""
    answer_account(account, properties=labelled("one"))
    told = [bound_fields(run(BOUND)).get("bant.budget")]
    for names in ((), ("two",)):
        answer_account(account, properties=labelled(*names))
        clock.advance(timedelta(hours=2))
        told.append(bound_fields(run(BOUND)).get("bant.budget"))

    assert [BoundTo("one"), None, BoundTo("two")] == told


@pytest.mark.parametrize("several", [False, True])
def test_what_days_and_amounts_are_read_by_is_told(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], *, several: bool
) -> None:
    """A time is another day in another zone, and an amount is in the account's currency where it has only one."""
    properties = [{"name": "closedate", "type": "datetime"}, {"name": "amount", "type": "number"}]
    properties += [{"name": "deal_currency_code", "type": "enumeration"}] if several else []
    details = {"portalId": 42, "timeZone": "Europe/Berlin", "companyCurrency": "EUR"}
    answer_account(account, properties={"results": properties}, details=details)
    amount = {} if several else {"amount": BoundTo("amount", "EUR")}

    assert {"close_date": BoundTo("closedate", "Europe/Berlin"), **amount} == bound_fields(run())


def bound_fields(adapter: Adapter) -> dict[str, BoundTo]:
    """Ask an adapter what fields are bound to."""
    assert tells_bound(adapter)
    return dict(adapter.bound_fields())


def test_a_label_that_two_fields_have_is_no_name(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter]
) -> None:
    """Nobody guesses which one was meant."""
    answer_account(account, properties=labelled("one", "two"))

    with pytest.raises(ConfigurationError, match="one, two"):
        read_one(run(BOUND))


def test_options_come_with_their_labels(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter]
) -> None:
    """Values are written, labels are read ("Properties" guide)."""
    options = [{"value": "a1", "label": "Very good"}, {"value": "same", "label": "same"}]
    properties = [{"name": "x", "label": "X", "type": "enumeration", "fieldType": "select", "options": options}]
    answer_account(account, properties={"results": properties})
    (field,) = run().describe().fields

    assert (("a1", "same"), {"a1": "Very good"}) == (field.options, dict(field.option_labels))


def test_a_field_that_is_made_later_is_read_at_once(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter]
) -> None:
    """What people fill in before the hour is over would be read as empty, and not be read again until the next edit."""
    read_one(run(BOUND))
    answer_account(account, properties=labelled("bant_budget_c"))
    account.post(path=READ).respond(json={"results": [make_deal(bant_budget_c="true")]})

    assert True is read_one(run(BOUND)).fields["bant.budget"]


NEEDS = (FieldBinding(name="needs", native="needs", type=FieldType.TEXT),)


def one_property(**metadata: bool) -> dict[str, Any]:
    """Make the list of a property's account."""
    made = {"name": "needs", "label": "Needs", "type": "string", "fieldType": "text", "modificationMetadata": metadata}
    return {"results": [made]}


def test_nothing_is_refused_by_what_the_account_looked_like(
    account: respx.MockRouter, answer_account: Answer, run: Callable[..., Adapter], clock: VirtualClock
) -> None:
    """What is refused waits for a person; an admin may have let the property be written a quarter of an hour ago."""
    answer_account(account, properties=one_property(readOnlyValue=True))
    read_one(run(NEEDS))
    clock.advance(timedelta(minutes=15))
    answer_account(account, properties=one_property(readOnlyValue=False))
    account.post(path="/crm/objects/2026-03/deals/batch/update").respond(json={"results": [{"id": "1"}]})
    change = make_change("1", connection="hs", target=Ref("hs", Kind.DEAL, "1"), edits=(FieldEdit("needs", None, "x"),))

    assert ["applied"] == [receipt.outcome for receipt in run(NEEDS).write([change])]


def test_what_the_account_does_not_have_is_looked_for_once_a_minute(
    account: respx.MockRouter, run: Callable[..., Adapter], clock: VirtualClock
) -> None:
    """Reading it takes five requests, and batch after batch may ask for it."""
    read_one(run())
    clock.advance(timedelta(minutes=15))
    change = make_change("1", connection="hs", target=Ref("hs", Kind.DEAL, "1"), edits=(FieldEdit("no", None, "x"),))
    adapter = run()

    assert ["refused"] * 3 == [adapter.write([change])[0].outcome for _ in range(3)]
    assert 2 == times_read(account)
