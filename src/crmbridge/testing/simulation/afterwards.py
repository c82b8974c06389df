"""What people do once all is calm: things that hardly ever meet while everything happens at once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Decimal

from crmbridge.engine.sync.sameness import altered
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.people import People
from crmbridge.testing.simulation.witness import Witness


class Afterwards:
    """What people do with what crmbridge wrote, when a run has looked at all of it."""

    def __init__(self, accounts: Mapping[str, Account], seen: Witness, people: People, rng: random.Random) -> None:
        self._accounts = accounts
        self._seen = seen
        self._people = people
        self._rng = rng

    def go_on(self) -> None:
        """Bring something back, where that can be done; else do one of the other things."""
        for do in (self.bring_back, *self._rng.sample((self.shorten, self.make_twins), 2)):
            if do():
                return

    def shorten(self) -> bool:
        """Change a value that crmbridge wrote to something that a CRM might have made of it."""
        found = [(ref, name, value) for ref, name, value in self._written() if shortened(value) is not None]
        if found:
            ref, name, value = self._rng.choice(found)
            self._people.set(ref, name, shortened(value))
        return bool(found)

    def _written(self) -> Iterator[tuple[Ref, str, Value]]:
        """Give the fields that still hold what was written there."""
        deals = self._seen.deals()
        for link, refs in sorted(self._seen.links().items()):
            for ref in (ref for ref in refs if ref in deals):
                for name, now in sorted(self._seen.view(ref).items()):
                    last = [one.value for one in self._seen.values_sent(link, name) if one.ref == ref][-1:]
                    if last == [now]:
                        yield ref, name, now

    def bring_back(self) -> bool:
        """Bring back a deal that crmbridge took away."""
        done = [entry for entry in self._seen.journal.entries() if entry.outcome is Outcome.APPLIED]
        gone = [entry.change.target for entry in done if entry.change.action is Action.ARCHIVE]
        found = sorted({ref for ref in gone if ref and ref.kind is Kind.DEAL and ref not in self._seen.deals()})
        return bool(found) and self._people.bring_back(self._rng.choice(found))

    def make_twins(self) -> bool:
        """Make two deals that nobody can tell apart in one CRM, and in another one that may be either's counterpart."""
        names = self._rng.sample(sorted(self._accounts), 2)
        made = [self._people.create(self._accounts[name], "Twins") for name in (*names, names[0])]
        twins = [ref for ref in made if ref is not None]
        self._seen.twins.append(frozenset(twins))
        return bool(twins)


def shortened(value: Value) -> Value:
    """Give what a CRM might keep of a value; nothing where that would be the same."""
    short: Value = None
    if isinstance(value, Money):
        short = Money(_whole(value.amount), value.currency)
    elif isinstance(value, Decimal):
        short = _whole(value)
    elif isinstance(value, str):
        short = value.upper()
    return short if short != value and altered(value, short) else None


def _whole(number: Decimal) -> Decimal:
    return number.quantize(Decimal(1), ROUND_DOWN)
