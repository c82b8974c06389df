"""Guard rails: a process's exit rules, written as a CRM's own enforcement as far as it has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.ports.crm import Description, FieldBinding


class GuardRequest(Struct, frozen=True, kw_only=True):
    """What an export starts from. `account` is None when the account was not asked."""

    connection: str
    process: Process
    stages: Mapping[str, tuple[str, ...]]  # stage of the process, won, lost -> the CRM's own stages, in their order
    pipeline: str
    fields: tuple[FieldBinding, ...]
    language: str = "en"
    account: Description | None = None

    def rules(self) -> Iterator[tuple[Stage, ExitRule]]:
        """Give the exit rules, each with its stage."""
        return ((stage, rule) for stage in self.process.stages for rule in stage.exit)

    def native(self, name: str) -> str | None:
        """Give the CRM's own name of a field, where it is bound."""
        return next((bound.native for bound in self.fields if bound.name == name), None)


class LeftOut(Struct, frozen=True, kw_only=True):
    """A rule, or a part of one, that the CRM can't hold by itself; crmbridge goes on checking it."""

    rule: str  # stage.rule
    why: str


class Guards(Struct, frozen=True, kw_only=True):
    """The export: files to load into the CRM, what an admin does with them, and what could not be said."""

    files: Mapping[str, str] = field(default_factory=dict)  # relative path -> content
    steps: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()  # stage.rule of every rule that the files or steps hold in full
    left_out: tuple[LeftOut, ...] = ()


def rule_name(stage: Stage, rule: ExitRule) -> str:
    """Name a rule as findings and bindings do."""
    return f"{stage.id}.{rule.id}"
