"""The plugins that are installed, behind one typed front; nothing else in crmbridge touches pluggy."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy
from msgspec import Struct

from crmbridge import hookspecs
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Change, Receipt
from crmbridge.ports import Adapter, AdapterContext, FieldWish, GuardRequest, Guards, Run, Sink, WebhookSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crmbridge.sandbox import Sandbox, SandboxOptions

GROUP = "crmbridge"
BLOCK_VARIABLE = "CRMBRIDGE_BLOCK_PLUGINS"  # comma-separated entry point names that must not be loaded

# `sys.exit()` in a plugin would end a run without a word. What ends crmbridge itself is none of these.
FAILURES = (Exception, SystemExit)
T = TypeVar("T")
Offer = TypeVar("Offer", "AdapterSpec", "SandboxSpec", "SinkSpec", "IndicatorSpec")

log = logging.getLogger(__name__)


def lazily(module: str, name: str) -> Callable[..., Any]:
    """Give a function or class whose module is imported when it is called: every command loads all plugins."""

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments)

    return call


class AdapterSpec(Struct, frozen=True, kw_only=True):
    """An adapter on offer. `settings` reads its part of a connection (a frozen pydantic model); `open` connects.

    The rest is for what a CRM may have. `steps` tells an admin how to make a field by hand, for CRMs whose API makes
    none (Action.FIELD is then not among the capabilities). `webhooks` reads deliveries. `guards` writes exit rules as
    the CRM's own enforcement; it is pure and sends nothing.
    """

    name: str
    summary: str
    settings: type[BaseModel]
    open: Callable[[Any, AdapterContext], Adapter]
    steps: Callable[[FieldWish], Sequence[str]] | None = None
    webhooks: WebhookSpec | None = None
    guards: Callable[[GuardRequest], Guards] | None = None


class SandboxSpec(Struct, frozen=True, kw_only=True):
    """A sandbox on offer. `stages` maps the stages of the bundled process to this sandbox's pipeline.

    `fields` maps the bundled process's fields to the sandbox account's own.
    """

    name: str
    summary: str
    build: Callable[[SandboxOptions], Sandbox]
    pipeline: str
    stages: Mapping[str, str]
    fields: Mapping[str, str]
    credential: str = "token"  # the connection setting that takes the sandbox's token
    example: str = ""  # arguments for curl that read something; {url} and {token} are filled in


class SinkSpec(Struct, frozen=True, kw_only=True):
    """A sink on offer. `settings` reads its entry in the settings file; `open` makes the sink."""

    name: str
    settings: type[BaseModel]
    open: Callable[[Any], Sink]


class IndicatorSpec(Struct, frozen=True, kw_only=True):
    """An indicator on offer: a name, a title and a definition for people, and one SELECT over the indicators' views.

    The SELECT gives `value`, or `numerator` and `denominator`; `n`, `label`, `stage`, `segment`, `period` may be too.
    """

    name: str
    title: str
    definition: str
    unit: Literal["share", "count", "d", "money"]
    sql: str


class Plugins:
    """What the loaded plugins offer, by name, and the observers among them."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager

    def adapters(self) -> dict[str, AdapterSpec]:
        """Give the adapters by name; two with one name are an error."""
        return self._offers("adapter", "crmbridge_adapters", AdapterSpec)

    def sandboxes(self) -> dict[str, SandboxSpec]:
        """Give the sandboxes by name."""
        return self._offers("sandbox", "crmbridge_sandboxes", SandboxSpec)

    def sinks(self) -> dict[str, SinkSpec]:
        """Give the plugins' sinks by name."""
        return self._offers("sink", "crmbridge_sinks", SinkSpec)

    def indicators(self) -> dict[str, IndicatorSpec]:
        """Give the plugins' indicators by name."""
        return self._offers("indicator", "crmbridge_indicators", IndicatorSpec)

    def vetoes(self, changes: Sequence[Change]) -> dict[str, str]:
        """Ask every plugin which changes must not be made, and why; raises ConfigurationError naming one that fails.

        A veto of what is no change of these is a failure: what it was meant for would be written.
        """
        known = {change.id for change in changes}
        answers = self._ask(
            "crmbridge_before_apply",
            lambda answer: _vetoes(answer, known),
            advice="Nothing was written. Mend it, or leave it out with",
            changes=changes,
        )
        return {change: reason for _, vetoed in answers for change, reason in vetoed}

    def applied(self, changes: Sequence[Change], receipts: Sequence[Receipt]) -> None:
        """Tell every observer what a batch did."""
        # As tuples: what one observer does with a list would come to the next one, and to the run.
        self._observe("crmbridge_after_apply", changes=tuple(changes), receipts=tuple(receipts))

    def finished(self, run: Run) -> None:
        """Tell every observer that a run ended."""
        self._observe("crmbridge_run_finished", run=run)

    def names(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Give each plugin's name with the hooks it implements."""
        return tuple(
            (name, tuple(sorted(caller.name for caller in self._manager.get_hookcallers(plugin) or ())))
            for name, plugin in sorted(self._manager.list_name_plugin())
            if plugin is not None
        )

    def _offers(self, what: str, hook: str, kind: type[Offer]) -> dict[str, Offer]:
        """Ask every plugin what it offers, by name; raises ConfigurationError naming the one that can't say it."""
        found: dict[str, tuple[str, Offer]] = {}
        answers = self._ask(
            hook, lambda answer: _offered(answer, kind), advice="Mend or reinstall it, or leave it out with"
        )
        for plugin, (name, spec) in ((plugin, offer) for plugin, offers in answers for offer in offers):
            if name in found:
                raise ConfigurationError(
                    f"Two plugins offer the {what} {name!r}: {found[name][0]} and {plugin}",
                    advice=f"Leave one out with {BLOCK_VARIABLE}.",
                )
            found[name] = plugin, spec
        return {name: spec for name, (_, spec) in sorted(found.items())}

    def _ask(self, hook: str, read: Callable[[Any], T], *, advice: str, **arguments: Any) -> Iterator[tuple[str, T]]:
        """Give each plugin's name with what is read of its answer; raises ConfigurationError naming one that fails."""
        for name, call in self._one_by_one(hook):
            try:
                answers = [read(answer) for answer in call(**arguments)]
            except FAILURES as error:
                raise ConfigurationError(
                    f"The plugin {name!r} failed in {hook}: {type(error).__name__}: {error}",
                    advice=f"{advice} {BLOCK_VARIABLE}={name}.",
                ) from error
            yield from ((name, answer) for answer in answers)

    def _observe(self, hook: str, **arguments: Any) -> None:
        # One call per plugin: pluggy stops at the first error, and an observer may only cost itself.
        for name, call in self._one_by_one(hook):
            try:
                call(**arguments)
            except FAILURES:
                log.exception("plugin %s failed in %s; the run goes on without it", name, hook)

    def _one_by_one(self, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Give each plugin's name, and what calls this hook of it alone."""
        every = [(name, plugin) for name, plugin in self._manager.list_name_plugin() if plugin is not None]
        for name, plugin in every:
            others = [other for _, other in every if other is not plugin]
            yield name, self._manager.subset_hook_caller(hook, remove_plugins=others)


def load_plugins(extra: Mapping[str, object] | None = None, *, installed: bool = True) -> Plugins:
    """Load every installed plugin, and `extra` ones by name; raises ConfigurationError naming the one that is wrong.

    Plugins named in CRMBRIDGE_BLOCK_PLUGINS are left out; with `installed` false, only the extra ones are loaded.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    blocked = {name.strip() for name in os.environ.get(BLOCK_VARIABLE, "").split(",") if name.strip()}
    points = importlib.metadata.entry_points(group=GROUP) if installed else ()
    wanted = sorted((point for point in points if point.name not in blocked), key=lambda point: point.name)
    for one, other in pairwise(wanted):
        if one.name == other.name:
            of = " and ".join(sorted(point.dist.name if point.dist else point.value for point in (one, other)))
            raise ConfigurationError(
                f"Two plugins are called {one.name!r}: of {of}",
                advice=f"Uninstall one of them. {BLOCK_VARIABLE}={one.name} would leave out both.",
            )
    for point in wanted:
        _register(manager, point.name, _load(point))
    for name, plugin in (extra or {}).items():
        _register(manager, name, plugin)
    return Plugins(manager)


def _load(point: importlib.metadata.EntryPoint) -> object:
    try:
        return point.load()
    except FAILURES as error:
        raise ConfigurationError(
            f"The plugin {point.name!r} ({point.value}) can't be loaded: {error}",
            advice=f"Reinstall it, or leave it out with {BLOCK_VARIABLE}={point.name}.",
        ) from error


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise ConfigurationError(
            f"The plugin {name!r} does not fit this crmbridge: {error}",
            advice="Install a version of the plugin made for this crmbridge.",
        ) from error


def _offered(answer: Iterable[Any], kind: type[Offer]) -> list[tuple[str, Offer]]:
    specs = list(answer)
    for spec in specs:
        if not isinstance(spec, kind):
            raise TypeError(f"it gives a {type(spec).__name__} and no {kind.__name__}")
    return [(spec.name, spec) for spec in specs]


def _vetoes(answer: Iterable[Any], known: Collection[str]) -> list[tuple[str, str]]:
    pairs = [(change, reason) for change, reason in answer]
    for change, reason in pairs:
        if not isinstance(change, str) or change not in known:
            raise ValueError(f"it vetoes {change!r:.80}, which is the id of no change that it was asked about")
        if not isinstance(reason, str):
            raise TypeError(f"it gives {reason!r:.80} as the reason of a veto, which is no text")
    return pairs
