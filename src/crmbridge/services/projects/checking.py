"""Check a project's files without a network, and load them for the commands that need them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from crmbridge.engine.coherence import Issue, check_process, check_settings
from crmbridge.engine.nearest import nearest
from crmbridge.errors import ConfigurationError
from crmbridge.files.diagnostics import Diagnostic, InvalidFilesError, has_errors, in_order
from crmbridge.files.reading import read_process, read_settings
from crmbridge.files.source import Source
from crmbridge.files.yaml_nodes import Path as KeyPath
from crmbridge.model.business_time import Holidays
from crmbridge.model.process import Process
from crmbridge.services.projects.options import Adapters, check_adapters, check_sinks, check_webhooks
from crmbridge.settings import Settings

if TYPE_CHECKING:
    from crmbridge.plugins import Plugins
    from crmbridge.services.workspace import Project

SETTINGS_FILE = "crmbridge.yaml"
UNREAD = {"file-missing", "file-unreadable"}  # then the line that names the process file is the one that is wrong


class CheckResult(Struct, frozen=True, kw_only=True):
    """What checking a project gave. A model is None when its file has errors of its own."""

    settings: Settings | None
    process: Process | None
    diagnostics: tuple[Diagnostic, ...]
    places: Mapping[str, str] = field(default_factory=dict)  # of the rules, by id: file and line

    @property
    def passed(self) -> bool:
        """Tell whether there are no errors; warnings may be left."""
        return not has_errors(self.diagnostics)


def find_settings(path: Path) -> Path:
    """Find the settings file: the path itself, or `crmbridge.yaml` in that folder.

    Raises ConfigurationError where there is none.
    """
    file = path / SETTINGS_FILE if path.is_dir() else path
    if file.is_file():
        return file
    above = [folder for folder in path.absolute().parents if (folder / SETTINGS_FILE).is_file()]
    advice = "Make a project with `crmbridge init`, or name the folder of one."
    if above:
        advice = f"The folder {above[0]} has one: go there, or say --project {above[0]}."
    raise ConfigurationError(f"There is no settings file {file.absolute()}", advice=advice)


def check_project(
    settings_path: Path, adapters: Adapters, webhooks: Adapters | None = None, sinks: Adapters | None = None
) -> CheckResult:
    """Check the settings file, the process it names, and how the two fit; offline, secrets are not looked up.

    `adapters` holds each installed adapter's settings model by the adapter's name, `webhooks` what those take that read
    webhooks, `sinks` the models of the plugins' sinks; None leaves these unchecked. Never raises.
    """
    loaded = read_settings(settings_path)
    found = [*loaded.diagnostics]
    if loaded.model is None:
        return CheckResult(settings=None, process=None, diagnostics=in_order(found))
    settings, source = loaded.model, loaded.source
    found += check_adapters(settings, source, adapters)
    found += check_webhooks(settings, source, webhooks) if webhooks is not None else ()
    found += check_sinks(settings, source, sinks) if sinks is not None else ()
    found += _check_rates(settings, source, settings_path)
    process = read_process(settings_path.parent / settings.process)
    if process.diagnostics and process.diagnostics[0].code in UNREAD:
        found.append(_unread_process(process.diagnostics[0], source, settings_path.parent, settings.process))
    else:
        found += process.diagnostics
    if process.model is not None:
        found += placed(check_process(process.model), process.source)
        found += _check_holidays(process.model, process.source)
        found += _check_own_indicators(process.model, process.source, settings_path.parent / settings.process)
        found += placed(check_settings(settings, process.model), source)
    places = rule_places(process.model, process.source, settings.process) if process.model else {}
    return CheckResult(settings=settings, process=process.model, diagnostics=in_order(found), places=places)


def _unread_process(why: Diagnostic, source: Source, folder: Path, name: str) -> Diagnostic:
    """Say at the line that names the process file why it can't be read, and what was probably meant."""
    sentence, place = f"the process file {name!r} {why.sentence.removeprefix('the file ')}", (folder / name).parent
    guess = None
    if why.code == "file-missing" and not place.is_dir():
        sentence += f", as the folder {str(Path(name).parent)!r} is not there"
    elif why.code == "file-missing":
        guess = nearest(name, [str(Path(name).parent / file.name) for file in place.glob("*.y*ml") if file.is_file()])
    return source.at(("process",), why.code, sentence, nearest=guess, advice=why.advice)


def rule_places(process: Process, source: Source, name: str) -> dict[str, str]:
    """Give where each rule of a process stands, as `file:line`; `name` is what the file is called there."""
    paths: dict[str, KeyPath] = {"move": ("moves",)}
    for i, stage in enumerate(process.stages):
        at: KeyPath = ("stages", i)
        for part in ("entry", "exit"):
            paths |= {f"{stage.id}.{rule.id}": (*at, part, j) for j, rule in enumerate(getattr(stage, part))}
        paths |= {f"{stage.id}.{part}": (*at, part) for part in ("sla", "handoff") if getattr(stage, part)}
    return {rule: f"{name}:{source.line_of(path)}" for rule, path in paths.items()}


