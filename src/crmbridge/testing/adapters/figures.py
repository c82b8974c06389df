"""The AdapterSuite's tests of figures: a report's numbers go into fields of companies and users, and come back."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

import pytest

from crmbridge.model.changes import Action, Change, Origin, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import fill_in, make, make_field, write_one
from crmbridge.testing.adapters.workbench import SuiteConfig, pull_all

KINDS = (Kind.COMPANY, Kind.USER)


class FigureTests:
    """Figures are numbers in fields of the account's own, which only they touch."""

    config: ClassVar[SuiteConfig]

    @pytest.mark.parametrize("kind", KINDS)
    def test_figures_are_written_and_read(self, adapter: Adapter, kind: Kind) -> None:
        """A number is there afterwards, also a negative one, nothing else changed, and it can be emptied again."""
        field, target = self._field(adapter, kind), _some(adapter, kind)
        before = adapter.read([target])[target].fields
        held = []
        for value in (Decimal("0.225"), Decimal(-5), None):
            receipt = write_one(adapter, _figures(target, **{field: value}))
            assert (Outcome.APPLIED, target) == (receipt.outcome, receipt.ref)
            held.append(adapter.read([target], fields={field})[target].fields[field])

        assert [Decimal("0.225"), Decimal(-5), None] == held
        assert before == adapter.read([target])[target].fields

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_field_that_is_not_there_is_refused(self, adapter: Adapter, kind: Kind) -> None:
        """It is not found, and writing to it is refused with words."""
        _needs(adapter, kind)
        receipt = write_one(adapter, _figures(_some(adapter, kind), suite_never_made=Decimal(1)))

        assert adapter.find(Kind.FIELD, f"{kind}:suite_never_made", None) is None
        assert (Outcome.REFUSED, True) == (receipt.outcome, bool(receipt.message))

    def test_a_companys_field_is_made_once_and_is_no_deals(self, adapter: Adapter) -> None:
        """What is made for companies is found there, not among the fields of deals, and is not made a second time."""
        _needs(adapter, Kind.COMPANY)
        if Action.FIELD not in adapter.capabilities.actions:
            pytest.skip("the adapter makes no fields")
        receipts = [write_one(adapter, _field_on_companies("suite_made")) for _ in range(2)]

        assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
        assert receipts[0].ref == receipts[1].ref == adapter.find(Kind.FIELD, "company:suite_made", None)
        assert adapter.find(Kind.FIELD, "suite_made", None) is None

    def _field(self, adapter: Adapter, kind: Kind) -> str:
        """Give a field for figures: one that is made, or that the sandbox has where the adapter makes none."""
        _needs(adapter, kind)
        if Action.FIELD in adapter.capabilities.actions:
            assert Outcome.APPLIED is write_one(adapter, _field_on_companies("suite_figure")).outcome
            return "suite_figure"
        return self.config.figure


def _needs(adapter: Adapter, kind: Kind) -> None:
    if kind not in adapter.capabilities.figures:
        pytest.skip(f"the adapter keeps no figures on a {kind}")


def _some(adapter: Adapter, kind: Kind) -> Ref:
    return min(ref for ref in pull_all(adapter, kind=kind).records)


def _field_on_companies(name: str) -> Change:
    return make_field(name, FieldType.NUMBER, on=Kind.COMPANY.value)


def _figures(target: Ref, **values: Value) -> Change:
    return make(Action.UPDATE, str(target), edits=fill_in(values), origin=Origin.REPORT, target=target)
