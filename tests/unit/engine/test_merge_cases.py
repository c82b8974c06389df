"""The merge under random cases, and bugs planted in it that these cases catch."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from crmbridge.testing import merge_cases
from crmbridge.testing.simulation.bugs import Bug
from crmbridge.testing.simulation.planting import planted

MERGE, FORMS, SAMENESS = "crmbridge.engine.merge", "crmbridge.engine.forms", "crmbridge.engine.sameness"
SOON = 3_000  # cases within which each bug is caught

BUGS = (
    Bug("the oldest wins", MERGE, "return max(changed", "return min(changed"),
    Bug("ask lets the first win", MERGE, 'policy.conflict == "newest"', 'policy.conflict in {"newest", "ask"}'),
    Bug("who is not preferred wins", MERGE, "preferred[0] if preferred else None", "changed[0]"),
    Bug(
        "what was lost is not sent again",
        MERGE,
        "draft.decided[name], sides, draft, why",
        "sides[0].now[name], [], draft, why",
    ),
    Bug("a removal beats an addition", MERGE, "(start - removed) | added", "(start | added) - removed"),
    Bug("sets are not merged", MERGE, "_members(name, changed, draft.decided)", "changed[0].now[name]"),
    Bug("filling writes over", MERGE, "for side in sides if is_empty(side.now[name])]", "for side in sides]"),
    Bug(
        "filling asks for no change",
        MERGE,
        "is_empty(side.now[name]) and _changed(side, name, draft.decided)",
        "side.now[name]",
    ),
    Bug("one way undoes others", MERGE, "if name in side.base and same(side.now[name], side.base[name])", ""),
    Bug(
        "agreeing is forgotten",
        MERGE,
        "            draft.agreed.setdefault(side.ref, {})[name] = value",
        "            pass",
    ),
    Bug(
        "blank text speaks",
        MERGE,
        "return not is_empty(side.now[name]) and not (",
        "return side.now[name] is not None and not (",
    ),
    Bug("a newcomer overrules", MERGE, "if not changed or any(name in side.base for side in changed)", "if changed"),
    Bug("a form is forgotten", FORMS, "news[_FORM + field] = now[field]", "pass"),
    Bug("an old form stays", FORMS, "**marks, **forgotten,", "**marks,"),
    Bug("all is a form", FORMS, " and altered(written, seen)", ""),
    Bug("a form outlives an edit", FORMS, "            else:\n                news[name] = None\n", ""),
    Bug("case does not count", SAMENESS, '"\\n").strip()', '"\\n").strip().casefold()'),
    Bug("numbers are cut", SAMENESS, "    number = Decimal(value)\n", "    number = Decimal(int(value))\n"),
)


def load(name: str, bug: Bug, patch: pytest.MonkeyPatch) -> ModuleType:
    """Load a copy of a module, with the bug in it if it is the bug's."""
    module = ModuleType(f"{name}_planted")
    patch.setitem(sys.modules, module.__name__, module)  # dataclasses look there
    source = planted(bug if bug.module == name else Bug("", name, "from __future__", "from __future__"))
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102  our own source
    return module


def plant(bug: Bug, patch: pytest.MonkeyPatch) -> None:
    """Let the cases be played with copies of the modules that have the bug."""
    sameness, forms, merge = (load(name, bug, patch) for name in (SAMENESS, FORMS, MERGE))
    for module in (forms, merge):
        module.__dict__["same"] = sameness.same
    patch.setattr(merge_cases, "merge", merge.merge)
    patch.setattr(merge_cases, "read", forms.read)
    patch.setattr(merge_cases, "sent", forms.sent)


def test_the_merge_keeps_its_promises() -> None:
    """Under every policy and direction, with lossy CRMs, late sides, sets, and writes that go wrong."""
    assert [] == merge_cases.failures(1, 20_000)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some promise breaks within a stated number of cases."""
    plant(bug, monkeypatch)
    caught = next((seed for seed in range(1, SOON + 1) if merge_cases.failures(seed, 1)), None)

    assert caught is not None, f"it survived {SOON} cases"


def test_a_copy_without_a_bug_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is caught comes from the bug, not from being a copy."""
    plant(Bug("none", MERGE, "ONLY_IF_EMPTY = ", "ONLY_IF_EMPTY  = "), monkeypatch)

    assert [] == merge_cases.failures(1, 500)


def test_a_case_can_be_told_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    """`replay SEED` prints what people do and what the merge says of it."""
    assert 0 == merge_cases.main(["replay", "1"])
    told = capsys.readouterr().out

    assert told.startswith("seed 1: ")
    assert "merged: edits" in told