def load_process(path: Path) -> tuple[Process, Source]:
    """Read a process that no settings go with, and the source that places what is said of it.

    Raises InvalidFilesError, which carries the diagnostics, when anything is wrong; warnings pass.
    """
    loaded = read_process(path)
    found = [*loaded.diagnostics]
    if loaded.model is not None:
        found += placed(check_process(loaded.model), loaded.source)
    if loaded.model is None or has_errors(found):
        raise InvalidFilesError(in_order(found))
    return loaded.model, loaded.source


def load_project(
    path: Path, adapters: Adapters, webhooks: Adapters | None = None, sinks: Adapters | None = None
) -> Project:
    """Load the project in a folder (or of a settings file) for running it.

    Raises InvalidFilesError, which carries the diagnostics, when anything is wrong; warnings pass.
    """
    from crmbridge.services.workspace import Project  # noqa: PLC0415  `check` and `init` do without it

    file = find_settings(path)
    result = check_project(file, adapters, webhooks, sinks)
    if result.settings is None or result.process is None or not result.passed:
        raise InvalidFilesError(result.diagnostics)
    digest = digest_of(result.settings, result.process)
    return Project(settings=result.settings, process=result.process, path=file, digest=digest, places=result.places)


def models_of(plugins: Plugins) -> tuple[Adapters, Adapters, Adapters]:
    """Give the settings models of the adapters by name, of those that read webhooks what these take, and of sinks."""
    adapters = plugins.adapters()
    webhooks = {name: spec.webhooks.settings for name, spec in adapters.items() if spec.webhooks}
    sinks = {name: spec.settings for name, spec in plugins.sinks().items()}
    return {name: spec.settings for name, spec in adapters.items()}, webhooks, sinks


def digest_of(settings: Settings, process: Process) -> str:
    """Give 16 hex digits that change whenever the settings or the process mean something else."""
    judged = process.model_dump(mode="json", exclude={"process_tests", "tests"})
    body = [settings.model_dump(mode="json", exclude={"serve", "teams"}), judged]  # of these no plan is made
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def placed(issues: Iterable[Issue], source: Source) -> Iterator[Diagnostic]:
    """Place what does not hang together in the file that says it."""
    for issue in issues:
        yield source.at(
            issue.path,
            issue.code,
            issue.sentence,
            key=issue.at_key,
            within=issue.within,
            nearest=issue.nearest,
            advice=issue.advice,
        )


def _check_rates(settings: Settings, source: Source, path: Path) -> Iterator[Diagnostic]:
    if settings.currency is None:
        return
    from crmbridge.services.reports.measuring import rates_of  # noqa: PLC0415  few projects have several currencies

    try:
        rates_of(settings.currency, path.parent, path.name)
    except ConfigurationError as error:
        yield source.at(("currency", "rates"), "file-unreadable", error.message, advice=error.advice)


def _check_own_indicators(process: Process, source: Source, path: Path) -> Iterator[Diagnostic]:
    for i, indicator in enumerate(process.indicators):
        if indicator.sql is None:
            continue
        from crmbridge.services.reports.measuring import sql_file  # noqa: PLC0415  few projects count something themselves

        try:
            sql_file(path, indicator.sql)
        except ConfigurationError as error:
            yield source.at(("indicators", i, "sql"), "file-unreadable", error.message, advice=error.advice)


def _check_holidays(process: Process, source: Source) -> Iterator[Diagnostic]:
    for name, calendar in process.calendars.items():
        if calendar.holidays is not None and (fault := _holidays_fault(calendar.holidays)):
            key, sentence, allowed = fault
            path = ("calendars", name, "holidays", key)
            named = str(getattr(calendar.holidays, key))
            guess = allowed.get(named) or nearest(named, allowed.values())
            yield source.at(path, "unknown-holidays", sentence, nearest=guess)


def _holidays_fault(wanted: Holidays) -> tuple[str, str, Mapping[str, str]] | None:
    """Name the key that is wrong, why, and what could be meant, by what it may be called; None when it is known."""
    import holidays  # noqa: PLC0415  takes longer than the rest of the check

    try:
        known = holidays.country_holidays(wanted.country)
    except NotImplementedError:
        return "country", f"the holidays of {wanted.country!r} are not known", {}
    subdivisions = {**dict(zip(known.subdivisions, known.subdivisions, strict=True)), **known.subdivisions_aliases}
    if wanted.subdivision is None or wanted.subdivision in known.subdivisions:
        return None
    sentence = f"{wanted.country} has no subdivision {wanted.subdivision!r} with holidays of its own"
    return "subdivision", sentence, subdivisions
