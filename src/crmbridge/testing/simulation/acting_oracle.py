"""What is judged where findings act: what runs send, what hints do, and what stands there when all is calm."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from crmbridge.engine.people import OWNER
from crmbridge.model.changes import Action, Change, JournalEntry, Outcome, Plan, Receipt
from crmbridge.model.lives import Known
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.services.workspace import Workspace
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.board import Board
from crmbridge.testing.simulation.chat import Chat
from crmbridge.testing.simulation.scene import Scene
from crmbridge.testing.simulation.wanting import Told, Wanting


class Oracle:
    """The promises, as far as they are about what findings ask for, and what webhooks say."""

    def __init__(self, scene: Scene, workspace: Callable[[], Workspace], chat: Chat) -> None:
        self.accounts: Mapping[str, Account] = scene.accounts
        self._chat = chat
        self.workspace = workspace
        self.board = Board(scene.accounts, self.rows)
        self.edited: set[tuple[Ref, str]] = set()  # what people wrote
        self.seen: set[Ref] = set()  # deals that are there, or were
        self.meanwhile: dict[tuple[Ref, str], Value] = {}  # what they wrote since the last run began
        self._before: tuple[object, ...] = ()
        self._hinted: set[Ref] = set()

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    def rows(self) -> list[JournalEntry]:
        """Give all rows of the journal."""
        return list(self.workspace().store.journal.entries())

    def deals(self) -> dict[Ref, Record]:
        """Give the deals that are there now."""
        records = (item for account in self.accounts.values() for item in account.records.items())
        found = {ref: record for ref, record in records if ref.kind is Kind.DEAL}
        self.seen.update(found)
        return found

    def known(self) -> list[Known]:
        """Give all findings that are stored of these deals, the cleared ones too."""
        stored = self.workspace().store.findings.known(sorted(self.seen | self.deals().keys()))
        return [each for found in stored.values() for each in found]

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give the links of deals."""
        links = self.workspace().store.links.links()
        return {link: refs for link, refs in links.items() if refs and refs[0].kind is Kind.DEAL}

    def view(self, deal: Record) -> Mapping[str, Value]:
        """Give what a deal holds, free of what is native to its CRM."""
        return self.accounts[deal.ref.connection].sight.view(deal)

    # ── While a run is at work ──────────────────────────────────────────────────────────────────────────

    def before_write(self, changes: Sequence[Change]) -> None:
        """Check that each change has its intent, and that nothing of it is still unclear or was done already."""
        history: dict[str, list[Outcome | None]] = defaultdict(list)
        for entry in self.rows():
            history[entry.change.id].append(entry.outcome)
        for change in changes:
            *earlier, last = history[change.id] or [Outcome.FAILED]
            assert last is None, f"P6: {change.id} was sent without an intent"
            fine = not earlier or earlier[-1] in {Outcome.FAILED, Outcome.STALE}
            assert fine, f"P2: {change.id} was sent again after {earlier[-1]}"

    def after_write(self, changes: Sequence[Change], receipts: Sequence[Receipt]) -> None:
        """Check that nothing was written over what somebody entered in the midst of this run, unless it was seen."""
        done = [c for c, r in zip(changes, receipts, strict=True) if r.outcome is Outcome.APPLIED]
        for change in done if self.meanwhile else ():
            deal = self.deals().get(change.target) if change.target else None
            if deal is not None and change.action is Action.UPDATE:
                for edit in change.edits:
                    seen = self.accounts[change.connection].sight.shown(edit.name, edit.before)
                    said = self.meanwhile.pop((deal.ref, edit.name), seen)
                    assert said in {seen, self.view(deal).get(edit.name)}, f"P1: {said} is written over by {change}"

    def begin_reading(self) -> None:
        """Note what there is before what was hinted at is read."""
        self._before, self._hinted = self._all_but_records(), self._hints()

    def judge_read(self, *, is_whole: bool) -> None:
        """Check that nothing but records changed, and that what was hinted at is known as it is."""
        assert self._before == self._all_but_records(), "P4: a hint changed more than what is read"
        store, deals = self.workspace().store, self.deals()
        edited = {ref for ref, _ in self.meanwhile}
        for ref in self._hinted.intersection(deals) - edited if is_whole else ():
            if Kind.DEAL in store.records.cursors(ref.connection):  # else its first pull is still to come
                known = store.records.get([ref]).get(ref)
                assert known and self.view(known) == self.view(deals[ref]), f"P1: {ref} was hinted at, and is {known}"  # noqa: PT018  one thing

    def _hints(self) -> set[Ref]:
        return {ref for name in self.accounts for ref, _ in self.workspace().store.hints.pending(name)}

    def _all_but_records(self) -> tuple[object, ...]:
        written = [account.writes for account in self.accounts.values()]
        return written, self._chat.told.total(), self.rows(), self.known(), self.links()

    # ── At rest ─────────────────────────────────────────────────────────────────────────────────────────

    def judge(self, plan: Plan) -> None:
        """Judge what stands there when all is calm; `plan` is that of the last run."""
        store, deals = self.workspace().store, self.deals()
        assert () == plan.changes, f"P3: a calm run still plans {plan.changes}"
        assert () == store.journal.unsettled(), "P5: something is still unclear after calm runs"
        assert not self._hints(), f"P1: nobody looked at {self._hints()}"
        known = {each.ref for name in self.accounts for each in store.records.records(name, Kind.DEAL)}
        assert known == deals.keys(), f"P1: there, and not known, or gone, and known: {known ^ deals.keys()}"
        told = {(of, name) for item in plan.blocked for of in (item.deal, item.link) for name in item.name.split(", ")}
        self._judge_links(told)
        self._judge_once()
        self._chat.judge(self.rows())
        Wanting(self, told).judge()

    def _judge_links(self, told: Told) -> None:
        """Check that what is written for a finding gets to the counterparts, too, as every value does."""
        deals, written = self.deals(), self.board.applied(Action.UPDATE)
        for link, refs in self.links().items():
            views = [self.view(deals[ref]) for ref in refs if ref in deals]
            # Whom a CRM gives a deal that is made is nobody's edit, so it goes nowhere.
            given = {OWNER} if not any(OWNER in entry.change.after for entry in written if entry.ref in refs) else set()
            for name in {name for view in views for name in view} - given:
                held = {view[name] for view in views if name in view}
                assert len(held) < 2 or (link, name) in told, f"P1: {link} is not in step: {name} {held}"

    def _judge_once(self) -> None:
        """Check that nothing is there twice, that the journal knows all that is, and that all it knows is there."""
        tasks, made = self.board.tasks(), self.board.made()
        strange = [task for task in tasks if task.change is None]
        assert not strange, f"P6: the journal knows nothing of {strange}"
        for counts in (Counter((each.target, each.key) for each in made.values()), Counter(self.board.marks())):
            assert not (twice := [mark for mark, n in counts.items() if n > 1]), f"P2: twice for one finding: {twice}"
        there = {task.where for task in tasks} | self.board.taken
        lost = [each for where, each in made.items() if where not in there and each.target in self.deals()]
        assert not lost, f"P6: the journal says these were made: {lost}"
