"""Run the cases that a process is tested by: those in its file, and those in the files beside it that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from crmbridge.engine.cases.case_values import now_of
from crmbridge.engine.cases.casting import case_issues, cast_case
from crmbridge.engine.cases.trying import Tried, compare
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.time.calendars import CompiledCalendar
from crmbridge.files.diagnostics import Diagnostic, has_errors, in_order
from crmbridge.files.reading import read_cases
from crmbridge.files.source import Source, read_source
from crmbridge.model.cases import ProcessCase
from crmbridge.model.process import Process
from crmbridge.services.enforce.evaluating import compile_for
from crmbridge.settings import Settings

MOST_FILES = 1000
CASES = "process_tests"


class CaseResult(Struct, frozen=True, kw_only=True):
    """What became of one case, and where it stands."""

    case: str
    file: str
    line: int
    tried: Tried


class CaseResults(Struct, frozen=True, kw_only=True):
    """What became of all cases. With errors in the cases themselves, none was run; a case that failed is one, too."""

    results: tuple[CaseResult, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def failed(self) -> int:
        """Count the cases that failed."""
        return sum(not result.tried.passed for result in self.results)


class _Placed(Struct, frozen=True, kw_only=True):
    """A case, and where it was read."""

    case: ProcessCase
    source: Source
    index: int

    @property
    def path(self) -> tuple[str | int, ...]:
        return (CASES, self.index)


def run_cases(process_path: Path, process: Process, settings: Settings) -> CaseResults:
    """Run the cases of a process, which was read from this path without errors. Nothing is raised."""
    source = read_source(process_path)
    placed = [_Placed(case=case, source=source, index=i) for i, case in enumerate(process.process_tests)]
    found: list[Diagnostic] = []
    for i, pattern in enumerate(process.tests):
        paths = _matching(process_path.parent, pattern)
        if not paths:
            found.append(source.at(("tests", i), "file-missing", f"no file matches {pattern!r}"))
        for path in paths:
            read, wrong = _read(path)
            placed += read
            found += wrong
    return _run(placed, found, process, settings)


def _run(placed: Sequence[_Placed], found: Sequence[Diagnostic], process: Process, settings: Settings) -> CaseResults:
    years = [now_of(one.case.now, None).year for one in placed]
    calendars = compile_for(process, range(min(years), max(years) + 1)) if years else {}
    found = [*found, *(diagnostic for one in placed for diagnostic in _misfits(one, process, calendars))]
    if has_errors(found):
        return CaseResults(results=(), diagnostics=in_order(found))
    results = tuple(_result(one, process, settings, calendars) for one in placed)
    failures = [_failure(one, result) for one, result in zip(placed, results, strict=True) if result.tried.faults]
    return CaseResults(results=results, diagnostics=in_order([*found, *failures]))


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Find the files that a pattern names within the folder; none for one that leads out of it."""
    parts = PurePosixPath(pattern).parts
    if not parts or pattern.startswith("/") or ".." in parts:
        return []
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())[:MOST_FILES]
    except (ValueError, OSError):  # no pattern that folders are searched by
        return []


def _read(path: Path) -> tuple[list[_Placed], tuple[Diagnostic, ...]]:
    loaded = read_cases(path)
    cases = loaded.model.process_tests if loaded.model else ()
    return [_Placed(case=case, source=loaded.source, index=i) for i, case in enumerate(cases)], loaded.diagnostics


def _misfits(one: _Placed, process: Process, calendars: Mapping[str, CompiledCalendar]) -> Iterator[Diagnostic]:
    for issue in case_issues(one.path, one.case, process, calendars, process.rule_ids()):
        yield one.source.at(issue.path, issue.code, issue.sentence, key=issue.at_key, nearest=issue.nearest)


def _result(
    one: _Placed, process: Process, settings: Settings, calendars: Mapping[str, CompiledCalendar]
) -> CaseResult:
    cast = cast_case(one.case, process, settings, calendars)
    tried = compare(one.case.expect, evaluate(cast.subject, cast.now))
    line = one.source.line_of((*one.path, "case"))
    return CaseResult(case=one.case.case, file=one.source.file, line=line, tried=tried)


def _failure(one: _Placed, result: CaseResult) -> Diagnostic:
    sentence = f"the case {result.case!r} failed: {'; '.join(result.tried.faults)}"
    return one.source.at((*one.path, "expect"), "case-failed", sentence, key=True)
