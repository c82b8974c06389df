"""The glossary says each word once."""

from __future__ import annotations

import re
from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_every_word_stands_once_and_says_what_it_means() -> None:
    """Two meanings for one word, or a word without one, are how names drift apart."""
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.*?) \|$", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    words = [word.lower() for word, _ in rows]

    assert len(words) >= 25
    assert sorted(set(words)) == sorted(words)
    assert [] == [word for word, meaning in rows if not meaning.strip()]


def test_every_row_is_read() -> None:
    """A row written otherwise would not be looked at above."""
    table = [line for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("| ")]
    bold = [line for line in table if line.startswith("| **")]

    assert ["| word | means |"] == [line for line in table if line not in bold]
