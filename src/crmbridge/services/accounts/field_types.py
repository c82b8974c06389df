"""Hold the types that the process declares against the ones that a CRM's fields really have, for `doctor`.

Rules are checked against what the process declares when its file is read, without a network. What an account has is
known only here.
"""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.engine.rules.rule_fields import looked_at
from crmbridge.model.process import Process, ProcessField
from crmbridge.model.values import FieldType
from crmbridge.ports import Description, NativeField
from crmbridge.services.accounts.health import Check, weak
from crmbridge.services.workspace import Workspace

# What is read of each other as a rule. What is declared as text or a choice can be read of any field.
_ALIKE = (
    frozenset({FieldType.NUMBER, FieldType.MONEY}),
    frozenset({FieldType.DATE, FieldType.DATETIME}),
    frozenset({FieldType.BOOL}),
)
_MOST_NAMED = 5


def check_types(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    """Say which fields are of another type there than rules take them for, and which values they can't have there."""
    process = workspace.project.process
    bound = workspace.project.settings.connections[connection].fields
    fields = description.fields
    there = {**{native.label: native for native in fields}, **{native.name: native for native in fields}}
    for declared in process.fields:
        native = there.get(bound.get(declared.id, ""))
        if native is not None:
            yield from _type(connection, declared, native, process)
            yield from _options(connection, declared, native, process)


def _type(connection: str, declared: ProcessField, native: NativeField, process: Process) -> Iterator[Check]:
    alike = next((types for types in _ALIKE if declared.type in types), None)
    if alike is None or native.type in alike:
        return
    held = f"a {native.type} field" if native.type else "of a type that crmbridge does not read"
    message = f"{declared.id} is a {declared.type} in the process, and {native.label} is {held} here"
    yield weak(connection, message, f"Values that can't be read so leave rules undecided{_asked(declared, process)}.")


def _options(connection: str, declared: ProcessField, native: NativeField, process: Process) -> Iterator[Check]:
    known = {*native.options, *native.option_labels.values()}
    strange = [option for option in declared.options if option not in known] if known else []
    if strange:
        listed = ", ".join(strange[:_MOST_NAMED]) + (", …" if len(strange) > _MOST_NAMED else "")
        message = f"{native.label} has no option {listed} here, which {declared.id} has in the process"
        yield weak(
            connection, message, f"No deal can hold it{_asked(declared, process)}. Add it there, or take it out."
        )


def _asked(declared: ProcessField, process: Process) -> str:
    """Name the rules that look at a field."""
    rules = [f"{s.id}.{rule.id}" for s in process.stages for rule in s.rules if declared.id in looked_at(rule, s)]
    more = ", …" if len(rules) > _MOST_NAMED else ""
    return f": {', '.join(rules[:_MOST_NAMED])}{more}" if rules else ""
