"""The checks that exit rules are made of, one model each."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from crmbridge.model.business_time import Duration, DurationField
from crmbridge.model.parts import FieldName, Id, Part

LONGEST_PATTERN = 200


class Required(Part):
    """Every named field is filled in."""

    required: Annotated[tuple[FieldName, ...], Field(min_length=1)]


def _no_unknown_group(value: Any) -> Any:
    """Refuse the name of criteria that the process does not have; the known ones were replaced by their fields."""
    if isinstance(value, str):
        raise ValueError(f"there are no criteria {value!r}; list fields here, or declare them under `criteria`")  # noqa: TRY004  a TypeError would not be the file's
    return value


class AtLeast(Part):
    """At least this many of the named fields are filled in (a yes/no field must say yes).

    In a file, `of` can name criteria that the process declares; their fields then stand here.
    """

    at_least: Annotated[int, Field(ge=1)]
    of: Annotated[
        tuple[FieldName, ...],
        Field(min_length=1),
        BeforeValidator(_no_unknown_group, json_schema_input_type=tuple[FieldName, ...] | Id),
    ]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[
    tuple[Annotated[str, Field(pattern=r"\S")], ...],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]


def _short_enough(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(len(one) > LONGEST_PATTERN for one in value):
        raise ValueError(f"a pattern may have {LONGEST_PATTERN} characters")
    return value


def _around_the_clock(value: Duration) -> Duration:
    if value.is_business:
        raise ValueError(f"{value} is business time; write days, hours or minutes around the clock, such as 30d")
    return value


class ActivityCount(Part):
    """How many activities a deal must have, and which ones count.

    `kind` is call, meeting, email, task, or a CRM's own word. `within` looks back for what is done, and ahead for
    what is open. `in_stage` counts those of the visit that is judged; `subject` those whose subject has these words.
    """

    at_least: Annotated[int, Field(ge=1)] = 1
    state: Literal["any", "done", "open"] = "any"
    kind: Words | None = None
    within: Annotated[DurationField, AfterValidator(_around_the_clock)] | None = None
    in_stage: bool = False
    subject: Annotated[str, Field(pattern=r"\S")] | None = None

    @property
    def counts_all(self) -> bool:
        """Tell whether every activity of the state counts, so that a count is enough to judge by."""
        return self.kind is None and self.within is None and self.subject is None and not self.in_stage


class Activities(Part):
    """The deal has enough activities."""

    activities: ActivityCount


class Outputs(Part):
    """Every named output of the stage exists."""

    outputs: Annotated[tuple[Id, ...], Field(min_length=1)]


class NumberBounds(Part):
    """The limits of a number or an amount, both included."""

    field: FieldName
    min: Decimal | None = None
    max: Decimal | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


class Bounds(Part):
    """A number or amount lies within limits."""

    bounds: NumberBounds


class DateBounds(Part):
    """The limits of a date, in days from today: 0 is today, both included."""

    field: FieldName
    from_days: int | None = None
    to_days: int | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.from_days is None and self.to_days is None:
            raise ValueError("give from_days, to_days or both")
        if self.from_days is not None and self.to_days is not None and self.from_days > self.to_days:
            raise ValueError("from_days is above to_days")
        return self


class Dates(Part):
    """A date lies within limits counted from today."""

    dates: DateBounds


class Choice(Part):
    """A field and the values it may have."""

    field: FieldName
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class OneOf(Part):
    """A field has one of the listed values."""

    one_of: Choice


class ApprovalRule(Part):
    """When `field` is above `over`, `by` must name who approved.

    `who` lists those who may: roles of the process, or e-mail addresses. `not_owner` says that nobody approves for a
    deal of their own.
    """

    field: FieldName
    over: Decimal
    by: FieldName
    who: Words | None = None
    not_owner: bool = False


class Approval(Part):
    """A value above a threshold carries the name of who approved it."""

    approval: ApprovalRule


Patterns = Annotated[Words, Field(max_length=20), AfterValidator(_short_enough)]


def _or_patterns(schema: dict[str, Any]) -> None:
    """Let the JSON Schema take a pattern alone, or several, for the whole rule."""
    mapping = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, mapping]


class FileRule(Part):
    """Which of a deal's files count, and how many there must be. A text, or a list, alone means `name`.

    `name` has patterns of whole names, in which `*` stands for anything and `?` for one character; one of them must
    fit. `kind` has extensions, such as pdf. `in_stage` counts what was added during the visit that is judged.
    """

    model_config = ConfigDict(json_schema_extra=_or_patterns)

    at_least: Annotated[int, Field(ge=1, le=1000)] = 1
    name: Patterns | None = None
    kind: Patterns | None = None
    in_stage: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_patterns(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str | list) else data


class AttachmentRule(Part):
    """What shows that a document is there: fields that hold a link to it, a note that speaks of it, files on the deal.

    All that is named must be there.
    """

    links: tuple[FieldName, ...] = ()
    note: Annotated[str, Field(pattern=r"\S")] | None = None
    files: FileRule | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.links and self.note is None and self.files is None:
            raise ValueError("give links, note or files")
        return self


class Attachments(Part):
    """The documents that a deal needs are there."""

    attachments: AttachmentRule


class CompanyRule(Part):
    """What must be filled in of the deal's company."""

    required: Annotated[tuple[FieldName, ...], Field(min_length=1)] = ("name",)


