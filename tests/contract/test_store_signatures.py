"""Each method of each store is called as its port says; of what stands behind a cast the type checker sees nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from crmbridge import ports
from crmbridge.ports import StateStore
from crmbridge.store.memory import MemoryStore
from crmbridge.store.quiet.store import QuietStore
from crmbridge.store.sql.store import SqlStore

PARTS = {
    name: get_type_hints(part.fget, vars(ports))["return"]
    for name, part in vars(StateStore).items()
    if isinstance(part, property) and part.fget is not None
}
STORES = ("quiet", "whole", "memory")


def methods(port: type) -> dict[str, Any]:
    """Give what a port asks for, by name."""
    return {name: value for name, value in vars(port).items() if inspect.isfunction(value) and name[0] != "_"}


def spelt(function: Any) -> list[tuple[str, str, object]]:
    """Give each parameter as callers see it: its name, how it is given, and what it is where it is left out."""
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind.name, one.default) for one in found if one.name != "self"]


def differing(part: object, port: type) -> dict[str, str]:
    """Give the methods of a part that are not called as their port says, each with how it differs."""
    return {
        name: f"{inspect.signature(getattr(part, name))} instead of {inspect.signature(asked)}"
        for name, asked in methods(port).items()
        if spelt(getattr(part, name)) != spelt(asked)
    }


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Mapping[str, StateStore]]:
    quiet = QuietStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    assert quiet is not None
    whole, memory = SqlStore.open(f"sqlite:///{tmp_path / 'whole.db'}"), MemoryStore()
    yield {"quiet": quiet, "whole": whole, "memory": memory}
    for store in (quiet, whole, memory):
        store.close()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("store", STORES)
def test_a_store_is_called_as_its_ports_say(stores: Mapping[str, StateStore], store: str, part: str) -> None:
    """Names, order and defaults of parameters are those of the port."""
    assert methods(PARTS[part])
    assert {} == differing(getattr(stores[store], part), PARTS[part])


@pytest.mark.parametrize("store", STORES)
def test_a_store_itself_is_called_as_its_port_says(stores: Mapping[str, StateStore], store: str) -> None:
    """So is what the store does itself."""
    assert {} == differing(stores[store], StateStore)


class _Wrong:
    """A part whose methods are those of the port but for how they are called."""

    def add(self, refs: object) -> None:
        """Lack a parameter."""

    def pending(self, connection: object) -> None:
        """Be as asked."""

    def done(self, seen: object = ()) -> None:
        """Have a default that was not asked for."""

    def first_seen(self, claims: object, *, now: object) -> None:
        """Take by name only what callers give by place."""


def test_what_is_planted_wrong_is_told() -> None:
    """A parameter that lacks, a default of its own and another way to be given are told; the right one is not."""
    assert {"add", "done", "first_seen"} == set(differing(_Wrong(), ports.HintStore))
