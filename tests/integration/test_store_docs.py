"""The reference names every table and column of the state."""

import re
from pathlib import Path

from crmbridge.store.sql import schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "state.md"


def test_every_table_and_column_is_documented() -> None:
    """Under the table's own heading, and nothing else is."""
    sections = re.split(r"^### (\w+)$", PAGE.read_text("utf-8").split("## Upgrades")[0], flags=re.MULTILINE)
    documented = {
        name: {word for cell in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for word in re.findall(r"\w+", cell)}
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    tables = {table.name: {column.name for column in table.columns} for table in schema.metadata.sorted_tables}

    expected = {name: columns | {"column"} for name, columns in tables.items()}
    assert expected | {"alembic_version": {"column", "version_num"}} == documented
