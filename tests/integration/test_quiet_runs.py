"""A run that finds nothing new: what it loads, and that it goes on with more where there is more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.shop import Shop

# What only other runs need. Loading SQLAlchemy alone would be a quarter of what such a run costs.
NEEDLESS = {"sqlalchemy", "alembic", "duckdb", "jinja2", "rich", "lark", "holidays", "keyring", "apprise"}


def imported(shop: Shop, command: str = "run") -> set[str]:
    """Name what a run, or another command, imports."""
    environment = {**os.environ, **shop.environment, "PYTHONPROFILEIMPORTTIME": "1"}
    done = shop.spawn("--project", str(shop.folder), command, env=environment)
    assert "import time:" in done.err
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.err.splitlines()}


def test_a_run_that_finds_nothing_new_does_without_what_only_others_need(shop: Shop) -> None:
    """The state is asked in plain SQL then; a run that has something to write loads the whole store."""
    first = imported(shop)
    imported(shop)
    quiet = imported(shop)

    assert "sqlalchemy" in first
    assert set() == quiet & NEEDLESS


def test_a_first_pull_does_without_it_too(shop: Shop) -> None:
    """All of its records are new, and nothing is linked yet."""
    assert set() == imported(shop, "pull") & {"sqlalchemy", "alembic"}
