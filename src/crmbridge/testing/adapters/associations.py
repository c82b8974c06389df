"""The AdapterSuite's tests of what hangs on a deal: its company and its contacts, written with it and changed later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import (
    batch_of,
    learn_requests,
    make_archive,
    make_company,
    make_contact,
    make_create,
    make_update,
    outcomes,
    struck,
    write_one,
)
from crmbridge.testing.adapters.hands import AssociatingHands
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, pull_all, settle

CLEAR = {Outcome.REFUSED, Outcome.FAILED}
PARTS = ("company", "contacts")


class AssociationTests:
    """A deal hangs on what it is said to hang on, all of it, and what people put beside it stays."""

    def test_what_hangs_on_a_new_deal_is_there_at_once(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal created with a company and contacts has all of them, when it is read and when it is pulled."""
        change = make_create(bench, "tied", **_everything(adapter))
        receipt = write_one(adapter, change)
        assert receipt.ref is not None
        let_lag_pass(bench, adapter)

        assert (Outcome.APPLIED, _parts(change)) == (receipt.outcome, _held(adapter, receipt.ref))
        assert _parts(change) == _parts_of(pull_all(adapter).records[receipt.ref])

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body", "error_500", "html", "partial"])
    def test_a_deal_is_never_applied_without_what_hangs_on_it(
        self, bench: AdapterWorkbench, adapter: Adapter, fault: str
    ) -> None:
        """Whichever of the requests that make it goes wrong, applied means all of it, and refused nothing at all."""
        given, faults = _everything(adapter), bench.served.sandbox.faults
        probes = [make_create(bench, word, **given) for word in ("probea", "probeb")]
        steps = dict.fromkeys(learn_requests(bench, adapter, probes))
        for number, step in enumerate(steps):
            faults.plan(fault, method=step.method, path=step.path)
            change = make_create(bench, f"faulty-{number}", **given)
            outcome = _outcome(adapter, change)
            faults.clear()
            ref = adapter.find(Kind.DEAL, change.key or "", None)
            assert (ref is not None) or outcome is not Outcome.APPLIED
            assert ref is None or outcome not in CLEAR
            if ref is not None and outcome is Outcome.APPLIED:
                assert _parts(change) == _held(adapter, ref)
        assert fault == "partial" or len(steps) == struck(bench, fault)

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_500", "partial"])
    def test_an_update_is_never_applied_in_part(self, bench: AdapterWorkbench, adapter: Adapter, fault: str) -> None:
        """Whichever of its requests goes wrong, applied means that the company and every contact are as it says."""
        companies, contacts = _ids(adapter, Kind.COMPANY), _ids(adapter, Kind.CONTACT)
        deals, faults = _bare_deals(bench, adapter, 6), bench.served.sandbox.faults
        after = _allowed(adapter, company=companies[-1], contacts=contacts[-2:])
        steps = dict.fromkeys(
            learn_requests(
                bench,
                adapter,
                [make_update(deal, fields={"name": f"Ours {deal.ref.id}", **after}) for deal in deals[:2]],
            )
        )
        for deal, step in zip(deals[2:], steps, strict=False):
            faults.plan(fault, method=step.method, path=step.path)
            outcome = _outcome(adapter, make_update(deal, fields={"name": "Faulty", **after}))
            faults.clear()
            if outcome is Outcome.APPLIED:
                assert after == {name: _held(adapter, deal.ref)[name] for name in after}
            elif fault in {"drop_before", "drop_after"}:
                assert Outcome.UNKNOWN is outcome

    def test_an_edit_of_contacts_adds_and_removes_whom_it_names(
        self, bench: AdapterWorkbench, adapter: Adapter
    ) -> None:
        """One goes, one comes, one stays; whom a person added meanwhile stays as well, and other deals keep theirs."""
        _needs(adapter, "contacts")
        one, two, three, four = _ids(adapter, Kind.CONTACT)[:4]
        deal, other = _bare_deals(bench, adapter, 2, contacts=(one, two))
        _hands(bench).add_contact(deal.ref.id, four)
        change = make_update(deal, fields={"contacts": (two, three)})
        # Whoever plans does not know of the one that the person added.
        assert Outcome.APPLIED == write_one(adapter, _unconditional(change)).outcome

        assert tuple(sorted((two, three, four))) == _held(adapter, deal.ref)["contacts"]
        assert tuple(sorted((one, two))) == _held(adapter, other.ref)["contacts"]
        assert deal.fields.get("company") == _held(adapter, deal.ref)["company"]

    def test_all_contacts_are_taken_off(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The last one, too."""
        _needs(adapter, "contacts")
        deal = _bare_deals(bench, adapter, 1, contacts=_ids(adapter, Kind.CONTACT)[:2])[0]

        assert Outcome.APPLIED == write_one(adapter, make_update(deal, fields={"contacts": ()})).outcome
        assert () == (_held(adapter, deal.ref)["contacts"] or ())

    def test_a_deal_gets_another_company_and_none(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The new one stands for the old one; with no value there is none; contacts and other deals keep theirs."""
        _needs(adapter, "company")
        first, second = _ids(adapter, Kind.COMPANY)[:2]
        deal, other = _bare_deals(bench, adapter, 2, company=first, contacts=_ids(adapter, Kind.CONTACT)[:1])
        held: list[Value] = []
        for company in (second, None, first):
            bench.clock.advance(timedelta(minutes=1))
            now = adapter.read([deal.ref])[deal.ref]
            assert Outcome.APPLIED == write_one(adapter, make_update(now, fields={"company": company})).outcome
            held.append(_held(adapter, deal.ref)["company"])

        assert [second, None, first] == held
        assert deal.fields["contacts"] == _held(adapter, deal.ref)["contacts"]
        assert first == _held(adapter, other.ref)["company"]

    def test_each_deal_gets_its_own(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Several deals are changed, as many in one call as fit, each in another way, beside their fields."""
        companies, contacts = _ids(adapter, Kind.COMPANY), _ids(adapter, Kind.CONTACT)
        deals = _bare_deals(bench, adapter, 3)
        wanted = [_allowed(adapter, company=companies[n], contacts=contacts[n : n + 2]) for n in range(len(deals))]
        changes = [make_update(d, fields={"name": "Ours", **each}) for d, each in zip(deals, wanted, strict=True)]
        size = batch_of(adapter, Action.UPDATE)
        receipts = [r for start in range(0, 3, size) for r in adapter.write(changes[start : start + size])]

        assert {Outcome.APPLIED} == set(outcomes(changes, receipts))
        after = adapter.read([deal.ref for deal in deals])
        assert wanted == [{name: after[d.ref].fields.get(name) for name in wanted[0]} for d in deals]
        assert {"Ours"} == {record.fields["name"] for record in after.values()}

    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE])
    def test_what_is_gone_is_not_left_out_without_a_word(
        self, bench: AdapterWorkbench, adapter: Adapter, part: str, action: Action
    ) -> None:
        """A company or contact that is gone: the deal is not put on it, and the receipt says why; or it is there."""
        _needs(adapter, part)
        gone = _gone(adapter, part)
        value: Value = gone.id if part == "company" else (gone.id,)
        change = make_create(bench, "gone", **{part: value})
        if action is Action.UPDATE:
            change = make_update(_bare_deals(bench, adapter, 1)[0], fields={part: value})
        receipt = write_one(adapter, change)

        if receipt.outcome is Outcome.APPLIED and receipt.ref is not None:
            assert value == _held(adapter, receipt.ref)[part]
        else:
            assert receipt.message
        if action is Action.CREATE and receipt.outcome in CLEAR:
            assert None is adapter.find(Kind.DEAL, change.key or "", None)

    @pytest.mark.parametrize("what", ["company", "no company", "added", "removed"])
    def test_what_a_person_ties_is_seen(self, bench: AdapterWorkbench, adapter: Adapter, what: str) -> None:
        """What people hang on a deal, or take off it, comes with the next pull of what changed."""
        _needs(adapter, "company" if "company" in what else "contacts")
        company, (one, two) = _ids(adapter, Kind.COMPANY)[-1], _ids(adapter, Kind.CONTACT)[:2]
        given: dict[str, Value] = {"company": _ids(adapter, Kind.COMPANY)[0], "contacts": (one,)}
        deal = _bare_deals(bench, adapter, 1, **given)[0]
        cursor, hands = settle(bench, adapter), _hands(bench)
        if "company" in what:
            given["company"] = company if what == "company" else None
            hands.set_company(deal.ref.id, company if what == "company" else None)
        elif what == "added":
            given["contacts"] = tuple(sorted((one, two)))
            hands.add_contact(deal.ref.id, two)
        else:
            given["contacts"] = ()
            hands.remove_contact(deal.ref.id, one)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, since=cursor)

        assert {deal.ref} == set(changed.records)
        assert given == _parts_of(changed.records[deal.ref])


def _needs(adapter: Adapter, part: str) -> None:
    if part not in adapter.capabilities.associates:
        pytest.skip(f"the adapter does not declare that it writes a deal's {part}")


def _hands(bench: AdapterWorkbench) -> AssociatingHands:
    hands = bench.hands
    assert isinstance(hands, AssociatingHands), "the adapter associates, so people in the sandbox can as well"
    return hands


def _ids(adapter: Adapter, kind: Kind) -> tuple[str, ...]:
    return tuple(sorted(ref.id for ref in pull_all(adapter, kind).records))


def _allowed(adapter: Adapter, **parts: Value) -> dict[str, Value]:
    given = {name: value for name, value in parts.items() if name in adapter.capabilities.associates}
    if not given:
        pytest.skip("the adapter declares nothing that can be written on a deal")
    return given


def _everything(adapter: Adapter) -> dict[str, Value]:
    return _allowed(adapter, company=_ids(adapter, Kind.COMPANY)[1], contacts=_ids(adapter, Kind.CONTACT)[:3])


def _bare_deals(bench: AdapterWorkbench, adapter: Adapter, count: int, **parts: Value) -> list[Record]:
    """Make deals on which nothing else hangs than what is said, and give them as they are."""
    changes = [make_create(bench, f"bare-{number}", **parts) for number in range(count)]
    refs = [write_one(adapter, change).ref for change in changes]
    found = adapter.read([ref for ref in refs if ref is not None])
    assert count == len(found), "the deals were made"
    return [found[ref] for ref in refs if ref is not None]


def _parts_of(record: Record) -> dict[str, Value]:
    contacts = record.fields.get("contacts") or ()
    return {"company": record.fields.get("company"), "contacts": contacts}


def _held(adapter: Adapter, ref: Ref) -> dict[str, Value]:
    return _parts_of(adapter.read([ref])[ref])


def _parts(change: Change) -> dict[str, Value]:
    return {"company": change.after.get("company"), "contacts": change.after.get("contacts") or ()}


def _outcome(adapter: Adapter, change: Change) -> Outcome:
    """Write a change; what is raised says that nothing was done."""
    try:
        return write_one(adapter, change).outcome
    except (AuthenticationError, RetryLaterError):
        return Outcome.FAILED


def _gone(adapter: Adapter, part: str) -> Ref:
    """Make a company or contact and archive it again, where the adapter can."""
    made = make_company("gone") if part == "company" else make_contact("gone")
    can = adapter.capabilities
    if Action.ARCHIVE not in can.actions or made.creates not in can.creates:
        pytest.skip("the adapter can't make and archive one")
    ref = write_one(adapter, made).ref
    assert ref is not None
    assert Outcome.APPLIED == write_one(adapter, make_archive(ref)).outcome
    return ref


def _unconditional(change: Change) -> Change:
    return replace(change, expects=None)
