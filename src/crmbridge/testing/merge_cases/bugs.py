"""Bugs planted in the merge on purpose, each a line that reads otherwise, to see that these histories catch them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from crmbridge.engine.sync import forms, merge
from crmbridge.testing.merge_cases import history
from crmbridge.testing.simulation.bugs import Bug
from crmbridge.testing.simulation.planting import planted

MERGE, SAMENESS, FORMS = "crmbridge.engine.sync.merge", "crmbridge.engine.sync.sameness", "crmbridge.engine.sync.forms"
DECIDING = "crmbridge.services.apply.deciding"

BUGS: tuple[Bug, ...] = (
    # ── Comparing ───────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "values are compared as they are written",
        SAMENESS,
        "    return bool(canonical(one) == canonical(other))\n",
        "    return False\n",
    ),
    Bug(
        "an amount is compared without its currency",
        SAMENESS,
        '("money", _number(value.amount), value.currency)',
        '("money", _number(value.amount))',
    ),
    Bug("case does not count", SAMENESS, '    return unicodedata.normalize("NFC", text)', "    return text.casefold()"),
    Bug(
        "a value that nobody touched counts as an edit",
        MERGE,
        "        return not same(side.now[name], side.base[name])\n",
        "        return True\n",
    ),
    Bug("numbers are cut", SAMENESS, "    number = Decimal(value)\n", "    number = Decimal(int(value))\n"),
    # ── What CRMs make of values ────────────────────────────────────────────────────────────────────────
    Bug(
        "what a CRM makes of a value is carried on",
        FORMS,
        "    return same(base, written) and not same(seen, written) and altered(written, seen)\n",
        "    return False\n",
    ),
    Bug(
        "whatever is seen after a write was made by the CRM",
        FORMS,
        "    return same(base, written) and not same(seen, written) and altered(written, seen)\n",
        "    return same(base, written) and not same(seen, written)\n",
    ),
    Bug(
        "the form of an earlier value stands for a later one",
        FORMS,
        " and same(now[field], value) and altered(base.get(field), now[field]):\n",
        " and same(now[field], value):\n",
    ),
    Bug(
        "a form is forgotten after one look",
        FORMS,
        "{_FORM + field: _marked(now[field])} if is_form else {}",
        "{}",
    ),
    Bug(
        "a form outlives an edit",
        FORMS,
        "elif name.startswith(_FORM) or _is_over(",
        "elif not name.startswith(_FORM) and _is_over(",
    ),
    Bug(
        "a later edit is taken for what the CRM made",
        FORMS,
        "            if fresh:\n",
        "            if False:\n",
    ),
    Bug(
        "a person is shown what a CRM does not hold",
        MERGE,
        "        values={side.ref.connection: _held(side, name) for side in sides},\n",
        "        values={side.ref.connection: side.now[name] for side in sides},\n",
    ),
    # ── Who wins ────────────────────────────────────────────────────────────────────────────────────────
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
        "who is not preferred wins",
        MERGE,
        "        return preferred[0] if preferred else None\n",
        "        return changed[0]\n",
    ),
    Bug(
        "who is preferred wins with an old value",
        MERGE,
        "    winner = _winner(name, changed, policy)\n",
        "    winner = _winner(name, sides if policy.preferred else changed, policy)\n",
    ),
    Bug(
        "the side that changed nothing is not shown",
        MERGE,
        "        values={side.ref.connection: _held(side, name) for side in sides},\n",
        "        values={side.ref.connection: _held(side, name) for side in changed},\n",
    ),
    # ── Joining ─────────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "an empty deal that joins empties the others",
        MERGE,
        "    return not is_empty(side.now[name]) and not (name in decided",
        "    return not (name in decided",
    ),
    Bug(
        "blank text says something",
        MERGE,
        "    return not is_empty(side.now[name]) and not (name in decided",
        "    return side.now[name] is not None and not (name in decided",
    ),
    Bug(
        "a deal that joins overrules what was agreed on",
        MERGE,
        "    if not changed or any(name in side.base for side in changed):\n",
        "    if True:\n",
    ),
    # ── Remembering ─────────────────────────────────────────────────────────────────────────────────────
    Bug(
        "what did not arrive is not written again",
        MERGE,
        "        _repeat(name, sides, draft)\n",
        "        pass\n",
    ),
    Bug(
        "what all hold is not noted",
        MERGE,
        "            draft.agreed.setdefault(side.ref, {})[name] = value\n\n\ndef _follow",
        "            pass\n\n\ndef _follow",
    ),
    Bug(
        "the side that an edit came from keeps its old base",
        DECIDING,
        "            for ref in (*holders, *(() if is_open else (decided_ref(link),))):\n",
        "            for ref in () if is_open else (decided_ref(link),):\n",
    ),
    Bug(
        "what was decided on is not kept",
        DECIDING,
        "            for ref in (*holders, *(() if is_open else (decided_ref(link),))):\n",
        "            for ref in holders:\n",
    ),
    # ── One way, only if empty, sets ────────────────────────────────────────────────────────────────────
    Bug("one way is both ways", MERGE, "    elif policy.source is not None:\n", "    elif False:\n"),
    Bug(
        "one way undoes what others changed",
        MERGE,
        "side for side in sides if name in side.base and same(side.now[name], side.base[name])",
        "side for side in sides if name in side.base",
    ),
    Bug(
        "only if empty writes over values",
        MERGE,
        "_spread(name, told[0].now[name], empty, draft,",
        "_spread(name, told[0].now[name], sides, draft,",
    ),
    Bug(
        "an empty field is filled though nobody changed anything",
        MERGE,
        "not is_empty(side.now[name]) and _changed(side, name, draft.decided)]",
        "not is_empty(side.now[name])]",
    ),
    Bug(
        "what a person emptied is filled at once",
        MERGE,
        "    return name not in side.base or (",
        "    return True or (",
    ),
    Bug(
        "what may differ is written over under another policy",
        MERGE,
        "    if draft.decided.get(name) != APART:\n",
        "    if False:\n",
    ),
    Bug(
        "of two sets one wins as a whole",
        MERGE,
        "    if all(is_empty(side.now[name]) or isinstance(side.now[name], tuple) for side in sides):\n",
        "    if False:\n",
    ),
    Bug("a removal beats an addition", MERGE, "((start - removed) | added)", "((start | added) - removed)"),
    Bug(
        "a removal is undone by an addition where it did not arrive",
        MERGE,
        "    start = frozenset[str]().union(*map(_set, agreed))\n",
        "    start = frozenset[str]().union(*map(_set, agreed), *(_set(side.base.get(name)) for side in changed))\n",
    ),
)


def hunt(bug: Bug, most: int, first: int = 1) -> int | None:
    """Play histories with a bug until one fails; gives how many that took, None when all went well."""
    with buggy(bug):
        for number, _ in enumerate(range(most), start=1):
            if next(history.failures([first + number - 1]), None) is not None:
                return number
    return None


@contextmanager
def buggy(bug: Bug) -> Iterator[None]:
    """Let the merge, but not what it is held against, have a bug."""
    wrong = ModuleType(bug.module)
    exec(compile(planted(bug), bug.module, "exec"), wrong.__dict__)  # noqa: S102  our own source, but for a line
    used = {
        MERGE: [(history, "merge")],
        SAMENESS: [(merge, "same"), (forms, "same"), (forms, "altered")],
        FORMS: [(forms, "read"), (forms, "sent")],
        DECIDING: [(history, "Decisions")],
    }[bug.module]
    right = [(module, name, getattr(module, name)) for module, name in used]
    try:
        for module, name in used:
            setattr(module, name, getattr(wrong, name))
        yield
    finally:
        for module, name, value in right:
            setattr(module, name, value)
