"""What integration tests work with: a shop to call the command line in, stores, and a browser."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.shop import PROCESS, SECRET, SETTINGS, STAGES, Shop, fill, install_plugin

from crmbridge.ports import StateStore
from crmbridge.store import open_store
from crmbridge.store.memory import MemoryStore

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Give a shop with three deals: one on both sides with different amounts, one that broke a rule, one new."""
    plugin = install_plugin(tmp_path / "plugin")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "process.yaml").write_text(PROCESS, "utf-8")
    (folder / "crmbridge.yaml").write_text(SETTINGS.format(folder=folder, stages=STAGES), "utf-8")
    others = [p.name for p in importlib.metadata.entry_points(group="crmbridge")]
    environment = {
        "CRMBRIDGE_BLOCK_PLUGINS": ",".join(others),
        "SHOP_TOKEN": SECRET,
        "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "COLUMNS": "120",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(plugin))
    made = Shop(folder=folder, environment=environment)
    fill(made)
    yield made
    sys.modules.pop("filecrm", None)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Give each kind of store in turn."""
    opened = MemoryStore() if request.param == "memory" else open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser for all tests of a file."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium here; Debian's package has it")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed here")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
