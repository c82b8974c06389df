"""The checks of the settings against the process and themselves, one function each, collected at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crmbridge.engine.coherence.acting import (
    check_conditions,
    check_notices,
    check_people,
    check_thresholds,
    check_time,
)
from crmbridge.engine.coherence.beside import roles_named
from crmbridge.engine.coherence.process import RESERVED_STAGES
from crmbridge.engine.issues import Issue, Path, duplicates, issue, listed, unknown
from crmbridge.engine.nearest import nearest
from crmbridge.engine.rules.rule_fields import deal_fields, segments
from crmbridge.engine.sync.matching import EXTERNAL_KEY, looks_at_company
from crmbridge.model.process import Process
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.settings import USUAL_MATCH, Binding, MatchedKind, MatchRules, Settings, Sync
from crmbridge.sink_settings import wrong_in


def check_stage_maps(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find stage maps of unknown connections, unknown stages in them, and native stages that stand for two."""
    maps = [(("stages", name), name) for name in settings.stages]
    yield from unknown("connection", maps, settings.connections, at_key=True)
    allowed = (*(stage.id for stage in process.stages), *RESERVED_STAGES)
    for name, stage_map in settings.stages.items():
        keys = [(("stages", name, "map", key), key) for key in stage_map.map]
        yield from unknown("stage", keys, allowed, at_key=True)
        yield from _ambiguous(("stages", name, "map"), stage_map.map, process)


