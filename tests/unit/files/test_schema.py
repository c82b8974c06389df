"""The JSON Schemas are those of the models, and the shipped files obey them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.files.schema import SCHEMAS, schema_text, write_schemas
from crmbridge.files.shipped import shipped_folder
from crmbridge.files.yaml_nodes import parse

FILES = [
    ("process", "processes/b2b.yaml"),
    ("process_tests", "processes/tests/b2b.yaml"),
    ("process", "processes/meddicc.yaml"),
    ("crmbridge", "crmbridge.yaml"),
    ("crmbridge", "init/crmbridge.yaml"),
]


def plain(value: Any) -> Any:
    """Give the data as JSON has it."""
    match value:
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case Decimal():
            return float(value)
        case _:
            return value


def read(path: Path) -> Any:
    parsed = parse(path.read_text(encoding="utf-8"))
    assert parsed.root is not None
    return plain(parsed.root.value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_shipped_schema_is_that_of_the_model(name: str) -> None:
    """After a change of the models run `python -m crmbridge.files.schema`."""
    assert schema_text(name) == (shipped_folder() / "schema" / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "file"), FILES)
def test_the_shipped_files_obey_their_schema(name: str, file: str) -> None:
    """An editor marks nothing in them."""
    validator = jsonschema.Draft202012Validator(json.loads(schema_text(name)))

    assert [] == [error.message for error in validator.iter_errors(read(shipped_folder() / file))]


@pytest.mark.parametrize(("name", "file"), FILES)
def test_the_first_line_names_the_schema(name: str, file: str) -> None:
    """So editors complete without being set up."""
    first = (shipped_folder() / file).read_text(encoding="utf-8").split("\n", 1)[0]

    assert first.startswith("# yaml-language-server: $schema=")
    assert first.endswith(f"schema/{name}.json")


def test_an_editor_marks_an_unknown_key_and_a_wrong_value() -> None:
    """The schema is no weaker than the check where a schema can say it."""
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("process")))
    process = read(shipped_folder() / "processes/meddicc.yaml")
    process["leadr"] = process.pop("leader")
    process["stages"][0]["status"] = "win"

    assert 3 == len(list(validator.iter_errors(process)))


def test_schemas_are_written_into_a_folder(tmp_path: Path) -> None:
    """`crmbridge init` puts them beside the files."""
    written = write_schemas(tmp_path / "schema")

    assert ["process.json", "process_tests.json", "crmbridge.json"] == [path.name for path in written]
    assert all(path.read_text(encoding="utf-8") == schema_text(path.stem) for path in written)


def test_a_schema_that_does_not_exist() -> None:
    """The error says which there are."""
    with pytest.raises(ConfigurationError) as caught:
        schema_text("deal")

    assert "process, process_tests, crmbridge" in caught.value.advice
