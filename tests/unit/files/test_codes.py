"""The reference lists every code, and every key that the files can have."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crmbridge.files.codes import CODES
from crmbridge.model.checks import Check
from crmbridge.model.process import Process
from crmbridge.settings import AdapterSettings, Settings

DOCS = Path(__file__).parents[3] / "docs" / "reference"
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("process-file", "settings-file")}


def keys(annotation: Any) -> Iterator[str]:
    """Give every key of a model and of the models in it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield field.alias or name
            yield from keys(field.annotation)
    else:
        for inner in typing.get_args(annotation):
            yield from keys(inner)


def test_every_code_is_in_the_reference_and_none_besides() -> None:
    """Code, severity and meaning are printed as the program has them."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (error|warning) \| (.+) \|$", "\n".join(PAGES.values()), re.MULTILINE)

    assert sorted((code, *meaning) for code, meaning in CODES.items()) == sorted(rows)


@pytest.mark.parametrize(
    ("page", "model"), [("process-file", Process), ("settings-file", Settings), ("settings-file", AdapterSettings)]
)
def test_every_key_is_in_the_reference(page: str, model: type[BaseModel]) -> None:
    """A key that nobody can read about does not exist. The settings point to the process file for checks."""
    words = set(re.findall(r"[a-z_]+", PAGES[page]))
    elsewhere = {"root", *(keys(Check) if page == "settings-file" else ())}

    assert [] == sorted({key for key in keys(model) if key not in words} - elsewhere)
