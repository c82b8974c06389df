"""What the AdapterSuite works with: an adapter that can be opened, its sandbox, and what should be found there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, cast

from msgspec import Struct, field

from crmbridge.model.records import Kind, Move, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import Adapter, AdapterContext, FieldBinding
from crmbridge.sandbox import WORLD_FIELDS, SandboxOptions, Served, VirtualClock, World, WorldDeal, make_world, serve
from crmbridge.testing.adapters.hands import HumanHands

CONNECTION = "bench"
CURRENCY = "EUR"  # what the world's amounts are in


class AdapterWorkbench(Struct, frozen=True, kw_only=True):
    """An adapter and its sandbox, ready for one test.

    `open` takes settings that stand in for the usual ones, such as `base_url`, and gives a new adapter of connection
    `bench`; `sign_in` one that signs in for sessions, where the CRM has a way of that beside the usual credential.
    `stages`, `fields` and `credential` are those of the plugin's SandboxSpec. `options` are what the sandbox
    was built with. `holds` gives a deal of the world as this CRM can hold it, where it has less room than the world:
    fewer stages, one contact. Of the world's deals the suite expects that, and nothing less.
    """

    served: Served
    open: Callable[..., Adapter]
    stages: Mapping[str, str]
    fields: Mapping[str, str]
    clock: VirtualClock
    options: SandboxOptions
    pipeline: str
    credential: str = "token"
    sign_in: Callable[[], Adapter] | None = None
    holds: Callable[[WorldDeal], WorldDeal] = lambda deal: deal

    @property
    def world(self) -> World:
        """The world that the sandbox was filled from."""
        return make_world(self.options.seed, self.options.deals, self.options.as_of)

    @property
    def deals(self) -> tuple[WorldDeal, ...]:
        """The deals that the sandbox should hold."""
        return tuple(self.holds(deal) for deal in self.world.part(self.options.part))

    @property
    def hands(self) -> HumanHands:
        """The sandbox's state, as far as the suite uses it."""
        return cast("HumanHands", self.served.sandbox.state)


class Exemption(NamedTuple):
    """A test of the suite that an adapter does not run, and why."""

    test: str
    reason: str


class SuiteConfig(Struct, frozen=True, kw_only=True):
    """How the suite treats one adapter. `exempt` is the only way around a test; every entry says why.

    `deals` is how many deals the usual sandbox has, `crowd` how many share one modification time in the test of
    page borders: more than fit in the adapter's largest page. `big` is how many the test of big first pulls has:
    more than fit on four pages. `slicing` are settings under which a pull of so many is read in slices, where the
    usual ones would not do it. `figure` is a number field that the sandbox's companies and users have, where the
    adapter keeps figures and makes no fields.
    """

    deals: int = 24
    crowd: int = 230
    big: int = 600
    slicing: Mapping[str, object] = field(default_factory=dict)
    figure: str = ""
    exempt: tuple[Exemption, ...] = ()

    def reason(self, test: str) -> str:
        """Say why a test is not run, or nothing."""
        return next((exemption.reason for exemption in self.exempt if exemption.test == test), "")


