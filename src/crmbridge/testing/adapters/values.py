"""The AdapterSuite's tests of amounts, numbers and dates at their edges: kept exactly, or refused with words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind
from crmbridge.model.values import Money, Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import make_task, make_update, open_deal, write_one
from crmbridge.testing.adapters.workbench import CURRENCY, AdapterWorkbench, pull_all

AMOUNTS = ("0.01", "0.1", "0.30", "-50", "1000000", "9007199254740993", "999999999.99", "0.005", "1" * 38 + ".25")
DAILY = ("0.01", "0.29", "1000", "99999999.99")  # what no CRM may refuse
FOREIGN = (("500000", "JPY"), ("0.5", "JPY"), ("12.345", "KWD"), ("1", "KWD"), ("19.99", "USD"))
NUMBERS = ("0", "-3", "7.125", "0.1", "1e3", "123456789.123456789", "1e-9", "9007199254740993")
# Days on which clocks go forward or back (in Brazil once at midnight, so that day had none), and the leap day.
ORDINARY_DAYS = (
    date(2024, 2, 29), date(2026, 2, 28), date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1),
    date(2018, 11, 4), date(2026, 12, 31), date(2027, 1, 1), date(2026, 4, 5), date(2000, 2, 29),
)  # fmt: skip
FAR_DAYS = (date(9999, 12, 31), date(1, 1, 1), date(1582, 10, 10), date(1969, 12, 31), date(1900, 2, 28))
MOMENTS = (
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
)


class ValueTests:
    """A value is kept digit for digit and day for day, or the write is refused; nothing is rounded in silence."""

    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_amounts_are_exact_or_refused(self, adapter: Adapter, amount: str) -> None:
        """An amount comes back digit for digit, or is refused with words; it is never rounded in silence."""
        _kept_or_refused(adapter, "amount", [Money(Decimal(amount), CURRENCY)])

    def test_no_money_is_kept_or_is_no_amount(self, adapter: Adapter) -> None:
        """Zero comes back as zero, or as none from a CRM that has no empty amount; never as another amount."""
        nothing = Money(Decimal(0), CURRENCY)
        deal = open_deal(adapter)
        receipt = write_one(adapter, make_update(deal, fields={"amount": nothing}))

        assert Outcome.APPLIED == receipt.outcome
        assert adapter.read([deal.ref])[deal.ref].fields["amount"] in {nothing, None}

    def test_ordinary_amounts_are_not_refused(self, adapter: Adapter) -> None:
        """Cents and millions are daily business."""
        amounts = [Money(Decimal(amount), CURRENCY) for amount in DAILY]

        assert amounts == _kept_or_refused(adapter, "amount", amounts)

    def test_another_currency_travels_with_its_amount(self, adapter: Adapter) -> None:
        """Yen, which have no cents, and dinars, which have a thousand: never stored as euros, and never rounded."""
        _kept_or_refused(adapter, "amount", [Money(Decimal(amount), currency) for amount, currency in FOREIGN])

    def test_an_amount_is_cleared(self, adapter: Adapter) -> None:
        """No amount is not zero. Of a CRM that has no empty amount, zero is read as none."""
        deal = open_deal(adapter)
        receipt = write_one(adapter, make_update(deal, fields={"amount": None}))
        after = adapter.read([deal.ref])[deal.ref].fields.get("amount")

        if receipt.outcome is Outcome.APPLIED:
            assert after is None
        else:
            assert (Outcome.REFUSED, deal.fields["amount"]) == (receipt.outcome, after)

    def test_numbers_are_exact_or_refused(self, adapter: Adapter) -> None:
        """Whatever the sign, the size and the digits behind the point."""
        kept = _kept_or_refused(adapter, "discount", [Decimal(number) for number in NUMBERS])

        assert {Decimal(0), Decimal(-3), Decimal("0.1"), Decimal(1000)} <= set(kept)

    @pytest.mark.parametrize("field", ["close_date", "presented_on"])
    def test_days_stay_the_day_they_are(self, adapter: Adapter, field: str) -> None:
        """Also where the clocks change, at the turn of the year and on the leap day; they are not refused."""
        assert [*ORDINARY_DAYS] == _kept_or_refused(adapter, field, ORDINARY_DAYS)

    @pytest.mark.parametrize("field", ["close_date", "presented_on"])
    def test_far_days_are_exact_or_refused(self, adapter: Adapter, field: str) -> None:
        """The first and last day there are, and days before computers."""
        _kept_or_refused(adapter, field, FAR_DAYS)

    def test_moments_stay_the_moment_they_are(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A task is due when it was said to be, or on that day where the CRM keeps days only."""
        if Kind.ACTIVITY not in adapter.capabilities.kinds:
            pytest.skip("the adapter does not read tasks back")
        deal = open_deal(adapter)
        for number, moment in enumerate(MOMENTS):
            change = make_task(bench, deal, f"moment-{number}", due_at=moment)
            assert Outcome.APPLIED == write_one(adapter, change).outcome
        found = {r.fields["subject"]: r.fields["at"] for r in pull_all(adapter, Kind.ACTIVITY).records.values()}

        for number, moment in enumerate(MOMENTS):
            kept = found[f"Suite task moment-{number}"]
            assert kept in {moment, datetime.combine(moment.date(), time(), UTC)}


def _kept_or_refused(adapter: Adapter, field: str, values: Iterable[Value]) -> list[Value]:
    """Write one value after the other, and give those that were taken; each is read back as it was written.

    A value that is refused is refused with words and leaves the field as it was.
    """
    ref = open_deal(adapter).ref
    taken: list[Value] = []
    for value in values:
        deal = adapter.read([ref])[ref]
        receipt = write_one(adapter, make_update(deal, fields={field: value}))
        after = adapter.read([ref])[ref].fields.get(field)
        if receipt.outcome is Outcome.APPLIED:
            taken.append(value)
            assert value == after
        else:
            assert Outcome.REFUSED == receipt.outcome, value
            assert receipt.message, value
            assert deal.fields.get(field) == after
    return taken
