"""Stages that get another meaning in the settings: two change places in a CRM, or one stands for another from then."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.views import STAGE
from crmbridge.model.records import Ref
from crmbridge.services.workspace import Project
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.people import STAGES
from crmbridge.testing.simulation.scene import make_project
from crmbridge.testing.simulation.verdicts import Edit
from crmbridge.testing.simulation.witness import NOTHING, Agreed, Witness

OFTEN = 0.016  # in how many plays stages get another meaning


class Meanings:
    """Who says that a CRM's stages mean something else. The rest of a history does not depend on it.

    The deals that stand there have not moved: nothing is written for it, and sides that differ from then on may, until
    somebody moves one of them.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"meanings {seed}")  # noqa: S311  a seeded play, not a secret
        self.is_played = self.rng.random() < OFTEN

    def change(self, raw: Mapping[str, Any], accounts: Mapping[str, Account], seen: Witness, diary: Diary) -> Project:
        """Give two stages of a CRM another meaning in the settings, and give the project that follows."""
        name = self.rng.choice(sorted(accounts))
        standing = sorted({str(stage) for ref in seen.deals() if (stage := seen.value(ref, STAGE)) in STAGES})
        stages: dict[str, Any] = raw["stages"][name]["map"]
        one = self.rng.choice(standing or STAGES)
        other = self.rng.choice([stage for stage in STAGES if stage != one])
        if self.rng.random() < 0.6:
            stages[one], stages[other] = stages[other], stages[one]
            diary.note("a person", f"changes the settings: {one} and {other} of {name} change places")
        else:
            stages[other] = [*_natives(stages[other]), *_natives(stages.pop(one))]
            diary.note("a person", f"changes the settings: what was {one} in {name} is {other}")
        project = make_project(raw)
        mapper = stage_mapper(name, project.process, project.settings.stages[name])
        accounts[name].sight.read_stages_by(mapper)
        _part(seen)
        return project


def _natives(said: Any) -> list[str]:
    return list(said) if isinstance(said, list | tuple) else [said]


def _part(seen: Witness) -> None:
    """Note that nobody has moved a deal since: what stands there now is what each side may keep.

    A deal that is not linked yet was put where it stands, with what that means now; so was one that somebody moved and
    that the others have not followed yet.
    """
    links = seen.links()
    linked = {ref for refs in seen.members.values() for ref in refs}  # those that were merged away as well
    moved = _not_followed(seen, links)
    deals = seen.deals()
    edits: list[Edit] = []
    for edit in seen.edits:
        if edit.name != STAGE:
            edits.append(edit)
        elif edit.ref not in linked or (edit.ref, edit.number) in moved:
            value = seen.value(edit.ref, STAGE) if edit.ref in deals else edit.value
            edits.append(edit._replace(value=value, before=edit.before if edit.ref not in linked else None))
    seen.edits = edits
    for link, refs in links.items():
        seen.agreed[link, STAGE] = seen.in_step[link, STAGE] = Agreed(seen.count, NOTHING, refs)


def _not_followed(seen: Witness, links: Mapping[str, Sequence[Ref]]) -> set[tuple[Ref, int]]:
    """Name the last moves of linked deals since their link was in step, where another deal of it stands elsewhere."""
    deals = seen.deals()
    found: set[tuple[Ref, int]] = set()
    for link, refs in links.items():
        stages = {ref: seen.value(ref, STAGE) for ref in refs if ref in deals}
        since = seen.agreed.get((link, STAGE), Agreed(0, NOTHING, ())).number
        moves = [edit for edit in seen.edits if edit.name == STAGE and edit.ref in stages and edit.number > since]
        last = {edit.ref: edit.number for edit in moves if not edit.fresh}
        found.update((ref, number) for ref, number in last.items() if set(stages.values()) != {stages[ref]})
    return found
