"""Read a process or a settings file into its frozen model, with every error at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from crmbridge.files.diagnostics import Diagnostic, has_errors, in_order
from crmbridge.files.model_errors import explain_errors
from crmbridge.files.source import Source, parse_source, read_source
from crmbridge.model.cases import CaseFile
from crmbridge.model.process import Process
from crmbridge.settings import Settings

MOST_ERRORS = 200  # that are explained: nobody reads more at once
M = TypeVar("M", bound=BaseModel)


class Loaded(Struct, Generic[M], frozen=True, kw_only=True):
    """What reading a file gave: the model, or None when there are errors, and everything that was found.

    `source` places further diagnostics in the same file.
    """

    model: M | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source


def read_process(path: Path) -> Loaded[Process]:
    """Read a process file. Never raises; what is wrong is in `diagnostics`."""
    return _load(read_source(path), Process)


def read_settings(path: Path) -> Loaded[Settings]:
    """Read a settings file. Never raises; what looks like a secret is masked in the lines that diagnostics show."""
    return _load(read_source(path, guarded=True), Settings)


def read_cases(path: Path) -> Loaded[CaseFile]:
    """Read a file of cases. Never raises; what is wrong is in `diagnostics`."""
    return _load(read_source(path), CaseFile)


def parse_process(file: str, content: bytes) -> Loaded[Process]:
    """Read a process from bytes; `file` is the name that diagnostics give."""
    return _load(parse_source(file, content), Process)


def parse_settings(file: str, content: bytes) -> Loaded[Settings]:
    """Read settings from bytes; `file` is the name that diagnostics give."""
    return _load(parse_source(file, content, guarded=True), Settings)


def _load(source: Source, model: type[M]) -> Loaded[M]:
    found = list(source.faults)
    if source.root is None:
        return Loaded(model=None, diagnostics=in_order(found), source=source)
    value: M | None = None
    try:
        value = model.model_validate(source.root.value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        explained = explain_errors(source, model, errors[:MOST_ERRORS])
        places = {(fault.line, fault.col) for fault in found}  # what YAML got wrong there says enough
        found += [diagnostic for diagnostic in explained if (diagnostic.line, diagnostic.col) not in places]
        if len(errors) > MOST_ERRORS:
            sentence = f"there are {len(errors) - MOST_ERRORS:,} more errors; mend the ones that are told first"
            found.append(source.at((), "more-errors", sentence))
    return Loaded(model=None if has_errors(found) else value, diagnostics=in_order(found), source=source)
