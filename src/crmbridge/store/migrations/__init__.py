"""The steps that bring a state's schema up to date. Import this only to take one: alembic is slow to load."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    """Tell alembic where the steps are, and on which connection to take them."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def upgrade(connection: Connection) -> None:
    """Take every step that a state still needs, inside the connection's own transaction."""
    command.upgrade(config(connection), "head")


def newest() -> str | None:
    """Name the newest step."""
    return ScriptDirectory.from_config(config()).get_current_head()
