"""Check the settings that adapters, their webhooks and plugins' sinks have of their own, each by its own model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from crmbridge.engine.nearest import nearest
from crmbridge.files.diagnostics import Diagnostic
from crmbridge.files.masking import mask_value
from crmbridge.files.model_errors import explain_errors, leads_through
from crmbridge.files.source import Source
from crmbridge.files.yaml_nodes import Path as KeyPath
from crmbridge.model.replacing import replace
from crmbridge.settings import Secret, Settings
from crmbridge.sink_settings import NO_NOTICES, OWN_SINKS

Adapters = Mapping[str, type[BaseModel]]


def check_adapters(settings: Settings, source: Source, adapters: Adapters) -> Iterator[Diagnostic]:
    """Find adapters that are not installed, and settings that an adapter can't read."""
    installed = f"Installed: {', '.join(sorted(adapters))}." if adapters else "No adapter is installed."
    for name, connection in settings.connections.items():
        model = adapters.get(connection.adapter)
        if model is None:
            yield source.at(
                ("connections", name, "adapter"),
                "unknown-adapter",
                f"there is no adapter {connection.adapter!r} installed",
                nearest=nearest(connection.adapter, adapters),
                advice=installed,
            )
            continue
        try:
            model.model_validate(connection.options)
        except ValidationError as error:
            yield from _explain_options(source, model, error, ("connections", name))


def check_webhooks(settings: Settings, source: Source, webhooks: Adapters) -> Iterator[Diagnostic]:
    """Find webhooks of adapters that read none, and settings of webhooks that can't be read."""
    for name, connection in settings.connections.items():
        at = ("connections", name, "webhook")
        model = webhooks.get(connection.adapter)
        if connection.webhook is None:
            continue
        if model is None:
            yield source.at(at, "unknown-key", f"the adapter {connection.adapter!r} reads no webhooks", key=True)
            continue
        try:
            model.model_validate(connection.webhook)
        except ValidationError as error:
            yield from _explain_options(source, model, error, at)


def check_sinks(settings: Settings, source: Source, plugins: Adapters) -> Iterator[Diagnostic]:
    """Find sinks that nobody has, and plugins' sinks whose settings can't be read; crmbridge's own are read before."""
    for at, name, value in _sinks_named(settings):
        if name in OWN_SINKS:
            continue
        if name not in plugins:
            # A notice goes to people: no figures, no note in a CRM.
            known = sorted({*OWN_SINKS, *plugins} - (NO_NOTICES if at[0] == "notices" else set()))
            sentence, guess = f"there is no sink {name!r}", nearest(name, known)
            advice = f"There are: {', '.join(known)}."
            yield source.at((*at, name), "unknown-sink", sentence, key=True, nearest=guess, advice=advice)
            continue
        try:
            plugins[name].model_validate(value)
        except ValidationError as error:
            yield from _explain_options(source, plugins[name], error, (*at, name))


def _sinks_named(settings: Settings) -> Iterator[tuple[KeyPath, str, Any]]:
    """Give each sink of reports and notices with its place; an entry that isn't one sink is found elsewhere."""
    entries: list[tuple[KeyPath, dict[str, Any]]] = [(("notices", name), one) for name, one in settings.notices.items()]
    for i, report in enumerate(settings.reports):
        entries += [(("reports", i, "sinks", j), one) for j, one in enumerate(report.sinks)]
    yield from ((at, *next(iter(entry.items()))) for at, entry in entries if len(entry) == 1)


def _explain_options(
    source: Source, model: type[BaseModel], error: ValidationError, at: KeyPath
) -> Iterator[Diagnostic]:
    """Say what is wrong with an adapter's settings without repeating what may be a secret in the wrong form or key."""
    errors = error.errors(include_url=False)
    secret = [one for one in errors if leads_through(Secret, model, one["loc"])]
    others = [one for one in errors if one not in secret]
    for diagnostic in explain_errors(source, model, others, at):
        hide = diagnostic.code == "unknown-key"
        yield _masked_from(diagnostic, diagnostic.col + diagnostic.width) if hide else diagnostic
    for one in secret:
        if isinstance(one["input"], str):
            one["input"] = "*" * 8
    for diagnostic in explain_errors(source, model, secret, at):
        after = diagnostic.code in {"unknown-key", "missing-key"}
        yield _masked_from(diagnostic, diagnostic.col + diagnostic.width if after else diagnostic.col)


def _masked_from(diagnostic: Diagnostic, col: int) -> Diagnostic:
    return replace(diagnostic, source=mask_value(diagnostic.source, col))
