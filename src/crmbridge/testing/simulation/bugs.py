"""The bugs that are planted on purpose, each a line of the source and what it says instead."""

from __future__ import annotations

from crmbridge.testing.simulation.bug import Bug
from crmbridge.testing.simulation.late_bugs import LATE_BUGS

__all__ = ["BUGS", "Bug"]

APPLYING, RECONCILING = "crmbridge.services.apply.applying", "crmbridge.services.apply.reconciling"
MERGE, PLANNING = "crmbridge.engine.sync.merge", "crmbridge.services.runs.planning"
UNDOING = "crmbridge.services.by_hand.undoing"
JOURNAL, RECORDS = "crmbridge.store.sql.journal", "crmbridge.store.sql.records"

BUGS: tuple[Bug, ...] = (
    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "a write is sent again after a timeout",
        "crmbridge.http.client",
        'raise UnclearError(f"{self._asked(request)} is not clear ({name_of(error)})") from error',
        "raise self._unreachable(error) from error",
    ),
    Bug(
        "an unclear answer counts as a failure",
        APPLYING,
        "    return {c.id: found.get(c.id) or _receipt(c, outcome, message) for c in batch}, error\n",
        "    for change in batch:\n"
        "        if change.id in found and found[change.id].outcome is Outcome.UNKNOWN:\n"
        "            found[change.id] = _receipt(change, Outcome.FAILED, message)\n"
        "    return {c.id: found.get(c.id) or _receipt(c, outcome, message) for c in batch}, error\n",
    ),
    Bug(
        "intents are not journaled",
        JOURNAL,
        "            _append(open_, rows)\n            _note(open_, {change.id: None for change in changes})\n",
        "            pass\n",
    ),
    Bug(
        "outcomes are not journaled",
        JOURNAL,
        "            _append(open_, [_outcome_row(run, receipt, intended, at) for receipt in receipts])\n",
        "",
    ),
    Bug(
        "what changed since the plan is written over",
        APPLYING,
        "return waiting | (unfit(workspace, rest) if rest else {}), None",
        "return waiting, None",
    ),
    Bug(
        "a new deal carries no key",
        "crmbridge_pipedrive.bodies",
        "        if change.key is not None:\n",
        "        if change.key is None:\n",
    ),
    Bug(
        "a change is left out without a word",
        APPLYING,
        "    todo = [change for change in plan.changes if change.id not in before]\n",
        "    todo = [change for change in plan.changes if change.id not in before][:3]\n",
    ),
    Bug(
        "a stage is written that the plan does not have",
        "crmbridge.services.links.native_ids",
        "    if not change.linked:\n        return change\n    edits = [_edit_with",
        "    if not change.linked:\n"
        "        more = FieldEdit('discount', None, None)\n"
        "        return replace(change, edits=(*change.edits, more)) if change.target else change\n"
        "    edits = [_edit_with",
    ),
    # ── After a crash ───────────────────────────────────────────────────────────────────────────────────
    Bug(
        "nobody looks what became of an unclear write",
        "crmbridge.services.runs.cycle",
        "reconciled = _reconcile(workspace, run) if write else ()",
        "reconciled = ()",
    ),
    Bug(
        "what is read back counts as done, there or not",
        RECONCILING,
        "    there = tuple(edit for edit in change.edits if any(_holds(change, edit, copy) for copy in copies))\n",
        "    there = change.edits\n",
    ),
    Bug(
        "a creation is never found again",
        RECONCILING,
        "    if found is None:\n        return Receipt(change=change.id, outcome=Outcome.FAILED",
        "    if True:\n        return Receipt(change=change.id, outcome=Outcome.FAILED",
    ),
    Bug(
        "decisions are not kept before they are written",
        APPLYING,
        "    workspace.store.links.save_bases(bases)\n",
        "",
    ),
    # ── Two runs at once ────────────────────────────────────────────────────────────────────────────────
    Bug(
        "a second run begins though another one holds the state",
        "crmbridge.store.quiet.runs",
        '    "WHERE lease.expires_at <= ?"\n',
        '    "WHERE lease.expires_at > ?"\n',
    ),
    Bug(
        "a run that another one took over from goes on",
        "crmbridge.store.sql.database",
        "        if done.rowcount == 0:\n",
        "        if False:\n",
    ),
    Bug(
        "a run that another one took over from goes on saving",
        "crmbridge.store.plain",
        "        if not is_held:\n",
        "        if False:\n",
    ),
    Bug(
        "a run that another one took over from goes on sending",
        "crmbridge.services.workspace",
        "ledger=HeldLedger(self.store.rates, self.store.runs.must_hold),",
        "ledger=self.store.rates,",
    ),
    # ── Echo and money ──────────────────────────────────────────────────────────────────────────────────
    Bug(
        "an echo is not recognised",
        "crmbridge.services.apply.settling",
        "    bases = bases_after(viewers, written)\n    for _, ref in created:",
        "    bases = {ref: {} for _, ref in written}\n    for _, ref in created:",
    ),
    Bug(
        "money is a float",
        "crmbridge.model.values",
        '    "money": lambda data: Money(Decimal(data[0]), data[1]),\n',
        '    "money": lambda data: Money(Decimal(float(data[0])), data[1]),\n',
    ),
    Bug(
        "what a CRM gives a deal that is made counts as an edit",
        "crmbridge.services.links.given",
        "        if read[new].updated_at != read[new].created_at:\n",
        "        if True:\n",
    ),
    Bug(
        "what somebody enters before a new deal is read counts as given by its CRM",
        "crmbridge.services.links.given",
        "        if read[new].updated_at != read[new].created_at:\n",
        "        if False:\n",
    ),
    Bug(
        "what a CRM gave a deal that could not be read counts as an edit",
        "crmbridge.services.links.given",
        "    if not marked:\n        return around\n",
        "    return around\n",
    ),
    # ── Pulling ─────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "a cursor is committed before its records",
        RECORDS,
        "        with self._database.write(at) as open_:\n            mark = next_mark(open_)\n            saved",
        "        row = {'connection': connection, 'kind': kind, 'cursor': page.cursor, 'saved_at': at}\n"
        "        with self._database.write(at) as open_:\n            upsert(open_, _cursors, [row])\n"
        "        with self._database.write(at) as open_:\n            mark = next_mark(open_)\n            saved",
    ),
    Bug(
        "a page is saved without its tombstones",
        RECORDS,
        "tombstones = [tombstone_row(tombstone, mark) for tombstone in page.tombstones]\n",
        "tombstones = []\n",
    ),
    Bug(
        "what a CRM shows late is not read again (Pipedrive)",
        "crmbridge_pipedrive.cursors",
        "return self.since - OVERLAP if self.since else None",
        "return self.since + timedelta(seconds=1) if self.since else None",
    ),
    Bug(
        "strictly later than the cursor (Salesforce)",
        "crmbridge_salesforce.listing",
        'return f"{stamp} >= {moment(place.at - self._pace.overlap)}"',
        'return f"{stamp} > {moment(place.at)}"',
    ),
    Bug(
        "what a CRM shows late is not read again (HubSpot)",
        "crmbridge_hubspot.cursor",
        "return max(0, (self.at or 0) - OVERLAP_MS, self.settled + 1 if self.settled else 0)",
        "return (self.at or 0) + 1",
    ),
    # ── Deciding ────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "what is not finished is forgotten",
        PLANNING,
        "    syncing.dealt(workspace, synced, {**held, **wanted, **back})\n",
        "    syncing.dealt(workspace, synced, {**held, **back})\n",
    ),
    Bug(
        "the oldest edit wins",
        MERGE,
        "return max(changed, key=lambda side: (not was_outdone(name, side.now[name], side.base), side.updated_at))",
        "return min(changed, key=lambda side: (not was_outdone(name, side.now[name], side.base), side.updated_at))",
    ),
    Bug(
        "nobody is asked about a conflict",
        MERGE,
        "    winner = _winner(name, changed, policy)\n",
        "    winner = _winner(name, changed, policy) or changed[0]\n",
    ),
    Bug(
        "what a person settles is not kept",
        "crmbridge.services.by_hand.resolving",
        "        bases[decided_ref(item.link)][item.name] = decision.value\n",
        "",
    ),
    Bug(
        "what waits for a person is not said",
        PLANNING,
        'waiting.replace({*synced.looked, *left_behind, ""}, [*plan.blocked, *kept],',
        'waiting.replace({*synced.looked, *left_behind, ""}, kept,',
    ),
    Bug(
        "one way is both ways",
        MERGE,
        "    elif policy.source is not None:\n",
        "    elif False:\n",
    ),
    Bug(
        "only if empty writes over values",
        MERGE,
        "_spread(name, told[0].now[name], empty, draft,",
        "_spread(name, told[0].now[name], sides, draft,",
    ),
    Bug(
        "of two sets one wins as a whole",
        MERGE,
        "    if all(is_empty(side.now[name]) or isinstance(side.now[name], tuple) for side in sides):\n",
        "    if False:\n",
    ),
    Bug(
        "a delete beats an edit",
        "crmbridge.engine.sync.deleting",
        '    if came_back or (by_people and policy == "archive" and any(ref in wanted for ref in there)):\n',
        "    if came_back:\n",
    ),
    Bug(
        "a deletion beats an edit whose write failed",
        "crmbridge.services.sync.comparing",
        "        if any(lacks(bases.get(ref, NOTHING_KNOWN), spoken, decided) for ref in refs "
        "if ref not in self.around.deals):\n",
        "        if False:\n",
    ),
    Bug(
        "the cap on deletions is ignored",
        "crmbridge.engine.sync.deleting",
        "    kept = [change for part in by_connection.values() if len(part) <= most for change in part]\n"
        "    held = [change for part in by_connection.values() if len(part) > most for change in part]\n",
        "    kept = list(archives)\n    held: list[Change] = []\n",
    ),
    Bug(
        "a deletion is not carried on",
        "crmbridge.engine.sync.deleting",
        '        archive = tuple(there) if policy == "archive" else ()\n',
        "        archive = ()\n",
    ),
    Bug(
        "a deletion is carried on though nobody asked for it",
        "crmbridge.engine.sync.deleting",
        '    archive = tuple(there) if policy == "archive" else ()\n',
        "    archive = tuple(there)\n",
    ),
    Bug(
        "a merged deal is not followed",
        "crmbridge.services.sync.syncing",
        "    survivors = [end for part in chunks(deals) for end in follow_merged(workspace, part)]\n",
        "    survivors: list[Ref] = []\n",
    ),
    Bug(
        "a company is not brought along",
        "crmbridge.services.sync.companions",
        "        edits = [kept for edit in change.edits if (kept := self._edit(change, edit)) is not None]\n",
        "        edits = [kept for edit in change.edits if (kept := self._edit(change, edit)) is not None]\n"
        "        edits = [edit for edit in edits if edit.name != COMPANY]\n",
    ),
    Bug(
        "a contact that two CRMs have linked is not found in a third",
        "crmbridge.services.sync.companions",
        "            if members and all(ref.connection != connection for ref in members):\n",
        "            if False:\n",
    ),
    Bug(
        "the receipts of a batch are in another order",
        APPLYING,
        "    found = {receipt.change: receipt for receipt in receipts}\n",
        "    turned = reversed(receipts)\n"
        "    pairs = zip(batch, turned, strict=True) if receipts else ()\n"
        "    found = {c.id: Receipt(change=c.id, outcome=r.outcome, ref=r.ref, message=r.message) for c, r in pairs}\n",
    ),
    Bug(
        "a cut is never an edit",
        "crmbridge.engine.sync.forms",
        "    fresh = base.get(VERSION) is not None and base[VERSION] != version\n",
        "    fresh = False\n",
    ),
    Bug(
        "of two deals of one name one is taken",
        "crmbridge.engine.sync.matching",
        "    if len(existing) > 1 or any(len(side) > 1 for side in sides.values()):\n",
        "    if len(existing) > 1:\n",
    ),
    Bug(
        "an undo writes over what people changed since",
        UNDOING,
        "        if _holds(now, after):\n",
        "        if True:\n",
    ),
    Bug(
        "an undo takes away a deal that people edited since",
        UNDOING,
        "    if record is not None and (why := _edited_since(scene, entry, record)):\n",
        "    if record is not None and (why := '') == 'no':\n",
    ),
    # ── Notes ───────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "a note of our own is copied on",
        "crmbridge.services.sync.notes",
        '    return _OURS.search(str(note.fields.get("body"))) is not None\n',
        "    return False\n",
    ),
    Bug(
        "a note that comes after its deal is not copied",
        "crmbridge.services.links.signing",
        "by_kind[Kind.NOTE] if ref.connection == entry.notes_source)",
        "by_kind[Kind.NOTE] if False)",
    ),
    Bug(
        "a note that may have been written is written again",
        RECONCILING,
        "    found = workspace.adapter(change.connection).find(change.kind,",
        "    found = None if change.action is Action.NOTE else workspace.adapter(change.connection).find(change.kind,",
    ),
    # ── Stages ──────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "a move that the process forbids is followed",
        "crmbridge.services.sync.comparing",
        "        return why_not(self.workspace,",
        "        return '' and why_not(self.workspace,",
    ),
    Bug(
        "a stage that means something else moves its deals",
        "crmbridge.services.sync.syncing",
        "= follow_remapped(workspace, viewers) if pending or first else {}",
        "= {}",
    ),
    Bug(
        "what a stage means now is to be what all deals are in",
        "crmbridge.services.sync.remapped_stages",
        "values[0] if all(same(value, values[0]) for value in values) else APART",
        "next(iter(now.values()))",
    ),
    # ── Settings that change ────────────────────────────────────────────────────────────────────────────
    Bug(
        "what was agreed on without a connection counts for nothing",
        "crmbridge.engine.sync.forms",
        "    return mark is not None and same(mark, base.get(name))\n",
        "    return False\n",
    ),
    Bug(
        "a connection that is left out stops the others",
        "crmbridge.services.apply.deciding",
        "if ref in records and ref.connection in viewers",
        "if ref in records",
    ),
    Bug(
        "a field that is named later is not read",
        "crmbridge.services.pull.pulling",
        "        known = None\n    begin",
        "        pass\n    begin",
    ),
    Bug(
        "what went before fields were named otherwise is not noticed",
        "crmbridge.services.pull.pulling",
        "    if known is not None and known.reading != bookmark.reading:\n        with",
        "    if known is not None and known.reading != bookmark.reading:\n"
        "        known = None\n    if known is not None and False:\n        with",
    ),
    Bug(
        "zero is an amount where nobody entered any",
        "crmbridge_pipedrive.standard",
        "    return None if value == 0 else value\n",
        "    return value\n",
    ),
    Bug(
        "under other settings nothing is looked at anew",
        "crmbridge.services.sync.syncing",
        '    return f"{READER}{entry.name}/{workspace.project.digest}"\n',
        '    return f"{READER}{entry.name}/"\n',
    ),
    *LATE_BUGS,
)
