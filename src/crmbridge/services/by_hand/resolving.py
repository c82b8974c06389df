"""Resolving: decide what waits for a person. No CRM is written to; the next plan carries the decision out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from crmbridge.engine.acting.actions import typed
from crmbridge.engine.mapping import LOST, WON
from crmbridge.engine.sync.forms import missed, read
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import OWNER, STAGE, Viewer
from crmbridge.errors import ConfigurationError, PlanStaleError
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.codec import ref_from_json, ref_to_json
from crmbridge.model.records import STANDARD_FIELDS, Kind, Record, Ref
from crmbridge.model.values import FieldType, Money, Value, from_json, show, to_json
from crmbridge.ports import Run, Waiting
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.links.native_ids import ASSOCIATED
from crmbridge.services.runs.cycle import finish, writing
from crmbridge.services.workspace import Workspace

MOST_SHOWN = 10  # items named when a text fits several
LOOK_AGAIN = "Run `crmbridge plan`, then look at `crmbridge conflicts list` again."
ADVICE: Mapping[Cause, str] = {
    Cause.LINK: "Say which belong together: `crmbridge links join`; or that two do not: `crmbridge links split`.",
    Cause.COUNTERPART: "Map the value in the settings, or change it in its CRM.",
    Cause.MOVE: "Move the deal in its CRM as the process allows, or allow the move in the process.",
    Cause.DELETE: "Delete or restore the record by hand, or change `delete:` in the sync entry.",
    Cause.CLEAR: "Fill the field where it was emptied, or raise `clear_cap` in the sync entry to let it be emptied.",
    Cause.REFUSED: "Change the value; or mend its CRM, such as a rule there, and then let the next run try it again: "
    "`crmbridge conflicts retry ID`. A deal that changes there is tried again by itself, and so are tasks and notes "
    "when the settings change.",
    Cause.VETO: "Do what the plugin asks for, or make the change by hand in the CRM; each run asks the plugin again.",
    Cause.APART: "Move the deal in one of the CRMs, and the others follow; or put `stages` in the settings back.",
    Cause.UNCLEAR: "Nothing: the next run reads back what became of it.",
    Cause.CHANGED: "Do by hand what you still want.",
}


def with_id(advice: str, item: Blocked) -> str:
    """Name what waits in the command that advice has, so that it can be typed as it stands."""
    return advice.replace("conflicts retry ID", f"conflicts retry {item.id}")


class Decision(Struct, frozen=True, kw_only=True):
    """What a person decided on: a value for what waits."""

    item: Blocked
    value: Value


def decision_form(decision: Decision) -> dict[str, Any]:
    """Write a decision as answers and the history have it."""
    item = decision.item
    return {
        "id": item.id,
        "link": item.link,
        "deal": ref_to_json(item.deal),
        "name": item.name,
        "value": to_json(decision.value),
    }


def decided_by(run: Run) -> tuple[Decision, ...]:
    """Read back what a run noted as decided, as far as it is needed to name it."""
    return tuple(
        Decision(
            item=Blocked(
                link=form["link"],
                deal=ref_from_json(form["deal"]),
                name=form["name"],
                reason="",
                values={"": from_json(form["value"])},
            ),
            value=from_json(form["value"]),
        )
        for form in run.summary.get("decided", ())
    )


def find_waiting(workspace: Workspace, text: str) -> Waiting:
    """Find what waits by the beginning of its id; raises ConfigurationError when that is nothing, or several."""
    every = workspace.store.waiting.all()
    found = [one for one in every if text and one.item.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.item.id for one in found[:MOST_SHOWN])
        raise ConfigurationError(f"{len(found):,} things that wait begin with {text!r}", advice=f"Give more: {ids}")
    raise ConfigurationError(f"Nothing waits under {text!r}", advice="`crmbridge conflicts list` lists what does.")


def conflicts(workspace: Workspace) -> tuple[Waiting, ...]:
    """Give what a decision on a value settles."""
    return tuple(one for one in workspace.store.waiting.all() if one.item.cause is Cause.CONFLICT)


def take(item: Blocked, connection: str) -> Decision:
    """Decide for the value of one side; raises ConfigurationError when that side has none."""
    _must_be_a_conflict(item)
    if connection not in item.values:
        sides = ", ".join(sorted(item.values)) or "none"
        raise ConfigurationError(f"{connection} holds no {item.name} here", advice=f"Take one of: {sides}.")
    return Decision(item=item, value=item.values[connection])


def give(workspace: Workspace, item: Blocked, text: str) -> Decision:
    """Decide for a value that somebody typed; raises ConfigurationError when it is none of the field's kind."""
    _must_be_a_conflict(item)
    return Decision(item=item, value=_read(workspace, item, text))


def resolve(workspace: Workspace, decisions: Sequence[Decision], *, by: str = "") -> str:
    """Note decisions as one run, with who decided where that is said, and give its id. The next plan carries them out.

    Raises PlanStaleError, noting nothing, when a record no longer holds what was shown, or stands in another link.
    """
    with writing(workspace, "conflicts") as run:
        _decide(workspace, decisions)
        said = {"decided": [decision_form(one) for one in decisions], "by": by.strip()}
        finish(workspace, run, "conflicts", 0, {"resolved": len(decisions), **said})
        return run


