"""Gather what indicators are computed from beside the state: rates, and what the team and plugins count themselves."""

from __future__ import annotations

from pathlib import Path

from crmbridge.engine.nearest import nearest
from crmbridge.engine.rules.rule_fields import segments
from crmbridge.errors import ConfigurationError
from crmbridge.indicators import Options, Period
from crmbridge.indicators.currency import Rate, Rates, checked, read_rates
from crmbridge.indicators.options import TEAM
from crmbridge.indicators.own import OwnMeasure, definition_of
from crmbridge.model.figures import Unit
from crmbridge.model.process import Indicator
from crmbridge.model.replacing import replace
from crmbridge.plugins import IndicatorSpec
from crmbridge.services.workspace import Project, Workspace
from crmbridge.settings import Currency, Report

_WHERE_TEAMS_ARE = "Say under `teams:` in the settings who is in which. "
_LARGEST = 64 * 1024  # bytes of an SQL file


def indicator_options(workspace: Workspace, language: str = "en") -> Options:
    """Give the options that a project's settings, process and plugins ask for.

    Raises ConfigurationError for rates or an SQL file that can't be read, and for an indicator that no plugin offers.
    """
    project, offered = workspace.project, workspace.plugins.indicators()
    for indicator in project.process.indicators:
        if indicator.plugin is not None and indicator.plugin not in offered:
            raise ConfigurationError(
                f"No plugin offers the indicator {indicator.plugin!r}, which {indicator.id!r} asks for",
                advice=_nearest_offer(indicator.plugin, offered),
            )
    team = (_from_file(project, each, language) for each in project.process.indicators if each.sql is not None)
    plugins = (_from_plugin(spec) for spec in offered.values())
    return Options(language=language, rates=project_rates(project), own=(*team, *plugins))


def report_options(workspace: Workspace, report: Report) -> Options:
    """Give the options that a report of the settings asks for.

    Raises as `indicator_options`, and for a field to group by that deals don't have.
    """
    _check_segment(workspace.project, report.by)
    return replace(
        indicator_options(workspace, language_of(workspace, report)),
        segment=report.by,
        teams=_teams(workspace.project),
        period=Period(report.period) if report.period else None,
        timezone=report.timezone,
        horizon=report.horizon,
        measures=report.measures,
    )


def language_of(workspace: Workspace, report: Report) -> str:
    """Give the language that a report is written in: its own, else that of the settings."""
    return report.language or workspace.project.settings.language


def project_rates(project: Project) -> Rates | None:
    """Give the rates of a project; None where the settings have no `currency`."""
    return rates_of(project.settings.currency, project.folder, project.path.name) if project.settings.currency else None


def rates_of(currency: Currency, folder: Path, settings_name: str) -> Rates:
    """Read the rates that settings name, or hold themselves; raises ConfigurationError for what can't be rates."""
    if isinstance(currency.rates, str):
        return read_rates(folder / currency.rates, currency.report_in, currency.rates)
    return checked(
        (Rate(each.date, each.currency, each.rate) for each in currency.rates), currency.report_in, settings_name
    )


def sql_file(process_path: Path, name: str) -> str:
    """Read an SQL file beside the process; raises ConfigurationError for one that lies elsewhere or can't be read."""
    folder = process_path.parent.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise ConfigurationError(f"{name} lies outside the process's folder", advice="Keep it beside the process file.")
    try:
        content = path.read_bytes()[: _LARGEST + 1]
        if len(content) > _LARGEST:
            raise ConfigurationError(f"{name} has more than {_LARGEST:,} bytes", advice="Write a shorter query.")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"{name} can't be read: {reason}", advice="Mend its name or the file.") from None


def _teams(project: Project) -> dict[str, str]:
    """Give everybody's team by their e-mail address, in small letters."""
    return {one.strip().lower(): team for team, people in project.settings.teams.items() for one in people}


def _check_segment(project: Project, name: str | None) -> None:
    known = segments(project.process, project.settings.teams)
    if name is not None and name not in known:
        meant = nearest(name, known)
        raise ConfigurationError(
            f"Deals have no field {name!r} to group by",
            advice=f"{_WHERE_TEAMS_ARE if name == TEAM else f'Did you mean {meant}? ' if meant else ''}"
            f"There are: {', '.join(known)}.",
        )


def _from_file(project: Project, indicator: Indicator, language: str) -> OwnMeasure:
    file = str(indicator.sql)
    sql = sql_file(project.folder / project.settings.process, file)
    name = indicator.name.in_language(language)
    return OwnMeasure(
        id=indicator.id,
        name=name,
        definition=definition_of(sql, name),
        unit=Unit(str(indicator.unit)),
        sql=sql,
        place=file,
    )


def _from_plugin(spec: IndicatorSpec) -> OwnMeasure:
    return OwnMeasure(
        id=spec.name,
        name=spec.title,
        definition=spec.definition,
        unit=Unit(spec.unit),
        sql=spec.sql,
        place=f"indicator {spec.name} of a plugin",
    )


def _nearest_offer(name: str, offered: dict[str, IndicatorSpec]) -> str:
    meant = nearest(name, offered)
    guess = f"Did you mean {meant}? " if meant else ""
    return f"{guess}Offered: {', '.join(offered) or 'none'}."
