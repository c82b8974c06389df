"""The state lies in the project's folder, whatever that is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmbridge.indicators import compute
from crmbridge.indicators.elsewhere import elsewhere
from crmbridge.indicators.options import Options
from crmbridge.model.figures import Scorecard
from crmbridge.store import open_store
from crmbridge.testing.factories import NOON, make_process
from crmbridge.testing.workspaces import make_bench


@pytest.mark.parametrize("name", ["north & south", "50% off", "a%20b", "what?", "why?a=b#c", "Büro"])
def test_the_state_is_in_the_folder_for_all_that_read_it(tmp_path: Path, name: str) -> None:
    """A folder's name is no part of a URL: two projects whose names begin alike would share a state."""
    folder = tmp_path / name
    folder.mkdir()
    project = make_bench(folder=folder, store_url="sqlite:///.crmbridge/state.db").workspace.project
    store = open_store(project.store_url)
    store.memory("north")["word"] = "kept"
    store.close()

    assert (folder / ".crmbridge" / "state.db").is_file()
    assert [folder] == list(tmp_path.iterdir())
    assert isinstance(elsewhere(compute, project.store_url, make_process(), NOON, Options()), Scorecard)
