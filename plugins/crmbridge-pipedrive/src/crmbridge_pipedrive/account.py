"""What an adapter must know of an account before it can read its deals: its fields, stages and the key field."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.http import together
from crmbridge.model.records import Status
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import AdapterContext, FieldBinding, NativeStage, Pipeline
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.values import FieldDefinition

CODE = re.compile(r"[0-9a-f]{40}")
MEMORY = "account"  # where the set-up is kept between runs
GOOD_FOR = timedelta(hours=1)
FIELD_KEYS = (
    "field_code",
    "field_name",
    "field_type",
    "options",
    "is_custom_field",
    "is_optional_response_field",
)
PIPELINE_KEYS = ("id", "name", "order_nr", "is_deleted", "is_deal_probability_enabled")
STAGE_KEYS = ("id", "name", "order_nr", "is_deleted", "pipeline_id", "deal_probability")
MOST_KEYS = 15  # how many custom fields a list can be asked for by name; beyond that all of them come


class BoundField(Struct, frozen=True, kw_only=True):
    """A process field with the account's field that holds it."""

    binding: FieldBinding
    definition: FieldDefinition


class DealFields(Struct, frozen=True, kw_only=True):
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


class Setup(Struct, frozen=True, kw_only=True):
    """How an account was set up at a time. `kept` tells that it was read in an earlier run."""

    definitions: tuple[FieldDefinition, ...]
    pipelines: tuple[Pipeline, ...]
    pipeline_of: Mapping[str, str]
    kept: bool


class Account:
    """Knows an account's fields, pipelines and stages: read when first needed, and kept in memory for an hour.

    `place` names the account by where it is, so that what was kept of another one is not taken for it.
    """

    def __init__(self, api: Api, context: AdapterContext, place: str, key_field: str | None) -> None:
        self._api = api
        self._context = context
        self._place = place
        self._key_field = key_field
        self._lock = threading.RLock()
        self._setup: Setup | None = None
        self._fields: DealFields | None = None

    @property
    def deal_fields(self) -> DealFields:
        """Give the deal fields; raises ConfigurationError when a binding names none of them, or several."""
        with self._lock:
            if self._fields is None:
                try:
                    self._fields = self._bind(self._known())
                except ConfigurationError:
                    if not self.renew():
                        raise
                    self._fields = self._bind(self._known())
            return self._fields

    @property
    def bound_codes(self) -> dict[str, str]:
        """Give the codes of the bound fields that are there, each of which is one field."""
        codes: dict[str, str] = {}
        for binding in self._context.fields:
            with contextlib.suppress(ConfigurationError):
                connection = self._context.connection
                found = find_field(self.setup.definitions, binding.native, connection, what=binding.name)
                codes[binding.name] = found.code if found else ""
        return codes

    @property
    def key_name(self) -> str | None:
        """Give the name, or code, that the settings have for the key field."""
        return self._key_field

    @property
    def setup(self) -> Setup:
        """Give the fields, pipelines and stages, whether the bindings are right or not."""
        with self._lock:
            return self._known()

    def renew(self, *, anyway: bool = False) -> bool:
        """Read the account anew if what is known of it is from an earlier run, or in any case; tell whether it was."""
        with self._lock:
            if self._setup is not None and not self._setup.kept and not anyway:
                return False
            self._fields = None
            self._setup = self._read()
            return True

    def key_definition(self) -> FieldDefinition | None:
        """Give the key field, if the account has it; what was kept may be from before it was made."""
        found = self._key_of(self.setup)
        if found is None and self._key_field is not None and self.renew():
            found = self._key_of(self.setup)
        return found

    def _known(self) -> Setup:
        if self._setup is None:
            self._setup = self._remembered() or self._read()
        return self._setup

    def _read(self) -> Setup:
        calls = ("fields", "pipelines", "stages")
        fields, pipelines, stages = together([partial(_all, self._api, call) for call in calls])
        kept = {
            "at": iso(self._context.clock.now()),
            "place": self._place,
            "fields": [_trimmed(row, FIELD_KEYS) for row in fields],
            "pipelines": [_trimmed(row, PIPELINE_KEYS) for row in pipelines],
            "stages": [_trimmed(row, STAGE_KEYS) for row in stages],
        }
        self._context.memory[MEMORY] = json.dumps(kept, default=str)
        return _setup(kept, kept_before=False)

    def _remembered(self) -> Setup | None:
        """Give what an earlier run kept, unless it is old, of another account, or unreadable."""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            kept = json.loads(self._context.memory[MEMORY])
            age = self._context.clock.now() - parse_iso(kept["at"])
            if kept["place"] == self._place and timedelta(0) <= age <= GOOD_FOR:
                return _setup(kept, kept_before=True)
        return None

    def _bind(self, setup: Setup) -> DealFields:
        bound: dict[str, BoundField] = {}
        for binding in self._context.fields:
            what = f"field {binding.name}"
            found = find_field(setup.definitions, binding.native, self._context.connection, what=what)
            if found is not None:
                bound[binding.name] = BoundField(binding=binding, definition=found)
        channel = next((d for d in setup.definitions if d.code == "channel"), None)
        return DealFields(
            definitions=setup.definitions,
            bound=bound,
            key=self.key_definition(),
            channels=dict(channel.options) if channel else {},
        )

    def _key_of(self, setup: Setup) -> FieldDefinition | None:
        if self._key_field is None:
            return None
        connection = self._context.connection
        return find_field(setup.definitions, self._key_field, connection, what="key_field", must=False)


def _all(api: Api, call: str) -> list[Row]:
    return list(api.rows(call))


def _trimmed(row: Row, keys: Sequence[str]) -> Row:
    return {name: row.get(name) for name in keys}


def _setup(kept: Mapping[str, Any], *, kept_before: bool) -> Setup:
    stages = sorted(kept["stages"], key=_in_order)
    pipelines = tuple(
        _pipeline(row, [stage for stage in stages if stage.get("pipeline_id") == row.get("id")])
        for row in sorted(kept["pipelines"], key=_in_order)
        if not row.get("is_deleted")
    )
    return Setup(
        definitions=tuple(d for row in kept["fields"] if (d := definition_of(row)) is not None),
        pipelines=pipelines,
        pipeline_of={stage.id: pipeline.id for pipeline in pipelines for stage in pipeline.stages},
        kept=kept_before,
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
        made = f"`crmbridge connections setup {connection}` makes it; " if kind == "name" else ""
        raise ConfigurationError(
            f"{connection}: {what} names {name!r}, and no deal field has this {kind}",
            advice=f"{made}`crmbridge connections describe {connection}` lists those there are.",
        )
    return found[0] if found else None


def definition_of(row: Row) -> FieldDefinition | None:
    """Read a field as the account's lists have it; None where it is in no form that we know."""
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