def _decide(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    store = workspace.store
    links = store.links.get({decision.item.link for decision in decisions})
    records = store.records.get([ref for refs in links.values() for ref in refs])
    viewers = make_viewers(workspace, records.values())
    before = store.links.bases([ref for refs in links.values() for ref in refs])
    bases: dict[Ref, dict[str, Value]] = defaultdict(dict)
    for decision in decisions:
        item = decision.item
        if not links.get(item.link):  # the decision would get to nobody
            raise PlanStaleError(
                f"The deals whose {item.name} was asked about are in another link since it was listed",
                advice=LOOK_AGAIN,
            )
        sides = [records[ref] for ref in links[item.link] if ref in records]
        held = _held(item, sides, viewers, before)
        for ref, value in held.items():
            bases[ref][item.name] = value
        for ref in links[item.link]:
            if ref not in held:  # what people do there meanwhile was not known to whoever decided
                bases[ref] |= missed(item.name, before.get(ref, {}))
        bases[decided_ref(item.link)][item.name] = decision.value
    put_back(workspace, [ref for refs in links.values() for ref in refs])  # first, as a kill may come in between
    store.links.save_bases(bases)
    _forget(workspace, [decision.item for decision in decisions])


def _held(
    item: Blocked,
    sides: Sequence[Record],
    viewers: Mapping[str, Viewer],
    bases: Mapping[Ref, Mapping[str, Value]],
) -> dict[Ref, Value]:
    """Give what each side stands for that was shown to whoever decides; it must be what was shown.

    A deal that came to the link since has its say in the next plan.
    """
    held: dict[Ref, Value] = {}
    for record in sides:
        viewer = viewers.get(record.ref.connection)
        view = viewer.view(record) if viewer else {}
        whole = read(view, bases.get(record.ref, {}), record.version).now
        if item.name not in view or record.ref.connection not in item.values:
            continue
        now, shown = whole[item.name], item.values[record.ref.connection]
        if not (same(now, shown) or same(view[item.name], shown)):
            raise PlanStaleError(
                f"{item.name} of {record.ref} changed since it was listed: it is now {show(now)}",
                advice=LOOK_AGAIN,
            )
        held[record.ref] = now
    return held


def put_back(workspace: Workspace, refs: Sequence[Ref]) -> None:
    """Let everybody look at these records again, whether or not they change."""
    workspace.store.backlog.touch(refs)


def _forget(workspace: Workspace, items: Sequence[Blocked]) -> None:
    """Let what was decided on wait no longer; what else waits under the same links stays."""
    decided = {item.id for item in items}
    links = {item.link for item in items}
    every = [one.item for one in workspace.store.waiting.all() if one.item.link in links]
    rest = [item for item in every if item.id not in decided]
    workspace.store.waiting.replace(links, rest, workspace.clock.now())


def _must_be_a_conflict(item: Blocked) -> None:
    if item.cause is not Cause.CONFLICT:
        raise ConfigurationError(
            f"{item.id} is settled in another way: {item.reason}", advice=with_id(ADVICE[item.cause], item)
        )


# ── Values that people type ─────────────────────────────────────────────────────────────────────────────


def _read(workspace: Workspace, item: Blocked, text: str) -> Value:
    """Read a typed value as the field's kind; empty text empties the field."""
    if item.name == STAGE:
        return _stage(workspace, text)
    if item.name in ASSOCIATED:
        raise ConfigurationError(f"A deal's {item.name} can't be typed", advice="Decide for one side with --take.")
    if not text.strip():
        return None
    if item.name == OWNER:
        return _owner(workspace, text)
    types = {**STANDARD_FIELDS[Kind.DEAL], **{f.id: f.type for f in workspace.project.process.fields}}
    kind = types.get(item.name, FieldType.TEXT)
    value = _money(item, text) if kind is FieldType.MONEY else typed(text, kind)
    if isinstance(value, str) and kind not in {FieldType.TEXT, FieldType.CHOICE, FieldType.USER}:
        raise ConfigurationError(f"{text!r} is no {kind} for {item.name}", advice=_EXAMPLES.get(kind, ""))
    return value


_EXAMPLES: Mapping[FieldType, str] = {
    FieldType.MONEY: "Write it as 12000 EUR.",
    FieldType.NUMBER: "Write it as 1.5.",
    FieldType.DATE: "Write it as 2026-06-10.",
    FieldType.DATETIME: "Write it as 2026-06-10T12:00Z.",
    FieldType.BOOL: "Write yes or no.",
}


def _money(item: Blocked, text: str) -> Value:
    """Read an amount with its currency; without one, that of the sides counts where they have the same."""
    amount, _, currency = text.strip().partition(" ")
    if currency.strip():
        number = typed(amount, FieldType.NUMBER)
        code = currency.strip().upper()
        return Money(number, code) if isinstance(number, Decimal) and len(code) == 3 else text
    known = {value.currency: value for value in item.values.values() if isinstance(value, Money)}
    return typed(text, FieldType.MONEY, next(iter(known.values()))) if len(known) == 1 else text


def _stage(workspace: Workspace, text: str) -> str:
    known = [stage.id for stage in workspace.project.process.stages] + [WON, LOST]
    if text.strip() in known:
        return text.strip()
    raise ConfigurationError(f"The process has no stage {text!r}", advice=f"Give one of: {', '.join(known)}.")


def _owner(workspace: Workspace, text: str) -> str:
    email = text.strip().casefold()
    if any(email in viewer.ids for viewer in make_viewers(workspace).values()):
        return email
    raise ConfigurationError(f"Nobody has the e-mail {text!r} in any connection", advice="Give a user's e-mail.")
