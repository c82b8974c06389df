"""The AdapterSuite's tests of text and amounts that break careless code."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.ports import Adapter
from crmbridge.testing.adapter_changes import make_note, make_update, write_one
from crmbridge.testing.adapter_workbench import CURRENCY, open_deals, pull_all

HOSTILE = {
    "right to left": "שלום עולם \u202e gnp.exe",
    "emoji": "\U0001f469\u200d\U0001f467 deal 🚀 naïve Ünï",  # joined and astral characters
    "markup": "<script>alert(1)</script> & <b>bold</b> &amp; \"quoted\" 'too'",
    "query": "'; DROP TABLE deals; -- \\' OR 1=1 {{7*7}} ${x} %s %00",
    "nul": "before\x00after",
    "controls": "bell\x07 escape\x1b[31m",
    "lone surrogate": "half \ud83d of a pair",
    "5,000 characters": "lorem ips " * 500,
}


class HostileTests:
    """Whatever people put into a field comes back, or is refused clearly; it never breaks a run."""

    @pytest.mark.parametrize("what", HOSTILE)
    @pytest.mark.parametrize("field", ["name", "decision_maker"])
    def test_text_survives_or_is_refused(self, adapter: Adapter, what: str, field: str) -> None:
        """Text comes back as it was written; what no CRM can hold may come back without it; too long is refused."""
        deal = open_deals(pull_all(adapter), 1)[0]
        text = HOSTILE[what].rstrip()
        receipt = write_one(adapter, make_update(deal, fields={field: text}))
        after = adapter.read([deal.ref])[deal.ref].fields.get(field)

        if receipt.outcome is Outcome.APPLIED:
            assert _storable(text) == _storable(str(after))
        else:
            assert (Outcome.REFUSED, True) == (receipt.outcome, bool(receipt.message))
            assert deal.fields.get(field) == after
        assert receipt.message.isprintable()

    @pytest.mark.parametrize("what", HOSTILE)
    def test_notes_survive_or_are_refused(self, adapter: Adapter, what: str) -> None:
        """A note with any text is written and found by its marker, or refused."""
        deal = open_deals(pull_all(adapter), 1)[0]
        change = make_note(deal.ref, what.replace(" ", "-"), body=HOSTILE[what])
        receipt = write_one(adapter, change)

        assert receipt.outcome in {Outcome.APPLIED, Outcome.REFUSED}
        assert receipt.ref == adapter.find(Kind.NOTE, change.key or "", deal.ref)

    @pytest.mark.parametrize("what", HOSTILE)
    def test_keys_that_were_never_written_are_not_found(self, adapter: Adapter, what: str) -> None:
        """Looking for a strange key finds nothing and breaks nothing."""
        assert None is adapter.find(Kind.DEAL, HOSTILE[what][:200], None)

    @pytest.mark.parametrize("amount", ["0", "0.01", "0.1", "999999999.99", "-50", "1" * 38 + ".25"])
    def test_amounts_are_exact_or_refused(self, adapter: Adapter, amount: str) -> None:
        """An amount comes back digit for digit, or is refused with words; it is never rounded in silence."""
        deal = open_deals(pull_all(adapter), 1)[0]
        money = Money(Decimal(amount), CURRENCY)
        receipt = write_one(adapter, make_update(deal, fields={"amount": money}))
        after = adapter.read([deal.ref])[deal.ref].fields["amount"]

        expected = money if receipt.outcome is Outcome.APPLIED else deal.fields["amount"]
        assert expected == after
        assert receipt.outcome is Outcome.APPLIED or (receipt.outcome is Outcome.REFUSED and receipt.message)

    def test_ordinary_amounts_are_not_refused(self, adapter: Adapter) -> None:
        """Cents and millions are daily business."""
        deal = open_deals(pull_all(adapter), 1)[0]
        changes = [make_update(deal, fields={"amount": Money(Decimal(a), CURRENCY)}) for a in ("0.01", "99999999.99")]

        assert [Outcome.APPLIED] * 2 == [write_one(adapter, change).outcome for change in changes]

    def test_another_currency_travels_with_its_amount(self, adapter: Adapter) -> None:
        """Yen are never stored as euros: the currency is written too, or the write is refused."""
        deal = open_deals(pull_all(adapter), 1)[0]
        receipt = write_one(adapter, make_update(deal, fields={"amount": Money(Decimal(500000), "JPY")}))
        after = adapter.read([deal.ref])[deal.ref].fields["amount"]

        if receipt.outcome is Outcome.APPLIED:
            assert Money(Decimal(500000), "JPY") == after
        else:
            assert (Outcome.REFUSED, deal.fields["amount"]) == (receipt.outcome, after)
            assert receipt.message


def _storable(text: str) -> str:
    """Leave out what a CRM may drop or replace: control characters and halves of pairs."""
    return "".join(c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff" and c not in {"\ufffd", "?"})
