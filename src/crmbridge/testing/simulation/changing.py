"""Settings that somebody changes while a play goes on: what is left out and comes back, and who wins from now on."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from crmbridge.engine.views import CONTACTS
from crmbridge.sandbox import VirtualClock
from crmbridge.services.workspace import Project
from crmbridge.settings import Settings
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.drawing import draw_change
from crmbridge.testing.simulation.left_out import left_out
from crmbridge.testing.simulation.people import EDITED, People
from crmbridge.testing.simulation.scene import FIELDS, LATER, make_project, native_field
from crmbridge.testing.simulation.witness import Witness

STAGES = ("qualification", "diagnosis", "proposal", "negotiation", "closing")


class Changing:
    """Whoever looks after the settings. `project` has them as they are now.

    What is left out of them is told to the witness; `restore` puts all of it back.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        settings: Mapping[str, Any],
        seen: Witness,
        rng: random.Random,
        diary: Diary,
    ) -> None:
        self._accounts = accounts
        self._seen = seen
        self._rng = rng
        self._diary = diary
        self._whole = copy.deepcopy(dict(settings))  # with everything that was left out
        self._now = copy.deepcopy(dict(settings))
        for name in accounts:
            self._whole["connections"][name]["fields"][LATER] = native_field(name, LATER)
            accounts[name].show(LATER)
        for ref in sorted(seen.deals()):
            seen.edited(ref, LATER, fresh=True)

    def leave_out(self) -> Project:
        """Leave out a connection, where that can be done, or change another thing; give the project that follows."""
        said = self._leave_out_connection()
        return self._made(said) if said else self.change()

    def change(self) -> Project:
        """Change one thing, and give the project that follows."""
        does: tuple[Callable[[], str], ...] = (
            self._take_out_field, self._add_field, self._change_policy, self._change_policy, self._leave_out_connection,
            self._take_out_stage, self._put_back,
        )  # fmt: skip
        said = next(filter(None, (do() for do in self._rng.sample(does, len(does)))))
        return self._made(said)

    def restore(self) -> Project:
        """Put back all that is left out; who wins stays as it is."""
        fields = {name: how for name, how in self._entry["fields"].items() if how != {"sync": False}}
        self._now = copy.deepcopy(self._whole)
        self._now["sync"][0]["fields"] = self._entry["fields"] = fields
        return self._made("puts everything back")

    @property
    def now(self) -> dict[str, Any]:
        """The settings as they are now."""
        return self._now

    @property
    def _entry(self) -> dict[str, Any]:
        found: dict[str, Any] = self._whole["sync"][0]
        return found

    def _made(self, said: str) -> Project:
        self._diary.note("a person", f"changes the settings: {said}")
        self._part()
        project = make_project(self._now)
        self._seen.left_out = left_out(Settings.model_validate(self._whole), project.settings)
        if project.settings.sync:
            self._seen.entry = project.settings.sync[0]
        return project

    def _part(self) -> None:
        """Note where sides differ that may: under another policy nobody brings them together before the next edit."""
        deals, seen = self._seen.deals(), self._seen
        for link, refs in seen.links().items():
            views = [seen.view(ref) for ref in refs if ref in deals]
            for name in {name for view in views for name in view}:
                may = seen.entry.policy(name)
                if may.source is not None or may.conflict == "only_if_empty":
                    held = [view[name] for view in views if name in view]
                    if any(value != held[0] for value in held):
                        seen.parted[link, name] = seen.begins[-1]

    def _take_out_field(self) -> str:
        """Leave a field out of one connection, or of all."""
        some = sorted(self._now["connections"])
        name, field = self._rng.choice(some), self._rng.choice(sorted(FIELDS))
        where = some if self._rng.random() < 0.4 else [name]
        for each in where:
            self._now["connections"][each]["fields"].pop(field, None)
        return f"leaves {field} out of {', '.join(where)}"

    def _add_field(self) -> str:
        """Name a field that nobody named before."""
        lacking = [n for n, entry in sorted(self._now["connections"].items()) if LATER not in entry["fields"]]
        where = lacking if self._rng.random() < 0.7 else lacking[:1]
        for name in where:
            self._now["connections"][name]["fields"][LATER] = native_field(name, LATER)
        return f"names {LATER} in {', '.join(where)}" if where else ""

    def _change_policy(self) -> str:
        """Say otherwise who wins, of one field or of all that have no policy of their own."""
        name, how = draw_change(self._rng, sorted(self._accounts))
        self._entry["fields"][name] = how
        for entry in self._now["sync"]:
            entry["fields"] = dict(self._entry["fields"])
        return f"{name}: {how}"

    def _leave_out_connection(self) -> str:
        """Leave out a connection: it is not kept in step any more, or not even pulled."""
        if not self._now["sync"]:
            return ""
        entry = self._now["sync"][0]
        policies = str(entry["fields"])
        free = [name for name in entry["between"] if name not in policies]
        if not free:
            return ""
        out = self._rng.choice(free)
        left = [name for name in entry["between"] if name != out]
        if len(left) > 1:
            entry["between"] = entry["create"] = left
        else:
            self._now["sync"] = []
        if self._rng.random() < 0.5:
            del self._now["connections"][out], self._now["stages"][out]
        return f"leaves out {out}"

    def _take_out_stage(self) -> str:
        """Leave a stage without a counterpart in one connection."""
        name = self._rng.choice(sorted(self._now["stages"]))
        stage = self._rng.choice(STAGES)
        there = self._now["stages"][name]["map"].pop(stage, None)
        return f"leaves {stage} out of {name}" if there else ""

    def _put_back(self) -> str:
        """Put back one thing that was left out, or everything of a connection."""
        out = sorted(self._whole["connections"].keys() - self._now["connections"].keys())
        between = self._now["sync"][0]["between"] if self._now["sync"] else []
        if out or len(between) < len(self._accounts):
            for name in out:
                self._now["connections"][name] = copy.deepcopy(self._whole["connections"][name])
                self._now["stages"][name] = copy.deepcopy(self._whole["stages"][name])
            self._now["sync"] = copy.deepcopy(self._whole["sync"])
            return "puts back every connection"
        for name in sorted(self._now["connections"]):
            for field in FIELDS:
                if field not in self._now["connections"][name]["fields"]:
                    self._now["connections"][name]["fields"][field] = native_field(name, field)
                    return f"puts {field} back into {name}"
            if self._now["stages"][name] != self._whole["stages"][name]:
                self._now["stages"][name] = copy.deepcopy(self._whole["stages"][name])
                return f"puts all stages back into {name}"
        return ""


def edit_apart(people: People, seen: Witness, clock: VirtualClock, rng: random.Random) -> None:
    """Edit a field of a deal in a CRM that is left out for now and in one of the others, in either order.

    Often its contacts, where they are kept in step: the others may then know one that was never linked there.
    """
    deals, away, pairs = seen.deals(), seen.left_out.connections, []
    for _, refs in sorted(seen.links().items()):
        there = [ref for ref in refs if ref in deals]
        kept = [ref for ref in there if ref.connection not in away]
        if len(kept) > 1:  # they agree on it meanwhile
            pairs += [(out, ref) for out in there if out not in kept for ref in kept]
    if pairs:
        both, name = list(rng.choice(pairs)), rng.choice(EDITED)
        if CONTACTS in seen.sights[both[0].connection].around and rng.random() < 0.5:
            name = CONTACTS
        rng.shuffle(both)
        for ref in both:
            clock.advance(timedelta(seconds=rng.randint(1, 200)))
            people.edit(ref, name)