class Company(Part):
    """The deal has a company, and enough is known of it."""

    company: CompanyRule


class ContactRule(Part):
    """How many contacts a deal must have, and which ones count.

    `title` lists words, one of which must stand in the contact's job title; `required` what must be filled in of it.
    """

    at_least: Annotated[int, Field(ge=1)] = 1
    title: Words | None = None
    required: tuple[FieldName, ...] = ()


class Contacts(Part):
    """Enough of the people that it takes are linked to the deal."""

    contacts: ContactRule


def _or_text(schema: dict[str, Any]) -> None:
    """Let the JSON Schema take what the model takes."""
    mapping = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, mapping]


class Expr(Part):
    """What an expression says of the deal is true. Written as text alone, it is meant, too."""

    model_config = ConfigDict(json_schema_extra=_or_text)

    expr: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"expr": data} if isinstance(data, str) else data


CHECKS: dict[str, type[Part]] = {
    "required": Required,
    "at_least": AtLeast,
    "activities": Activities,
    "outputs": Outputs,
    "bounds": Bounds,
    "dates": Dates,
    "one_of": OneOf,
    "approval": Approval,
    "attachments": Attachments,
    "company": Company,
    "contacts": Contacts,
    "expr": Expr,
}


def _which_check(value: Any) -> str | None:
    """Tell the checks apart by the key that names them; the tag starts with `check:` so a path can drop it."""
    if isinstance(value, str):
        return "check:expr"
    keys = value.keys() if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((f"check:{name}" for name in CHECKS if name in keys), None)


Check = Annotated[
    Annotated[Required, Tag("check:required")]
    | Annotated[AtLeast, Tag("check:at_least")]
    | Annotated[Activities, Tag("check:activities")]
    | Annotated[Outputs, Tag("check:outputs")]
    | Annotated[Bounds, Tag("check:bounds")]
    | Annotated[Dates, Tag("check:dates")]
    | Annotated[OneOf, Tag("check:one_of")]
    | Annotated[Approval, Tag("check:approval")]
    | Annotated[Attachments, Tag("check:attachments")]
    | Annotated[Company, Tag("check:company")]
    | Annotated[Contacts, Tag("check:contacts")]
    | Annotated[Expr, Tag("check:expr")],
    Discriminator(
        _which_check,
        custom_error_type="unknown_check",
        custom_error_message="a check is one of: " + ", ".join(CHECKS),
    ),
]
