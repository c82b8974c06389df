"""The oracle of the simulation: it judges the promises by what was seen from outside the core."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from crmbridge.model.changes import Action, Change, Origin, Outcome, Plan
from crmbridge.model.records import Ref
from crmbridge.testing.simulation.counterparts import judge_counterparts, judge_effects
from crmbridge.testing.simulation.fields import judge_field
from crmbridge.testing.simulation.knowing import judge_known
from crmbridge.testing.simulation.reverting import Reverts
from crmbridge.testing.simulation.sources import check_archive, check_sources
from crmbridge.testing.simulation.witness import Agreed, Witness


class Oracle:
    """The promises as checks of what a witness has seen.

    `begin` and `end` frame a run, `before_write` comes before each write call. `judge` is asked once, when all is calm.
    """

    def __init__(self, seen: Witness) -> None:
        self.seen = seen
        self.reverts = Reverts(seen)
        self._run = ""
        self._sends_again: Collection[Outcome] = ()  # what became of what may be sent again
        self._looked_at: set[str] = set()  # the links that a run which got as far as a plan has looked at

    def begin(self, run: str) -> None:
        """Note that a run begins."""
        self.seen.count += 1  # so that what is written and done before and after it has other numbers
        self._run, self.seen.began = run, self.seen.count
        self._sends_again = {Outcome.FAILED, Outcome.STALE}
        self.seen.look_again()
        self.reverts.note()
        links = self.seen.links()
        for (link, name), value in self.seen.equal_fields(links).items():
            if self.seen.is_owed(link, name, value):
                continue
            judge_field(self.seen, link, links[link], name, blocked=False)
            # That a link is in step is not known before it was looked at, and that may come after the next edit.
            if link in self._looked_at:
                self.seen.in_step[link, name] = Agreed(self.seen.count, value, links[link])

    def begin_late(self, run: str, began: int) -> None:
        """Note that a run begins which applies a plan that was made when `began` was the last edit."""
        self.seen.count += 1
        self._run, self.seen.began = run, began
        self._sends_again = {Outcome.FAILED, Outcome.STALE, Outcome.REFUSED}  # as a person asks for it
        self.seen.look_again()
        self.reverts.note()

    def before_write(self, changes: Sequence[Change]) -> None:
        """Check that each change that is sent has its intent, and that nothing else of it is still unclear."""
        self.seen.look_again()
        self.reverts.note()
        rows: dict[str, list[Outcome | None]] = defaultdict(list)
        wanted = {change.id for change in changes}
        for entry in self.seen.rows:
            if entry.change.id in wanted:
                rows[entry.change.id].append(entry.outcome)
        for change in changes:
            history = rows[change.id]
            assert history, f"P6: {change.id} was sent without an intent"
            assert history[-1] is None, f"P6: {change.id} was sent with {history[-1]} as its last row"
            before = history[-2] if len(history) > 1 else Outcome.FAILED
            assert before in self._sends_again, f"P2: {change.id} was sent again after {before}"
            if change.origin is Origin.SYNC:
                check_sources(self.seen, change)
                check_archive(self.seen, change)
            elif change.origin is Origin.ENFORCE and change.position is not None:
                self.reverts.check(change)
            self.seen.sends(change)

    def end(self, plan: Plan | None) -> None:
        """Check the journal after a run that came to its end, and note what all sides agree on."""
        self.seen.look_again()
        self.reverts.note()
        self.seen.goes_on()
        links = self.seen.links()
        if plan is None:
            return
        # What a run could not look at as a whole it decides nothing about, even where it happens to be in step.
        looked = {name for name, looks in self.seen.looked.items() if max(looks, default=-1) >= self.seen.began}
        links = {link: refs for link, refs in links.items() if {ref.connection for ref in refs} <= looked}
        if not self.seen.left_out.is_any:
            self._looked_at.update(links)
        self.check_outcomes()
        self._check_cap(plan)
        if not self.seen.left_out.is_any:  # else it did not see all that people did
            self.seen.begins.append(self.seen.began)
        if self.seen.count == self.seen.began:
            self._note_agreement(plan, links)

    def check_outcomes(self) -> None:
        """Check that each intent of a run that came to its end has an outcome."""
        rows: dict[str, list[Outcome | None]] = defaultdict(list)
        for entry in self.seen.rows:
            if entry.run == self._run:
                rows[entry.change.id].append(entry.outcome)
        for change, outcomes in rows.items():
            settled = sum(outcome is not None for outcome in outcomes)
            assert settled >= len(outcomes) - settled, f"P6: {change} has an intent without an outcome"

    def _check_cap(self, plan: Plan) -> None:
        gone = Counter(change.connection for change in plan.changes if change.action is Action.ARCHIVE)
        cap = self.seen.entry.delete_cap
        most = max(gone.values(), default=0)
        assert cap.percent > 0 or most <= cap.records, f"P7: more deletions than the cap allows: {gone}"

    def _note_agreement(self, plan: Plan, links: Mapping[str, tuple[Ref, ...]]) -> None:
        stopped = {item.link for item in plan.blocked}
        for (link, name), value in self.seen.equal_fields(links).items():
            if link not in stopped:
                judge_field(self.seen, link, links[link], name, blocked=False)
                self.seen.agreed[link, name] = Agreed(self.seen.count, value, links[link])

    def judge(self, plan: Plan) -> None:
        """Check every promise that can be told from the end; `plan` is that of the last calm run."""
        self.seen.look_again()
        assert () == self.seen.journal.unsettled(), "P5: something is still unclear after calm runs"
        assert () == plan.changes, f"P3: a calm run still plans {plan.changes}"
        judge_known(self.seen)
        self.reverts.judge(plan)
        judge_counterparts(self.seen, plan)
        judge_effects(self.seen)
        stopped = {(item.link, name) for item in plan.blocked for name in item.name.split(", ")}
        deals = self.seen.deals()
        for link, refs in self.seen.links().items():
            for name in sorted({name for ref in refs if ref in deals for name in self.seen.view(ref)}):
                judge_field(self.seen, link, refs, name, blocked=(link, name) in stopped)
