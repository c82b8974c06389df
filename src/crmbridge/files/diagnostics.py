"""One thing wrong in a file that a person wrote, and how it is shown to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.files.display import excerpt, harmless, shorten

Level = Literal["error", "warning"]
LONGEST_SENTENCE = 300


class Diagnostic(Struct, frozen=True, kw_only=True):
    """What is wrong, where, and what to do. Lines and columns count from 1, columns and `width` in characters.

    `code` is stable (docs/reference lists them all); `source` is the line of the file, with secrets masked.
    """

    file: str
    line: int
    col: int
    code: str
    sentence: str
    severity: Level = "error"
    nearest: str | None = None
    advice: str = ""
    source: str = ""
    width: int = 1

    def render(self) -> str:
        """Write it for a terminal: the place and the sentence, the line with carets, the nearest name, the advice."""
        lines = [self.headline]
        if self.source.strip():
            lines += [f"  {part}" for part in excerpt(self.source, self.col, self.width)]
        if self.nearest is not None:
            lines.append(f"  did you mean {shorten(harmless(self.nearest), 80)!r}?")
        if self.advice:
            lines.append(f"  {shorten(harmless(self.advice), LONGEST_SENTENCE)}")
        return "\n".join(lines)

    @property
    def headline(self) -> str:
        """Write it in one line, as compilers do, so that editors can jump to the place."""
        sentence = shorten(harmless(self.sentence), LONGEST_SENTENCE)
        return f"{harmless(self.file)}:{self.line}:{self.col}: {self.severity}[{self.code}]: {sentence}"

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON, for `--json`."""
        return {
            "file": self.file,
            "line": self.line,
            "col": self.col,
            "severity": self.severity,
            "code": self.code,
            "sentence": shorten(self.sentence, LONGEST_SENTENCE),
            "nearest": self.nearest,
            "advice": self.advice,
        }


class InvalidFilesError(ConfigurationError):
    """The files of a project are wrong; `diagnostics` says where, one by one."""

    code = "invalid_files"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
        first = f": {errors[0].headline}" if errors else ""
        super().__init__(
            f"{len(errors)} error{'s' * (len(errors) != 1)} in the project's files{first}",
            advice="Run `crmbridge check` to see every error with its place.",
        )
        self.diagnostics = tuple(diagnostics)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether anything among these is more than a warning."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by file and place, and drop what would be said twice. Files keep the order in which they came."""
    unique = list(dict.fromkeys(diagnostics))
    files = {name: order for order, name in reversed(list(enumerate(d.file for d in unique)))}
    return tuple(sorted(unique, key=lambda d: (files[d.file], d.line, d.col)))
