"""Which fields a check looks at, and what it needs them to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from pydantic import BaseModel

from crmbridge.engine.issues import Issue, Path, issue, unknown
from crmbridge.engine.nearest import nearest
from crmbridge.model import checks
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType

_NUMBERS = (FieldType.NUMBER, FieldType.MONEY)
_DAYS = (FieldType.DATE, FieldType.DATETIME)
_WORDS = (FieldType.TEXT, FieldType.CHOICE, FieldType.CHOICES, FieldType.USER)
_LINKS = (FieldType.TEXT, FieldType.CHOICE, FieldType.CHOICES)
_PEOPLE = (FieldType.TEXT, FieldType.CHOICE, FieldType.USER)


class Operand(Struct, frozen=True):
    """A field that a check looks at. `types` are those it can have (any when empty); `values` are compared with it."""

    path: Path
    name: str
    types: tuple[FieldType, ...] = ()
    values: tuple[str, ...] = ()

    def misfits(self, found: FieldType | None) -> Iterator[Issue]:
        """Report a type that the check can't work with."""
        if found is not None and self.types and found not in self.types:
            wanted = " or ".join(self.types)
            sentence = f"this check needs a {wanted} field, and {self.name!r} is a {found} field"
            yield issue(self.path, "wrong-field-type", sentence)

    def strays(self, options: tuple[str, ...]) -> Iterator[Issue]:
        """Report values that the field can never have."""
        for i, value in enumerate(self.values):
            if options and value not in options:
                sentence = f"{self.name!r} has no option {value!r}"
                guess = nearest(value, options)
                yield issue((*self.path[:-1], "values", i), "unknown-option", sentence, nearest=guess)


def deal_fields(process: Process) -> dict[str, FieldType]:
    """Give every field a rule can name, with its type: the standard ones and the process's own."""
    return {**{field.id: field.type for field in process.fields}, **STANDARD_FIELDS[Kind.DEAL]}


def segments(process: Process, teams: Collection[str] = ()) -> tuple[str, ...]:
    """Name everything that a report can group deals by; by team where there are teams, or deals have such a field."""
    return tuple(dict.fromkeys(("owner", *(["team"] if teams else ()), "connection", *deal_fields(process))))


def deal_options(process: Process) -> dict[str, tuple[str, ...]]:
    """Give the values that fields can have, for those of which that is known."""
    return {field.id: field.options for field in process.fields if field.options}


def check_operands(
    path: Path, check: BaseModel, fields: Mapping[str, FieldType], options: Mapping[str, tuple[str, ...]]
) -> Iterator[Issue]:
    """Find fields of a check that don't exist or have a type that doesn't fit, and values that are no option."""
    if isinstance(check, checks.Expr):
        yield from check_expr(path, check, fields, options)
        return
    for operand in operands(path, check):
        yield from unknown("field", [(operand.path, operand.name)], fields)
        yield from operand.misfits(fields.get(operand.name))
        yield from operand.strays(options.get(operand.name, ()))


def check_expr(
    path: Path, expr: checks.Expr, fields: Mapping[str, FieldType], options: Mapping[str, tuple[str, ...]]
) -> Iterator[Issue]:
    """Find what is wrong with an expression, each at its place in the text."""
    from crmbridge.engine.expr.checking import checked  # noqa: PLC0415  the language, where a rule speaks it
    from crmbridge.engine.expr.excluding import excluding  # noqa: PLC0415  the same
    from crmbridge.engine.expr.terms import Joined  # noqa: PLC0415  the same

    term, faults = checked(expr.expr, fields, options)
    for fault in faults:
        yield issue(
            (*path, "expr"),
            fault.code,
            fault.sentence,
            nearest=fault.nearest,
            advice=fault.advice,
            within=tuple(fault.span),
        )
    for one, other in excluding(term) if term is not None else ():
        first = " ".join(expr.expr[one.span.start : one.span.end].split())
        end = "this part never holds" if isinstance(term, Joined) and term.op == "||" else "no deal ever passes"
        sentence = f"this can't hold where {first} does, as it must here, so {end}"
        yield issue((*path, "expr"), "never-holds", sentence, within=tuple(other.span))


def operands(path: Path, check: BaseModel) -> tuple[Operand, ...]:
    """List the fields that a check looks at, each with its place in the file."""
    match check:
        case checks.Expr():
            found = tuple(Operand((*path, "expr"), name) for name in _named_in(check))
        case checks.Required():
            found = tuple(Operand((*path, "required", i), name) for i, name in enumerate(check.required))
        case checks.AtLeast():
            found = tuple(Operand((*path, "of", i), name) for i, name in enumerate(check.of))
        case checks.Bounds():
            found = (Operand((*path, "bounds", "field"), check.bounds.field, _NUMBERS),)
        case checks.Dates():
            found = (Operand((*path, "dates", "field"), check.dates.field, _DAYS),)
        case checks.OneOf():
            found = (Operand((*path, "one_of", "field"), check.one_of.field, _WORDS, check.one_of.values),)
        case checks.Approval():
            rule, at = check.approval, (*path, "approval")
            found = (Operand((*at, "field"), rule.field, _NUMBERS), Operand((*at, "by"), rule.by, _PEOPLE))
        case checks.Attachments():
            links = check.attachments.links
            found = tuple(Operand((*path, "attachments", "links", i), name, _LINKS) for i, name in enumerate(links))
        case _:
            found = ()
    return found


def _named_in(check: checks.Expr) -> tuple[str, ...]:
    from crmbridge.engine.expr.checking import names_in  # noqa: PLC0415  as above

    return names_in(check.expr)


def looked_at(rule: ExitRule, stage: Stage) -> frozenset[str]:
    """Name all fields of a deal that a rule of a stage looks at, counts of activities among them."""
    return frozenset(name for check in (rule.check, rule.when) if check is not None for name in _names(check, stage))


def has_history(rule: ExitRule) -> bool:
    """Tell whether what a rule looks at is known of earlier times: what companies and contacts were like is not."""
    return not any(isinstance(check, checks.Company | checks.Contacts) for check in (rule.check, rule.when))


def _names(check: BaseModel, stage: Stage) -> Iterator[str]:
    yield from (operand.name for operand in operands((), check))
    if isinstance(check, checks.Outputs):
        yield from (output.field for output in stage.outputs if output.field and output.id in check.outputs)
    elif isinstance(check, checks.Activities):
        state = check.activities.state
        yield "activities" if state == "any" else f"activities_{state}"
    elif isinstance(check, checks.Approval) and check.approval.not_owner:
        yield "owner"