def check_coverage(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find open stages of the process without a counterpart in a connection whose stages are mapped."""
    for name, stage_map in settings.stages.items():
        missing = [stage.id for stage in process.stages if stage.status == "open" and stage.id not in stage_map.map]
        if missing:
            sentence = f"{name} has no counterpart for {', '.join(missing)}; its deals never stand there"
            yield issue(("stages", name, "map"), "uncovered-stage", sentence, at_key=True)


def check_connection_fields(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find mapped fields that the process doesn't declare, and a CRM's fields that stand for two."""
    declared = [field.id for field in process.fields]
    for name, connection in settings.connections.items():
        named = [(("connections", name, "fields", field), field) for field in connection.fields]
        yield from unknown("field", named, declared, at_key=True)
        owners: dict[str, str] = {}
        for field, native in connection.fields.items():
            if (first := owners.setdefault(native, field)) != field:
                sentence = f"{native!r} already stands for {first!r}, so one would overwrite the other"
                yield issue(("connections", name, "fields", field), "shared-field", sentence)


def check_sync(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find syncs with the same name, and unknown connections, fields and match keys in them."""
    yield from duplicates("sync", [(("sync", i, "name"), sync.name) for i, sync in enumerate(settings.sync)])
    fields = (*deal_fields(process), "stage", "*")
    for i, sync in enumerate(settings.sync):
        at: Path = ("sync", i)
        between = listed((*at, "between"), sync.between)
        yield from unknown("connection", between, settings.connections)
        yield from duplicates("connection", between)
        members: list[tuple[Path, str]] = [((*at, "create", j), name) for j, name in enumerate(sync.create)]
        members += _named_connections(at, sync)
        outside = [(path, name) for path, name in members if name in settings.connections and name not in sync.between]
        for path, name in outside:
            yield issue(path, "unknown-connection", f"{name!r} is not one of those that stand in `between`")
        yield from unknown("connection", [each for each in members if each not in outside], sync.between)
        yield from unknown("field", [((*at, "fields", field), field) for field in sync.fields], fields, at_key=True)
        for kind, rules in sync.match.items():
            yield from unknown("field", _match_names(at, kind, rules), _match_fields(process, kind))


def _named_connections(at: Path, sync: Sync) -> Iterator[tuple[Path, str]]:
    """Name the connections that win, or speak alone, and where the settings say so."""
    for field, policy in sync.fields.items():
        if policy.preferred is not None:
            yield (*at, "fields", field, "conflict"), policy.preferred
        if policy.source is not None:
            yield (*at, "fields", field, "direction"), policy.source
    if sync.notes_source is not None:
        yield (*at, "notes"), sync.notes_source


def check_idle(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find what a sync says and nothing comes of, because of something else that it says or doesn't."""
    for i, sync in enumerate(settings.sync):
        at: Path = ("sync", i)
        for path, sentence in (*_idle_policies(sync), *_idle_creations(sync), *_idle_rest(sync, settings)):
            yield issue((*at, *path), "idle-setting", sentence)


def _idle_policies(sync: Sync) -> Iterator[tuple[Path, str]]:
    for field, policy in sync.fields.items():
        if policy.source is not None and "conflict" in policy.model_fields_set:
            sentence = f"there are no conflicts where {policy.source} alone speaks; leave out `conflict` or `direction`"
            yield ("fields", field, "conflict"), sentence
        elif field == "stage" and policy.conflict == "only_if_empty":
            sentence = (
                "a deal always stands in a stage, so nothing is filled in; write newest, ask or prefer: CONNECTION"
            )
            yield ("fields", field, "conflict"), sentence


def _idle_creations(sync: Sync) -> Iterator[tuple[Path, str]]:
    for name, policy in (("companies", sync.companies), ("contacts", sync.contacts)):
        if policy == "create" and not sync.create:
            yield (name,), f"{name} are created where deals are, and `create` names no connection; add `create: [...]`"


def _idle_rest(sync: Sync, settings: Settings) -> Iterator[tuple[Path, str]]:
    if "delete_cap" in sync.model_fields_set and sync.delete != "archive":
        sentence = (
            f"nothing is deleted with `delete: {sync.delete}`; write `delete: archive`, or leave `delete_cap` out"
        )
        yield ("delete_cap",), sentence
    source = settings.connections.get(sync.notes_source or "") if sync.notes_source in sync.between else None
    if source is not None and "note" not in (source.kinds or ()):
        sentence = f"{sync.notes_source} pulls no notes; write `kinds: [user, company, contact, deal, note]` there"
        yield ("notes",), sentence


def check_blind_match(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find syncs that create deals and can find none that is there, as no company of a connection is pulled."""
    for i, sync in enumerate(settings.sync):
        rules = [rule for rule in sync.match.get("deal", USUAL_MATCH["deal"]) if rule != EXTERNAL_KEY]
        entries = {name: settings.connections[name] for name in sync.between if name in settings.connections}
        blind = [name for name, entry in entries.items() if entry.kinds is not None and "company" not in entry.kinds]
        if sync.create and blind and rules and all(map(looks_at_company, rules)):
            sentence = (
                f"{', '.join(blind)} pulls no companies, so no rule of `match` finds a deal that is there already, and "
                "it would be made a second time; add company to `kinds`, or write `match: {deal: [external_key, name]}`"
            )
            yield issue(("sync", i, "create"), "blind-match", sentence)


def check_shared(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find connections that stand in more than one sync: each would undo the other's links."""
    first: dict[str, int] = {}
    for i, sync in enumerate(settings.sync):
        for j, name in enumerate(sync.between):
            if name in settings.connections and first.setdefault(name, i) != i:
                sentence = f"{name!r} stands in the sync {settings.sync[first[name]].name!r} already"
                yield issue(("sync", i, "between", j), "shared-connection", sentence)


def check_one_sided(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find syncs in which only some connections have their stages mapped."""
    for i, sync in enumerate(settings.sync):
        without = [name for name in sync.between if name in settings.connections and name not in settings.stages]
        if without and any(name in settings.stages for name in sync.between):
            sentence = f"{', '.join(without)} has no stages mapped, so stages are not kept in step there"
            yield issue(("sync", i, "between"), "one-sided-sync", sentence)


def check_bindings(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find bindings that match no rule or name unknown connections or fields."""
    rules, fields = process.rule_ids(), deal_fields(process)
    for i, binding in enumerate(settings.enforce):
        if not any(_speaks_of(binding, rule) for rule in rules):
            sentence = f"no rule of the process matches {binding.rule!r}"
            yield issue(("enforce", i, "rule"), "unknown-rule", sentence, nearest=nearest(binding.rule, rules))
        on = listed(("enforce", i, "on"), binding.on)
        yield from unknown("connection", on, settings.connections)
        if binding.field is not None:
            yield from unknown("field", [(("enforce", i, "field"), binding.field)], fields)
    yield from check_conditions(settings, process, fields)
    yield from check_thresholds(settings, rules)


def check_listed(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find roles that may approve or move deals and that nobody is listed for."""
    missing = sorted(roles_named(process) - {role for role, people in settings.people.items() if people})
    if missing and settings.connections:
        sentence = f"the process lets {', '.join(missing)} approve or move deals, and nobody is listed for it here"
        yield issue(("people",), "nobody-listed", sentence, at_key=True)


def check_teams(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find people who are in two teams."""
    seen: set[str] = set()
    for team, people in settings.teams.items():
        for i, one in enumerate(people):
            if one.strip().casefold() in seen:
                yield issue(("teams", team, i), "duplicate-id", f"{one} is listed under `teams` twice")
            seen.add(one.strip().casefold())


def check_reports(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find reports with the same name, a language or field that the process doesn't have, or unreadable sinks."""
    yield from duplicates("report", [(("reports", i, "name"), r.name) for i, r in enumerate(settings.reports)])
    for i, report in enumerate(settings.reports):
        language = [(("reports", i, "language"), report.language)] if report.language is not None else []
        yield from unknown("language", language, process.languages)
        by = [(("reports", i, "by"), report.by)] if report.by is not None else []
        yield from unknown("field", by, segments(process, settings.teams))
        for j, sink in enumerate(report.sinks):
            path = ("reports", i, "sinks", j)
            if len(sink) != 1:
                yield issue(path, "wrong-sink", "a sink is one key with its settings, such as {html: reports/}")
            else:
                yield from _check_sink(*next(iter(sink.items())), path, settings)


def _check_sink(name: str, value: Any, path: Path, settings: Settings) -> Iterator[Issue]:
    """Find a sink whose settings can't be read, or that writes to a connection that isn't there."""
    if wrong := wrong_in(name, value):
        yield issue((*path, name), "wrong-sink", f"the sink `{name}` is wrong: {wrong}")
    elif name == "crm":
        yield from unknown("connection", [((*path, "crm", "connection"), value["connection"])], settings.connections)


def check_schedule(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find unknown reports in the schedule."""
    reports = [report.name for report in settings.reports]
    named = [(("schedule", i, "report"), e.report) for i, e in enumerate(settings.schedule) if e.report is not None]
    yield from unknown("report", named, reports)


def _ambiguous(at: Path, stage_map: Mapping[str, tuple[str, ...]], process: Process) -> Iterator[Issue]:
    won = process.won_stage.id if process.won_stage else None
    owners: dict[str, str] = {}
    for key, natives in stage_map.items():
        stage = "won" if key == won else key  # two names for one thing
        for native in natives:
            first = owners.setdefault(native, stage)
            if first != stage:
                yield issue((*at, key), "ambiguous-stage", f"{native!r} already stands for {first!r}")


def _speaks_of(binding: Binding, rule: str) -> bool:
    return binding.matches(rule, binding.on[0] if binding.on else "")


def _match_names(at: Path, kind: MatchedKind, rules: MatchRules) -> Iterator[tuple[Path, str]]:
    for i, key in enumerate(rules):
        path = (*at, "match", kind, i)
        if isinstance(key, str):
            yield path, key
        else:
            yield from listed(path, key)


def _match_fields(process: Process, kind: MatchedKind) -> tuple[str, ...]:
    """Name what records of a kind can be told by: deals also by our key, and all but companies by their company."""
    company = [f"company.{name}" for name in STANDARD_FIELDS[Kind.COMPANY]]
    if kind == "deal":
        return ("external_key", *deal_fields(process), *company)
    own = [name for name in STANDARD_FIELDS[Kind(kind)] if name != "company"]  # an id, which another CRM doesn't know
    return (*own, *(company if kind == "contact" else ()))


SETTINGS_CHECKS: tuple[Callable[[Settings, Process], Iterator[Issue]], ...] = (
    check_stage_maps,
    check_coverage,
    check_connection_fields,
    check_sync,
    check_idle,
    check_blind_match,
    check_shared,
    check_one_sided,
    check_bindings,
    check_people,
    check_listed,
    check_notices,
    check_time,
    check_teams,
    check_reports,
    check_schedule,
)
