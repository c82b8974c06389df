"""Bugs that are planted on purpose in what comes late: taken back moves, forgotten deletions, plans, decisions."""

from __future__ import annotations

from crmbridge.testing.simulation.bug import Bug

REVERTING, FORGOTTEN = "crmbridge.engine.acting.reverting", "crmbridge.services.pull.forgotten"
DELETING = "crmbridge.engine.sync.deleting"
RESOLVING = "crmbridge.services.by_hand.resolving"
TASKS, ACTIONS = "crmbridge.engine.acting.tasks", "crmbridge.engine.acting.actions"
HINTING = "crmbridge.services.pull.hinting"
DECIDING, LINKING = "crmbridge.services.apply.deciding", "crmbridge.services.by_hand.linking"

LATE_BUGS: tuple[Bug, ...] = (
    # ── Moves that are taken back ───────────────────────────────────────────────────────────────────────
    Bug(
        "a move that the process forbids is not taken back",
        REVERTING,
        "    return about_it and still_open and move.forward and move.direct\n",
        "    return False\n",
    ),
    Bug(
        "a deal is moved back as often as somebody moves it on",
        REVERTING,
        "    if any(_made(at, id_) for id_ in reverts_asked(at.evaluation)):\n",
        "    if False:\n",
    ),
    Bug(
        "two moves that sync follows in one are taken back",
        "crmbridge.services.enforce.followed_moves",
        "    return frozenset(ref for ref in agreed if _came_there(workspace, others[ref], moved[ref]))\n",
        "    return frozenset()\n",
    ),
    # ── Deals that are made anew ────────────────────────────────────────────────────────────────────────
    Bug(
        "what a CRM gave a deal is missed in one that is made anew",
        "crmbridge.services.links.given",
        "if value == GIVEN and name not in sent]\n",
        "if False]\n",
    ),
    # ── Deletions that a CRM forgot ─────────────────────────────────────────────────────────────────────
    Bug(
        "nobody looks for what a CRM may have forgotten",
        FORGOTTEN,
        "    return not _is_within(workspace, _noted(workspace, connection, _looked_at(kind)), told_for * SOONER)\n",
        "    return False\n",
    ),
    Bug(
        "what a CRM may have forgotten is looked for too seldom",
        FORGOTTEN,
        "_looked_at(kind)), told_for * SOONER)\n",
        "_looked_at(kind)), told_for * 2)\n",
    ),
    Bug(
        "what is looked for and found is taken for gone",
        FORGOTTEN,
        "            missing += one.missing\n",
        "            missing += one.lot\n",
    ),
    # ── Deals that people bring back ────────────────────────────────────────────────────────────────────
    Bug(
        "a deletion beats that somebody brought a deal back",
        DELETING,
        "if marks[ref].get(UNDONE) or marks[ref].get(BACK))}",
        "if marks[ref].get(UNDONE))}",
        "fakes",
    ),
    # ── Plans that are applied late ────────────────────────────────────────────────────────────────────
    Bug(
        "what a later pull brought counts as what a saved plan knew",
        DECIDING,
        "        as_seen = name not in here or same(here[name], before[name])\n",
        "        as_seen = True\n",
        "fakes",
    ),
    # ── What people decide by hand ──────────────────────────────────────────────────────────────────────
    Bug(
        "what a person told apart is linked again",
        LINKING,
        "| decided | as_apart(workspace, ref, others), [ref])",
        "| decided, [ref])",
        "by_hand",
    ),
    Bug(
        "what a deal agreed on with others counts where it is joined",
        LINKING,
        "as_together(workspace, together), comers)",
        "as_together(workspace, together))",
        "by_hand",
    ),
    Bug(
        "an edit gets to nobody any more once its deal is split off",
        LINKING,
        "        decided = still_decided(workspace, link, after, others)\n",
        "        decided = {}\n",
        "by_hand",
    ),
    Bug(
        "what a person decided on is not remembered",
        RESOLVING,
        "        bases[decided_ref(item.link)][item.name] = decision.value\n",
        "",
        "by_hand_on_sandboxes",
    ),
    Bug(
        "nobody looks again at what a person decided on",
        RESOLVING,
        "    put_back(workspace, [ref for refs in links.values() for ref in refs])  # first",
        "    # first",
        "by_hand_on_sandboxes",
    ),
    Bug(
        "nobody looks again at deals that a person joined",
        LINKING,
        "        put_back(workspace, together)  # first, as whoever is killed in between would not know of it later\n",
        "",
        "by_hand_on_sandboxes",
    ),
    # ── What findings ask for ───────────────────────────────────────────────────────────────────────────
    Bug(
        "what fell due is forgotten by a run that is killed",
        "crmbridge.services.enforce.awaiting",
        "        workspace.store.backlog.touch(due)\n",
        "        pass\n",
        "acting",
    ),
    Bug(
        "a finding that comes back gets no other task",
        TASKS,
        "    return change_id(Action.TASK, finding.deal.connection, finding.id, *again)\n",
        "    return change_id(Action.TASK, finding.deal.connection, finding.id)\n",
        "acting",
    ),
    Bug(
        "the task of what is over is not ticked off",
        TASKS,
        "            if opening != now_at and made is not None",
        "            if opening < known.life.openings and made is not None",
        "acting",
    ),
    Bug(
        "a step that falls due does nothing",
        ACTIONS,
        "    steps = dict(latest_due(",
        "    steps = {} and dict(latest_due(",
        "acting",
    ),
    Bug(
        "a field is set again as often as somebody writes over it",
        ACTIONS,
        "        id=at.name(Action.UPDATE, name, show(after)),\n",
        "        id=at.name(Action.UPDATE, name, show(after), show(before)),\n",
        "acting",
    ),
    Bug(
        "a webhook that comes again is noted again",
        HINTING,
        "    if not names:\n",
        "    if names:\n",
        "acting",
    ),
    Bug(
        "what a webhook hinted at is read and not kept",
        HINTING,
        "        workspace.store.records.put(list(records.values()))\n",
        "",
        "acting",
    ),
    Bug(
        "what somebody enters is written over by what a finding sets",
        "crmbridge.services.apply.staleness",
        "        if edit.name != STAGE and not same(now, edit.before):\n",
        "        if edit.name != STAGE and not change.finding and not same(now, edit.before):\n",
        "acting",
    ),
    Bug(
        "a notice that may have arrived is sent again",
        "crmbridge.services.apply.notices",
        '        outcome, message = Outcome.APPLIED, f"told {name}, and it may',
        '        outcome, message = Outcome.FAILED, f"told {name}, and it may',
        "acting",
    ),
)
