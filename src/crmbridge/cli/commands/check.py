"""`crmbridge check`: whether the files are right; offline, and fast enough to run on every save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.failures import diagnostic_lines
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Tinted, Tone, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crmbridge.files.diagnostics import Diagnostic
    from crmbridge.services.projects.cases import CaseResults
    from crmbridge.services.projects.checking import CheckResult

INVALID = 3


@as_command(
    "check",
    examples=[
        ("check", "the project here"),
        ("check --cases", "with a line for each case of the process"),
        ("check --project shop --json", "for an editor or a build"),
    ],
)
@click.option("--cases", is_flag=True, help="Show each case of the process, also those that come out as they must.")
def command(call: Call, *, cases: bool) -> Reply:
    """Check the settings and the process, without a network, and run the process's own tests.

    Every mistake is shown with its place, the line, and the nearest name that would be right. Secrets are not looked
    up, no CRM is asked; `crmbridge doctor` does that. The cases under `process_tests`, in the process file and in those
    that it names under `tests`, are held against the process; one that comes out otherwise ends with 3.
    """
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.projects.checking import check_project, find_settings, models_of  # noqa: PLC0415  the same

    settings_path = find_settings(call.project)
    checked = check_project(settings_path, *models_of(load_plugins()))
    if not checked.passed:
        return _invalid(checked.diagnostics)
    tried = _run_cases(checked, settings_path)
    lines = _case_lines(tried) if tried and cases else []
    if tried and tried.failed:
        return _failed(checked, tried, lines)
    found = (*checked.diagnostics, *(tried.diagnostics if tried else ()))
    if any(one.severity == "error" for one in found):
        return _invalid(found)
    result = {**_figures(checked), "diagnostics": _forms(found), "cases": _case_forms(tried)}
    return Reply(result=result, lines=[*lines, *diagnostic_lines(found), _fine(checked, tried)])


def _run_cases(checked: CheckResult, settings_path: Path) -> CaseResults | None:
    """Run the process's cases; None where it has none, as what runs them takes its time to load."""
    process, settings = checked.process, checked.settings
    if process is None or settings is None or not (process.process_tests or process.tests):
        return None
    from crmbridge.services.projects.cases import run_cases  # noqa: PLC0415  paid by those who have cases

    return run_cases(settings_path.parent / settings.process, process, settings)


def _invalid(diagnostics: Sequence[Diagnostic]) -> Reply:
    errors = sum(one.severity == "error" for one in diagnostics)
    message = f"{plural(errors, 'error')} in the project's files"
    error = error_part(
        INVALID,
        code="invalid_files",
        message=message,
        advice="Mend the places shown.",
        diagnostics=_forms(diagnostics),
    )
    shown = diagnostic_lines(tuple(diagnostics))
    return Reply(error=error, lines=[*shown, Tinted(f"{message}.", Tone.BAD)], exit_code=INVALID)


def _failed(checked: CheckResult, tried: CaseResults, lines: list[Line]) -> Reply:
    """Answer with the cases that came out otherwise; the files themselves are in order."""
    found = (*checked.diagnostics, *tried.diagnostics)
    message = f"{tried.failed} of {plural(len(tried.results), 'case')} failed"
    error = error_part(
        INVALID,
        code="cases_failed",
        message=message,
        advice="Mend the process, or the case where it asks for what is no longer wanted.",
        diagnostics=_forms(found),
    )
    result = {**_figures(checked), "cases": _case_forms(tried)}
    shown = [*lines, *diagnostic_lines(found), Tinted(f"{message}.", Tone.BAD)]
    return Reply(result=result, error=error, lines=shown, exit_code=INVALID)


def _forms(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    return [diagnostic.to_json() for diagnostic in diagnostics]


def _case_forms(tried: CaseResults | None) -> list[dict[str, Any]]:
    """Write what became of each case, with what was found."""
    return [
        {
            "case": one.case,
            "file": one.file,
            "line": one.line,
            "passed": one.tried.passed,
            "faults": list(one.tried.faults),
            "findings": [{"rule": finding.rule, "message": finding.message} for finding in one.tried.findings],
            "ready": one.tried.ready,
            "sla": {rule: state.value for rule, state in one.tried.sla.items()},
            "rules": {rule: judgement.value for rule, judgement in one.tried.rules.items()},
        }
        for one in (tried.results if tried else ())
    ]


def _case_lines(tried: CaseResults) -> list[Line]:
    return [
        [
            Tinted("pass  ", Tone.GOOD) if one.tried.passed else Tinted("FAIL  ", Tone.BAD),
            Tinted(f"{one.file}:{one.line}  ", Tone.DIM),
            one.case,
        ]
        for one in tried.results
    ]


def _figures(checked: CheckResult) -> dict[str, Any]:
    """Count what the files say, so that a file that says less than its writer thinks is noticed."""
    process, settings = checked.process, checked.settings
    if process is None or settings is None:
        raise TypeError("files without errors have both models")
    return {
        "process": process.id,
        "stages": len(process.stages),
        "rules": sum(len(stage.rules) for stage in process.stages),
        "slas": len(process.slas) + sum((stage.sla is not None) + len(stage.slas) for stage in process.stages),
        "indicators": len(process.indicators),
        "connections": len(settings.connections),
        "warnings": sum(one.severity == "warning" for one in checked.diagnostics),
    }


def _fine(checked: CheckResult, tried: CaseResults | None) -> Line:
    figures = _figures(checked)
    counted = ", ".join(
        plural(figures[name], word)
        for name, word in (
            ("stages", "stage"),
            ("rules", "rule"),
            ("slas", "SLA"),
            ("indicators", "indicator"),
            ("connections", "connection"),
        )
    )
    cases = f"; {plural(len(tried.results), 'case')} passed" if tried and tried.results else ""
    warnings = f" ({plural(figures['warnings'], 'warning')})" if figures["warnings"] else ""
    return [Tinted("ok", Tone.GOOD), f": process {figures['process']}, {counted}{cases}{warnings}"]
