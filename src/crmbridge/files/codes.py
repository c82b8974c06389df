"""The stable codes of everything that `crmbridge check` can say, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from crmbridge.engine.issues import CODES as COHERENCE_CODES
from crmbridge.files.diagnostics import Level


class Code(NamedTuple):
    """A code's severity and meaning."""

    severity: Level
    meaning: str


_READING: dict[str, str] = {
    "file-missing": "the file is not there",
    "file-unreadable": "the file is there but can't be read",
    "file-too-large": "the file is larger than 8 MB",
    "file-too-many-lines": "the file has more than 200,000 lines",
    "not-utf8": "the file is not saved as UTF-8",
    "control-character": "a character that can't be seen and has no place in a text file",
    "yaml-syntax": "the text is not YAML",
    "yaml-tab": "a tab is used where YAML wants spaces",
    "yaml-duplicate-key": "a mapping has the same key twice",
    "yaml-merge-key": "the merge key `<<`, which YAML 1.2 doesn't have",
    "yaml-key": "a key is something else than plain text",
    "yaml-alias": "an alias without its anchor, or aliases that stand for too much",
    "yaml-too-deep": "too many levels of nesting",
    "yaml-too-long": "a text that is longer than any that is meant",
    "yaml-too-many": "more than 2,000 keys and values of less than 4 characters, or 150,000 of less than 16",
    "yaml-tag": "a YAML tag such as `!!int`",
    "yaml-number": "a number that is too long, too large or not finite",
    "yaml-documents": "more than one document in a file",
    "yaml-not-a-mapping": "the file is empty or its top level is not `key: value`",
    "unknown-key": "a key that has no meaning there",
    "missing-key": "a key that must be there is not",
    "wrong-type": "text where a number must be, a list where text must be, and so on",
    "wrong-value": "the right type, but a value that can't be",
    "wrong-name": "an id or name with characters that ids don't have",
    "empty-list": "a list that needs at least one item",
    "unknown-check": "an exit rule's check that doesn't exist",
    "unknown-adapter": "a connection names an adapter that isn't installed",
    "more-errors": "more errors than are told at once",
    "unknown-holidays": "a country or subdivision whose holidays aren't known",
}
_WARNINGS: dict[str, str] = {
    "yaml-leading-zero": "a number with leading zeros, which are lost unless it is in quotes",
}

CODES: Mapping[str, Code] = MappingProxyType(
    {
        **{code: Code("error", meaning) for code, meaning in _READING.items()},
        **{code: Code("warning", meaning) for code, meaning in _WARNINGS.items()},
        **{code: Code(severity, meaning) for code, (severity, meaning) in COHERENCE_CODES.items()},
    }
)
