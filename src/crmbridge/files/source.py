"""A file as it was read: its text, its lines, its tree, and diagnostics placed in it."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from msgspec import Struct

from crmbridge.files import yaml_nodes
from crmbridge.files.codes import CODES
from crmbridge.files.diagnostics import Diagnostic
from crmbridge.files.masking import mask_line, mask_text
from crmbridge.files.scalar_places import place_within
from crmbridge.files.yaml_errors import Fault
from crmbridge.files.yaml_nodes import Node, Span
from crmbridge.model.replacing import replace

LARGEST = 8 * 1024 * 1024  # bytes; the largest process that we have seen has a hundredth of it
MOST_LINES = 200_000  # a process of 6 MB whose lines are as long as in the shipped ones has half as many
LONGEST_LINE = 2000  # characters; longer lines are not shown
_LINE_END = re.compile(r"\r\n|\n|\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


class Source(Struct, frozen=True):
    """One file's text and tree. `root` is None when nothing usable could be read.

    `guarded`: the file may hold secrets where they don't belong, so what is shown of it is masked.
    """

    file: str
    text: str = ""
    root: Node | None = None
    faults: tuple[Diagnostic, ...] = ()
    guarded: bool = False
    starts: tuple[int, ...] = (0,)  # where each line begins

    def place(self, offset: int) -> tuple[int, int]:
        """Give the line and column (from 1) of a character."""
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Give a line (from 1) as it stands in the file, without its end."""
        start = self.starts[number - 1]
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def line_of(self, path: Iterable[str | int]) -> int:
        """Give the line (from 1) at which a path of the tree begins, or else what is around it."""
        return self.place(yaml_nodes.locate(self.root, path, key=True).start)[0] if self.root else 1

    def at(
        self,
        path: Sequence[str | int],
        code: str,
        sentence: str,
        *,
        key: bool = False,
        within: tuple[int, int] | None = None,
        nearest: str | None = None,
        advice: str = "",
    ) -> Diagnostic:
        """Make a diagnostic at a path of the tree: at its value, or with `key` at its key.

        `within` is the piece of a text's value that is meant, in characters of the value.
        """
        span = yaml_nodes.locate(self.root, path, key=key) if self.root else Span(0, 0)
        value = yaml_nodes.scalar_at(self.root, path) if self.root and within is not None else None
        if value is not None and within is not None:
            span = place_within(self.text, span, value, within)
        return self.spanning(span, code, sentence, nearest=nearest, advice=advice)

    def spanning(
        self, span: Span, code: str, sentence: str, *, nearest: str | None = None, advice: str = ""
    ) -> Diagnostic:
        """Make a diagnostic at a piece of the text; the carets stay on its first line."""
        line, col = self.place(span.start)
        source = self.line(line)
        return Diagnostic(
            file=self.file,
            line=line,
            col=col,
            code=code,
            sentence=mask_text(sentence) if self.guarded else sentence,
            severity=CODES[code].severity,
            source=self._shown(source),
            width=max(min(span.end - span.start, len(source) - col + 1), 1),
            nearest=nearest,
            advice=advice,
        )

    def _shown(self, line: str) -> str:
        if len(line) > LONGEST_LINE:
            return ""
        return mask_line(line) if self.guarded else line


def read_source(path: Path, *, guarded: bool = False) -> Source:
    """Read a YAML file. Whatever is wrong with it is in `faults`; nothing is raised."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        return _unread(file, "file-missing", "the file is not there")
    except (OSError, ValueError) as error:
        return _unread(file, "file-unreadable", f"the file can't be read: {_reason(error)}", _REMEDIES.get(type(error)))
    if len(content) > LARGEST:
        return _unread(file, "file-too-large", f"the file is larger than {LARGEST // 1024 // 1024} MB")
    return parse_source(file, content, guarded=guarded)


def parse_source(file: str, content: bytes, *, guarded: bool = False) -> Source:
    """Make a source of a file's bytes: UTF-8 with any line ends, a byte order mark or none."""
    if _lines(content) > MOST_LINES:
        return _unread(file, "file-too-many-lines", f"the file has more than {MOST_LINES:,} lines")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _not_utf8(file, error, guarded=guarded)
    if endless := yaml_nodes.endless(text):
        text = text[: endless.end]  # what comes after it is looked at by nobody
    bare = Source(file, text, guarded=guarded, starts=line_starts(text))
    if endless:
        return _with_faults(bare, None, [endless])
    if control := _CONTROL.search(text):
        sentence = f"the control character U+{ord(control[0]):04X} can't stand in the file"
        return _with_faults(bare, None, [Fault(*control.span(), "control-character", sentence)])
    parsed = yaml_nodes.parse(text)
    return _with_faults(bare, parsed.root, parsed.faults)


def line_starts(text: str) -> tuple[int, ...]:
    """Give where each line begins, by whichever line ends the text has."""
    if "\r" in text:
        return (0, *(match.end() for match in _LINE_END.finditer(text)))
    # The same, in a tenth of the time for a text of megabytes.
    return tuple(accumulate((len(line) + 1 for line in text.split("\n")[:-1]), initial=0))


def _lines(content: bytes) -> int:
    """Count the line ends, which costs next to nothing; what follows costs something for each line."""
    ends = content.count(b"\n") + content.count(b"\r")
    return ends - content.count(b"\r\n") if ends > MOST_LINES else ends


def _with_faults(source: Source, root: Node | None, faults: Iterable[Fault]) -> Source:
    found = tuple(_diagnostic(source, fault) for fault in faults)
    return replace(source, root=root, faults=found)


def _diagnostic(source: Source, fault: Fault) -> Diagnostic:
    sentence = fault.sentence
    if fault.other is not None:
        line, col = source.place(fault.other)
        sentence += f"; the first is at {line}:{col}"
    return source.spanning(Span(fault.start, fault.end), fault.code, sentence, advice=fault.advice)


def _not_utf8(file: str, error: UnicodeDecodeError, *, guarded: bool) -> Source:
    before = error.object[: error.start].decode("utf-8", "replace").removeprefix("\ufeff")
    bare = Source(file, before, guarded=guarded, starts=line_starts(before))
    sentence = f"the byte 0x{error.object[error.start]:02X} is no UTF-8"
    fault = Fault(len(before), len(before), "not-utf8", sentence, "Save the file as UTF-8.")
    return _with_faults(bare, None, [fault])


_REMEDIES: Mapping[type[Exception], str] = {
    IsADirectoryError: "Name the file in it.",
    PermissionError: "Let whoever runs crmbridge read it.",
}


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unread(file: str, code: str, sentence: str, advice: str | None = None) -> Source:
    fault = Diagnostic(file=file, line=1, col=1, code=code, sentence=sentence, advice=advice or "")
    return Source(file, faults=(fault,))
