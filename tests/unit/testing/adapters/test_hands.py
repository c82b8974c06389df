"""The hands and settings that adapter authors need are written down, and the sandbox of the guide has them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crmbridge.model.replacing import replace
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing import SuiteConfig, plugin_workbench
from crmbridge.testing.adapters import hands
from crmbridge.testing.factories import NOON
from crmbridge.testing.fake_crm import FakeCrm

ROOT = Path(__file__).parents[4]
PROTOCOLS = [getattr(hands, name) for name in dir(hands) if name.endswith("Hands")]
OF_VENDORS = {
    hands.SessionHands,
    hands.FileHands,
    hands.TrackingHands,
}  # their sandboxes have them
OPTIONAL = [each for each in PROTOCOLS if each not in {hands.HumanHands, hands.CompanyMergingHands}]


def methods(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.fixture
def tiny() -> Iterator[object]:
    """Give the guide's plugin, imported as if it were installed."""
    source = str(ROOT / "docs/examples/crmbridge-tinycrm/src")
    sys.path.insert(0, source)
    yield import_module("crmbridge_tinycrm.plugin")
    sys.path.remove(source)


def test_every_hand_and_setting_is_documented() -> None:
    """In the page about the port, by its name."""
    text = (ROOT / "docs/reference/adapter-port.md").read_text("utf-8")
    documented = {re.split(r"\W", name)[0] for name in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}
    known = {name for protocol in PROTOCOLS for name in methods(protocol)}

    assert set() == {*known, *SuiteConfig.__struct_fields__} - documented
    assert 10 <= len(known)


def test_the_fake_has_the_hands_that_every_sandbox_has() -> None:
    """And those that it declares something for; what it does not declare needs no hand."""
    protocols = ("HumanHands", "DealMergingHands", "RestoringHands", "AssociatingHands", "NoteHands")
    needed = {name for protocol in protocols for name in methods(getattr(hands, protocol))}

    assert set() == needed - set(dir(FakeCrm))


@pytest.mark.parametrize("protocol", [each for each in OPTIONAL if each not in OF_VENDORS])
def test_the_guides_sandbox_has_every_hand_that_the_vendors_alone_do_not_need(
    tiny: object, tmp_path: Path, protocol: type
) -> None:
    """So that each test of the suite is run by somebody in this repository."""
    with plugin_workbench(tiny, SandboxOptions(clock=VirtualClock(NOON)), tmp_path) as bench:
        assert isinstance(bench.hands, protocol)


def test_a_bench_closes_what_was_opened(tiny: object, tmp_path: Path) -> None:
    """A test that fails in between leaves no connection behind."""
    with plugin_workbench(tiny, SandboxOptions(clock=VirtualClock(NOON)), tmp_path) as bench:
        adapter = bench.open()
        adapter.describe()

    with pytest.raises(RuntimeError, match="closed"):
        adapter.describe()


def test_a_bench_needs_a_clock_that_stands_still(tiny: object, tmp_path: Path) -> None:
    """Or tests would wait."""
    with (
        pytest.raises(TypeError, match="VirtualClock"),
        plugin_workbench(tiny, SandboxOptions(), tmp_path),
    ):
        pass


def test_a_bench_names_the_fields_that_a_sandbox_lacks(tiny: Any, tmp_path: Path) -> None:
    """Each test that edits one of them would fail with a name only."""
    (whole,) = tiny.crmbridge_sandboxes()
    fields = {name: native for name, native in whole.fields.items() if name not in {"pains", "discount"}}
    less = SimpleNamespace(
        crmbridge_adapters=tiny.crmbridge_adapters, crmbridge_sandboxes=lambda: [replace(whole, fields=fields)]
    )
    with (
        pytest.raises(ValueError, match="has no field for discount, pains, which the world's deals have"),
        plugin_workbench(less, SandboxOptions(clock=VirtualClock(NOON)), tmp_path),  # type: ignore[arg-type]  a module in all but name
    ):
        pass
