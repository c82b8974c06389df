"""`crmbridge check`: whether the files are right; offline, and fast enough to run on every save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.failures import diagnostic_lines
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Tinted, Tone, plural

if TYPE_CHECKING:
    from crmbridge.services.checking import CheckResult

INVALID = 3


@as_command(
    "check", examples=[("check", "the project here"), ("check --project shop --json", "for an editor or a build")]
)
def command(call: Call) -> Reply:
    """Check the settings and the process, without a network.

    Every mistake is shown with its place, the line, and the nearest name that would be right. Secrets are not looked
    up, no CRM is asked; `crmbridge doctor` does that.
    """
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.checking import check_project, find_settings, models_of  # noqa: PLC0415  the same

    checked = check_project(find_settings(call.project), *models_of(load_plugins()))
    found = [diagnostic.to_json() for diagnostic in checked.diagnostics]
    lines = diagnostic_lines(checked.diagnostics)
    if not checked.passed:
        errors = sum(one.severity == "error" for one in checked.diagnostics)
        message = f"{plural(errors, 'error')} in the project's files"
        error = error_part(
            INVALID, code="invalid_files", message=message, advice="Mend the places shown.", diagnostics=found
        )
        return Reply(error=error, lines=[*lines, Tinted(f"{message}.", Tone.BAD)], exit_code=INVALID)
    return Reply(result={**_figures(checked), "diagnostics": found}, lines=[*lines, _fine(checked)])


def _figures(checked: CheckResult) -> dict[str, Any]:
    """Count what the files say, so that a file that says less than its writer thinks is noticed."""
    process, settings = checked.process, checked.settings
    if process is None or settings is None:
        raise TypeError("files without errors have both models")
    return {
        "process": process.id,
        "stages": len(process.stages),
        "rules": sum(len(stage.exit) for stage in process.stages),
        "slas": len(process.slas) + sum((stage.sla is not None) + len(stage.slas) for stage in process.stages),
        "indicators": len(process.indicators),
        "connections": len(settings.connections),
        "warnings": sum(one.severity == "warning" for one in checked.diagnostics),
    }


def _fine(checked: CheckResult) -> Line:
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
    warnings = f" ({plural(figures['warnings'], 'warning')})" if figures["warnings"] else ""
    return [Tinted("ok", Tone.GOOD), f": process {figures['process']}, {counted}{warnings}"]
