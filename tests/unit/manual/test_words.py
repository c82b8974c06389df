"""The manual's own words: complete in every language, and none that nobody says."""

from __future__ import annotations

import re
from pathlib import Path

from crmbridge.languages import LANGUAGES
from crmbridge.manual import words
from crmbridge.manual.words import words_of
from crmbridge.model.business_time import Unit
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType

HERE = Path(words.__file__).parent
PLACEHOLDER = re.compile(r"\{(\w+)\}")
OPTIONAL = {"n"}  # tomorrow instead of 1 day from today


def test_every_word_is_there_in_every_language_with_the_same_parts() -> None:
    """A translation that forgot a value would hide it."""
    catalogue = words._catalogue()

    assert [] == [key for key, texts in catalogue.items() if len(LANGUAGES) != len(texts) or not texts[0]]
    parts = {key: [set(PLACEHOLDER.findall(text)) - OPTIONAL for text in texts] for key, texts in catalogue.items()}
    assert [] == [key for key, found in parts.items() if any(one != found[0] for one in found)]


def test_every_word_is_said_somewhere() -> None:
    """What no page says is no longer needed."""
    said = "\n".join(path.read_text("utf-8") for path in [*HERE.glob("*.py"), *HERE.glob("templates/*.j2")])
    made = tuple(
        re.findall(r'f"([a-z_]+_)\{', said)
        + re.findall(r"w\('([a-z]+_)' ~", said)
        + re.findall(r'startswith\("([a-z]+_)"\)', said)
    )  # keys that are put together, or looked for by how they begin
    keys = {key.removesuffix("_one") for key in words._catalogue()}

    assert [] == sorted(
        key for key in keys if f'"{key}"' not in said and f"'{key}'" not in said and not key.startswith(made)
    )


def test_units_types_and_standard_fields_have_words() -> None:
    """One for each that the model has."""
    said = words_of("en").texts

    assert [] == [unit for unit in Unit if f"unit_{unit.value}" not in said or f"unit_{unit.value}_one" not in said]
    assert [] == [kind for kind in FieldType if f"type_{kind.value}" not in said]
    assert [] == [name for name in STANDARD_FIELDS[Kind.DEAL] if f"field_{name}" not in said]
