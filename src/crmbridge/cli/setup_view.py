"""Show what an account lacks and what became of it: for `crmbridge connections setup`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Tinted, Tone, cut, dim, strong

if TYPE_CHECKING:
    from crmbridge.services.accounts.setup import Manual, Setup

WIDE = 300  # columns of what a CRM says


def setup_lines(setup: Setup, plan: Sequence[Line]) -> Iterator[Line]:
    """Show a set-up before it is applied; `plan` is its plan, shown as any is."""
    if setup.plan.changes or setup.plan.blocked:
        yield from plan
    elif not setup.manual:
        yield [strong(setup.connection), f": {setup.account} has every field that the process needs."]
    yield from manual_lines(setup.manual)
    if not setup.plan.changes:
        yield from binding_lines(setup.connection, setup.bindings)


def manual_lines(manual: Sequence[Manual]) -> Iterator[Line]:
    """Show what an admin has to do by hand, step by step."""
    for one in manual:
        yield ["  ", Tinted("!", Tone.BAD), " by hand ", strong(f'"{one.wish.label}"'), dim(f"  {cut(one.why, WIDE)}")]
        for number, step in enumerate(one.steps, start=1):
            yield f"      {number}. {step}"
        if one.wish.why:
            yield ["      ", dim(f"because it {one.wish.why}")]
        yield ""


def binding_lines(connection: str, bindings: Mapping[str, str]) -> Iterator[Line]:
    """Show what to write into the settings, ready to be copied."""
    if not bindings:
        return
    yield "Write this into the settings, so that the process uses these fields:"
    yield ""
    yield "connections:"
    yield f"  {connection}:"
    yield "    fields:"
    for name, native in sorted(bindings.items()):
        yield f"      {name}: {_scalar(native)}"


def _scalar(text: str) -> str:
    """Write text as YAML that reads back as text."""
    plain = text.replace("_", "a").isalnum() and not text[0].isdigit()
    return text if plain and text.lower() not in _WORDS else "'" + text.replace("'", "''") + "'"


_WORDS = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


def manual_form(manual: Sequence[Manual]) -> list[dict[str, Any]]:
    """Give what has to be done by hand as plain JSON."""
    return [
        {
            "name": one.wish.name,
            "label": one.wish.label,
            "type": one.wish.type.value,
            "options": list(one.wish.options),
            "unique": one.wish.unique,
            "why": one.why,
            "steps": list(one.steps),
        }
        for one in manual
    ]
