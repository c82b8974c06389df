"""The checks that exit rules are made of, one model each."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from crmbridge.model.parts import FieldName, Id, Part


class Required(Part):
    """Every named field is filled in."""

    required: Annotated[tuple[FieldName, ...], Field(min_length=1)]


class AtLeast(Part):
    """At least this many of the named fields are filled in (a yes/no field must say yes)."""

    at_least: Annotated[int, Field(ge=1)]
    of: Annotated[tuple[FieldName, ...], Field(min_length=1)]


class ActivityCount(Part):
    """How many activities a deal must have."""

    at_least: Annotated[int, Field(ge=1)] = 1
    state: Literal["any", "done", "open"] = "any"


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
    """When `field` is above `over`, `by` must name who approved."""

    field: FieldName
    over: Decimal
    by: FieldName


class Approval(Part):
    """A value above a threshold carries the name of who approved it."""

    approval: ApprovalRule


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
    | Annotated[Expr, Tag("check:expr")],
    Discriminator(
        _which_check,
        custom_error_type="unknown_check",
        custom_error_message="a check is one of: " + ", ".join(CHECKS),
    ),
]
