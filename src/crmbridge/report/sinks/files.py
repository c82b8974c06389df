"""Write a report to a file, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.ports import Document
from crmbridge.report.csv_form import MARK, csv_text


def _json(document: Document) -> str:
    return json.dumps({"name": document.name, **document.facts}, ensure_ascii=False, indent=2) + "\n"


def _csv(document: Document) -> str:
    if document.scorecard is None:
        raise ConfigurationError(
            f"{document.title!r} has no figures, so there is nothing for a CSV file.",
            advice="Use the sinks html, markdown or json for notices.",
        )
    return MARK + csv_text(document.scorecard)


# Each form's suffix, and how a document gives it.
FORMS: Mapping[str, tuple[str, Callable[[Document], str]]] = MappingProxyType(
    {
        "html": (".html", lambda document: document.html),
        "markdown": (".md", lambda document: document.markdown),
        "json": (".json", _json),
        "csv": (".csv", _csv),
    }
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class FileSink(Struct, frozen=True):
    """Writes one form of a report (`html`, `markdown`, `json` or `csv`) below `target`.

    A target that ends in the form's suffix is the file itself. Any other is a folder, made when it is missing, that
    gets NAME.html, and the same as latest.html. Delivering again replaces the files.
    """

    form: str
    target: Path

    def deliver(self, document: Document) -> str:
        """Write the files and give the path of the first; raises ConfigurationError when they can't be written."""
        text = FORMS[self.form][1](document)
        paths = self._paths(document.name)
        for path in paths:
            _replace(path, text)
        return str(paths[0])

    def _paths(self, name: str) -> tuple[Path, ...]:
        suffix = FORMS[self.form][0]
        if self.target.suffix.lower() == suffix:
            return (self.target,)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} can't be a file's name.", advice="Name the report with letters, digits and underscores."
            )
        return (self.target / f"{name}{suffix}", self.target / f"latest{suffix}")


def _replace(path: Path, text: str) -> None:
    """Write beside the file and rename, so that a reader never meets half a report."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The report can't be written to {path} ({error.strerror or type(error).__name__}).",
            advice="Make the folder writable, or name another in the report's sinks.",
        ) from error
