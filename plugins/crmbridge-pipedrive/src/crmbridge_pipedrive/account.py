"""What an adapter must know of an account before it can read its deals: its fields, stages and the key field."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Status
from crmbridge.ports import FieldBinding, NativeStage, Pipeline
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.values import FieldDefinition

CODE = re.compile(r"[0-9a-f]{40}")
MOST_KEYS = 15  # how many custom fields a list can be asked for by name; beyond that all of them come


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundField:
    """A process field with the account's field that holds it."""

    binding: FieldBinding
    definition: FieldDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class DealFields:
    """Which of the account's deal fields are read and written, and under which names."""

    definitions: tuple[FieldDefinition, ...]
    bound: Mapping[str, BoundField]  # by the process's name
    key: FieldDefinition | None
    channels: Mapping[str, str]  # marketing channel: option id -> label

    @property
    def custom_codes(self) -> tuple[str, ...]:
        """Give the codes of the custom fields that are needed, in a fixed order."""
        bound = {field.definition.code for field in self.bound.values() if field.definition.custom}
        return tuple(sorted(bound | ({self.key.code} if self.key else set())))

    @property
    def optional_codes(self) -> tuple[str, ...]:
        """Give the built-in fields that are needed and only sent when asked for."""
        return tuple(sorted({f.definition.code for f in self.bound.values() if f.definition.optional}))


class Account:
    """Reads an account's definitions when they are first needed, and keeps them as long as the adapter is open."""

    def __init__(self, api: Api, connection: str, key_field: str | None, bindings: Sequence[FieldBinding]) -> None:
        self._api = api
        self._connection = connection
        self._key_field = key_field
        self._bindings = bindings
        self._lock = threading.RLock()

    @property
    def deal_fields(self) -> DealFields:
        """Give the deal fields; raises ConfigurationError when a binding names none of them, or several."""
        with self._lock:
            return self._deal_fields

    @property
    def definitions(self) -> tuple[FieldDefinition, ...]:
        """Give all deal fields of the account, whether the bindings are right or not."""
        with self._lock:
            return self._definitions

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Give the pipelines with their stages, both in the order that people see."""
        with self._lock:
            return self._pipelines

    @property
    def pipeline_of(self) -> Mapping[str, str]:
        """Tell each stage's pipeline."""
        return {stage.id: pipeline.id for pipeline in self.pipelines for stage in pipeline.stages}

    def key_definition(self) -> FieldDefinition | None:
        """Give the key field, if the account has it."""
        if self._key_field is None:
            return None
        return find_field(self.definitions, self._key_field, self._connection, what="key_field", must=False)

    @cached_property
    def _definitions(self) -> tuple[FieldDefinition, ...]:
        return tuple(d for row in self._api.rows("dealFields") if (d := _definition(row)) is not None)

    @cached_property
    def _deal_fields(self) -> DealFields:
        bound: dict[str, BoundField] = {}
        for binding in self._bindings:
            found = find_field(self._definitions, binding.native, self._connection, what=f"field {binding.name}")
            if found is not None:
                bound[binding.name] = BoundField(binding=binding, definition=found)
        channel = next((d for d in self._definitions if d.code == "channel"), None)
        return DealFields(
            definitions=self._definitions,
            bound=bound,
            key=self.key_definition(),
            channels=dict(channel.options) if channel else {},
        )

    @cached_property
    def _pipelines(self) -> tuple[Pipeline, ...]:
        stages = sorted(self._api.rows("stages"), key=_in_order)
        return tuple(
            _pipeline(row, [stage for stage in stages if stage.get("pipeline_id") == row.get("id")])
            for row in sorted(self._api.rows("pipelines"), key=_in_order)
            if not row.get("is_deleted")
        )


def find_field(
    definitions: Iterable[FieldDefinition], name: str, connection: str, *, what: str, must: bool = True
) -> FieldDefinition | None:
    """Find a field by its code, else by its label; raises ConfigurationError when it is not one field.

    Labels are not unique in Pipedrive. Without `must`, a field that is missing is None.
    """
    known = list(definitions)
    by_code = [d for d in known if d.code == name]
    wanted = name.strip().casefold()
    found = by_code or [d for d in known if d.label == name] or [d for d in known if d.label.casefold() == wanted]
    if len(found) > 1:
        codes = ", ".join(d.code for d in found)
        raise ConfigurationError(
            f"{connection}: {what} names {name!r}, and {len(found)} deal fields are called that",
            advice=f"Write the code of the one you mean: {codes}.",
        )
    if not found and must:
        kind = "code" if CODE.fullmatch(name) else "name"
        raise ConfigurationError(
            f"{connection}: {what} names {name!r}, and no deal field has this {kind}",
            advice="Create the field in Pipedrive, or look its name up among the deal fields there.",
        )
    return found[0] if found else None


def _definition(row: Row) -> FieldDefinition | None:
    code, kind = row.get("field_code"), row.get("field_type")
    if not isinstance(code, str) or not isinstance(kind, str):
        return None
    return FieldDefinition(
        code=code,
        label=str(row.get("field_name") or code),
        native_type=kind,
        options=tuple(_option(option) for option in _list(row.get("options")) if isinstance(option, dict)),
        custom=row.get("is_custom_field") is True,
        optional=row.get("is_optional_response_field") is True,
    )


def _option(row: Row) -> tuple[str, str]:
    # Built-in fields have ids that are words, custom ones have numbers.
    return str(row.get("id")), str(row.get("label"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _in_order(row: Row) -> tuple[int, int]:
    """Sort by the order number; it starts at 0 or 1, and ids break ties."""
    order, number = row.get("order_nr"), row.get("id")
    return (order if isinstance(order, int) else 0, number if isinstance(number, int) else 0)


def _pipeline(row: Row, stages: Sequence[Row]) -> Pipeline:
    counts = row.get("is_deal_probability_enabled") is True
    return Pipeline(
        id=str(row.get("id")),
        label=str(row.get("name")),
        stages=tuple(
            NativeStage(
                id=str(stage.get("id")),
                label=str(stage.get("name")),
                status=Status.OPEN,  # won and lost are a deal's status, beside its stage
                probability=_share(stage.get("deal_probability")) if counts else None,
            )
            for stage in stages
            if not stage.get("is_deleted")
        ),
    )


def _share(percent: Any) -> float | None:
    return percent / 100 if isinstance(percent, int) and not isinstance(percent, bool) else None
