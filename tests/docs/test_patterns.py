"""What a setting must look like is said in words: nobody is shown a regular expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmbridge.files.model_errors import PATTERNS

ROOT = Path(__file__).parents[2]


def patterns() -> Iterator[str]:
    """Give each pattern that a field of a file may have to match, here and in the plugins of this repository."""
    for path in [*ROOT.glob("src/crmbridge/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Field":
                yield from (ast.literal_eval(each.value) for each in node.keywords if each.arg == "pattern")


@pytest.mark.parametrize("pattern", sorted(set(patterns())))
def test_a_pattern_has_words(pattern: str) -> None:
    """Whoever wrote the setting otherwise reads these."""
    assert pattern in PATTERNS
