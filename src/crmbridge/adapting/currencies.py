"""Deals that have one currency for all their amounts, as in most CRMs: writing one of them can change the others."""

from __future__ import annotations

from collections.abc import Mapping

from crmbridge.model.values import Money, Value


def turned_amounts(after: Mapping[str, Value], held: Mapping[str, Value]) -> str:
    """Say which amounts would get another currency by what is written; empty: none.

    `after` is what a change writes, `held` what the deal holds now. The currency goes with each amount that is
    written, so two of them can't be written in two, and one that stays would be read in that of the one written.
    """
    written = sorted({value.currency for value in after.values() if isinstance(value, Money)})
    if len(written) > 1:
        return f"its amounts are in {' and '.join(written)}, and a deal here has one currency for all of them"
    stay = {name: value for name, value in held.items() if isinstance(value, Money) and name not in after}
    for name, value in sorted(stay.items()):
        if written and value.amount and value.currency != written[0]:
            return f"its {name} of {value} would become {written[0]}: a deal here has one currency for all its amounts"
    return ""