@contextlib.contextmanager
def plugin_workbench(plugin: ModuleType, options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
    """Serve the first sandbox that a plugin module offers, and open its first adapter on it.

    The sandbox's token is handed over in a file in `folder`, as the connection setting that the plugin names. What was
    opened is closed at the end.
    `options.clock` must be a VirtualClock.
    """
    adapter = cast("AdapterSpec", next(iter(plugin.crmbridge_adapters())))
    spec = cast("SandboxSpec", next(iter(plugin.crmbridge_sandboxes())))
    if not isinstance(options.clock, VirtualClock):
        raise TypeError("the suite needs a VirtualClock, so that no test waits")
    if missing := sorted(WORLD_FIELDS.keys() - spec.fields.keys()):
        raise ValueError(f"the SandboxSpec has no field for {', '.join(missing)}, which the world's deals have")
    # `world` is asked for later, when adapters have let time pass.
    filled = replace(options, now=options.as_of)
    with serve(spec.build(filled)) as served, contextlib.ExitStack() as opened:
        token = folder / "token"
        token.write_text(served.token, "utf-8")
        usual = {"base_url": served.url, "currency": CURRENCY, spec.credential: {"file": str(token)}}
        context = AdapterContext(connection=CONNECTION, clock=options.clock, fields=field_bindings(spec.fields))
        yield AdapterWorkbench(
            served=served,
            open=_opener(adapter, usual, context, opened),
            stages=spec.stages,
            fields=spec.fields,
            clock=options.clock,
            options=filled,
            pipeline=spec.pipeline,
            credential=spec.credential,
        )


def _opener(
    spec: AdapterSpec, usual: Mapping[str, object], context: AdapterContext, opened: contextlib.ExitStack
) -> Callable[..., Adapter]:
    def open_adapter(**settings: object) -> Adapter:
        adapter = spec.open(spec.settings.model_validate({**usual, **settings}), context)
        opened.callback(adapter.close)  # a test that fails leaves nothing open
        return adapter

    return open_adapter


def field_bindings(fields: Mapping[str, str]) -> tuple[FieldBinding, ...]:
    """Bind the world's fields to a sandbox's own."""
    return tuple(FieldBinding(name=name, native=fields[name], type=WORLD_FIELDS[name]) for name in sorted(fields))


# ── What should be found ────────────────────────────────────────────────────────────────────────────────


class Stop(NamedTuple):
    """A place that a deal should have come to, and when."""

    at: datetime
    stage: str
    status: Status


def expected_stops(bench: AdapterWorkbench, deal: WorldDeal, *, status_in_stage: bool) -> list[Stop]:
    """Tell a world deal's journey in the CRM's stages; being closed is a stage of its own, or a status beside it."""
    stops = [Stop(at, bench.stages[stage], Status.OPEN) for stage, at in deal.journey]
    if deal.closed_at is not None:
        stage = bench.stages[deal.status.value] if status_in_stage else stops[-1].stage
        stops.append(Stop(deal.closed_at, stage, deal.status))
    return stops


class Pulled(NamedTuple):
    """Everything that one pull yielded."""

    records: dict[Ref, Record]
    moves: dict[Ref, list[Move]]
    gone: set[Ref]
    cursor: str
    delivered: int  # records, counted as often as they came


def pull_all(adapter: Adapter, kind: Kind = Kind.DEAL, since: str | None = None) -> Pulled:
    """Pull to the end. Moves are de-duplicated by id, as the store does, and ordered by time."""
    pages = list(adapter.pull(kind, since))
    assert pages, "a pull yields at least one page"
    moves: dict[Ref, dict[str, Move]] = {}
    for move in (move for page in pages for move in page.moves):
        moves.setdefault(move.deal, {})[move.id] = move
    return Pulled(
        records={record.ref: record for page in pages for record in page.records},
        moves={ref: sorted(found.values(), key=lambda move: move.at) for ref, found in moves.items()},
        gone={tombstone.ref for page in pages for tombstone in page.tombstones},
        cursor=pages[-1].cursor,
        delivered=sum(len(page.records) for page in pages),
    )


def settle(bench: AdapterWorkbench, adapter: Adapter, kind: Kind = Kind.DEAL) -> str:
    """Pull everything, let a day pass in which nothing happens, and give the cursor from which changes are seen."""
    first = pull_all(adapter, kind)
    bench.clock.advance(timedelta(days=1))
    return pull_all(adapter, kind, first.cursor).cursor


def let_lag_pass(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Let so much time pass that a change made now must show up in the next pull."""
    bench.clock.advance(adapter.capabilities.lag + timedelta(minutes=1))


def open_deals(pulled: Pulled, count: int) -> list[Record]:
    """Give some open deals, the same ones each time."""
    found = [r for _, r in sorted(pulled.records.items()) if r.position and r.position.status is Status.OPEN]
    assert count <= len(found), "the sandbox has enough open deals"
    return found[:count]
