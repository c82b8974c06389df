"""One deal explained: what it is judged by, from what, its history, and what was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.manual.telling import Teller
from crmbridge.model.findings import Judgement, SlaClock, SlaState, Visit
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import Absent, ExplainedRule, Explanation, InStep, SyncedField
from crmbridge.services.answers.explanation import Asked as When
from crmbridge.services.answers.naming import Names, called_in_step
from crmbridge.web.site import Asked, Site, message, page
from crmbridge.web.views.changes import done, names_told
from crmbridge.web.views.deals import edits_in_words, field_label, length_in_words, rule_name, stage_name, teller_of
from crmbridge.web.words import Words
from crmbridge.words import NOTHING

RECENT = 20  # journal rows of a deal
TONES = {SlaState.ON_TIME: "good", SlaState.AT_RISK: "warn", SlaState.BREACHED: "bad"}
MARKS = {
    Judgement.PASS: ("good", "pass"),
    Judgement.FAIL: ("bad", "fail"),
    Judgement.UNKNOWN: ("warn", "unknown_rule"),
    Judgement.NOT_APPLICABLE: ("dim", "not_applicable"),
}
_ABSENT = {
    Absent.NOT_NAMED: "absent_not_named",
    Absent.CLOSED: "absent_closed",
    Absent.BESIDE: "absent_beside",
    Absent.NOT_YET: "absent_not_yet",
}
_APART = {InStep.WAITING: "waits_for_run", InStep.HELD: "waits_for_person", InStep.CONFLICT: "is_conflict"}
_APART |= {InStep.LEFT: "stays_so"}


class Rule(NamedTuple):
    """A rule as the page shows it."""

    of: ExplainedRule
    name: str
    says: str
    tone: str
    mark: str
    todo: str
    seen: Sequence[tuple[str, str, str, str]]  # label, value, where from, when it changed


class Clock(NamedTuple):
    """An SLA clock as the page shows it."""

    of: SlaClock
    stage: str
    tone: str
    state: str
    goal: str
    due: str
    left: str
    share: float  # of the goal that is spent, at most 100


def one(site: Site, asked: Asked) -> Response:
    """Explain one deal."""
    t = asked.words
    ref = Ref(asked.params["connection"], Kind.DEAL, asked.params["id"])
    known = ref.connection in site.workspace.connections and site.workspace.store.records.get([ref])
    if not known:
        return message(site, asked, 404, t("not_found"), t("not_found_why"))
    said = explain(site.workspace, f"{ref.connection}:{ref.id}")
    told = teller_of(site, t)
    names = names_told(site, [entry.change for entry in said.journal], t, fields=said.fields)
    return page(
        site,
        asked,
        "deal.html.j2",
        title=str(said.subject.fields.get("name") or ref),
        said=said,
        stage=stage_name(site, said.evaluation.place.stage, t),
        verdict=_verdict(said, stage_name(site, said.evaluation.place.stage, t), t),
        findings=[(finding, told.finding(finding)) for finding in said.evaluation.findings],
        linked=[(record, str(record.fields.get("name") or "")) for record in said.linked],
        amount=t.value(said.subject.fields.get("amount")),
        rules=[(t(f"rules_{when}"), found) for when in When if (found := list(_rules(site, said, when, t, told)))],
        clocks=[_clock(site, one.clock, t) for one in said.clocks],
        visits=[_visit(site, visit, t) for visit in reversed(said.evaluation.visits)],
        waiting=[(one, field_label(site, one.item.name, t), told.reason(one.item.reason)) for one in said.waiting],
        apart=[
            _apart(site, field, said.linked, names, t) for field in said.fields if field.state is not InStep.IN_STEP
        ],
        stays=any(field.state is InStep.LEFT for field in said.fields),
        absent=[t(_ABSENT[why], connection=connection) for connection, why in said.absent.items()]
        + [
            t("unbound", connection=name, fields=", ".join(field_label(site, each, t) for each in fields))
            for name, fields in said.unbound.items()
        ],
        same=sum(field.state is InStep.IN_STEP for field in said.fields),
        journal=[
            (entry, done(entry.change.action, t), edits_in_words(site, entry.change, names, t))
            for entry in list(said.journal)[-RECENT:][::-1]
            if entry.outcome is not None
        ],
        counted=t("all_times_only", zone=site.zone.key),
    )


def _verdict(said: Explanation, stage: str, t: Words) -> tuple[str, str]:
    ready = said.readiness
    if ready.ready is None:
        return "dim", t("not_placed")
    undecided = " " + t("undecided", n=ready.undecided) if ready.undecided else ""
    if ready.ready:
        return "good", t("ready", stage=stage) + undecided
    return "bad", t("not_ready", stage=stage, failing=ready.failing, rules=ready.rules) + undecided


def _rules(site: Site, said: Explanation, when: When, t: Words, told: Teller) -> Iterable[Rule]:
    for rule in said.rules:
        if rule.asked is not when:
            continue
        verdict = rule.verdict
        tone, mark = MARKS[verdict.judgement]
        wanting = verdict.judgement in {Judgement.FAIL, Judgement.UNKNOWN}
        fields = ", ".join(field_label(site, name, t) for name in verdict.missing)
        yield Rule(
            of=rule,
            name=rule_name(site, verdict.rule, t),
            says=told.verdict(verdict),
            tone=tone,
            mark=t(mark),
            todo=t("to_do", fields=fields) if wanting and fields else "",
            seen=[
                (
                    field_label(site, seen.name, t),
                    t.value(seen.value),
                    f"{seen.source}, {t('of_then' if seen.of_then else 'of_now')}",
                    t.moment(seen.changed_at),
                )
                for seen in rule.seen
            ],
        )


def _clock(site: Site, clock: SlaClock, t: Words) -> Clock:
    now = site.workspace.clock.now()
    left = (clock.due_at - now).total_seconds() if clock.running and clock.due_at else None
    paused = t("paused") if clock.paused_since else t("no_clock")
    return Clock(
        of=clock,
        stage=rule_name(site, clock.sla, t),
        tone=TONES[clock.state],
        state=t(clock.state.value),
        goal=length_in_words(str(clock.limit), t),
        due=t.moment(clock.due_at) if clock.running else t("ended", when=t.moment(clock.ended_at)),
        left="" if not clock.running else paused if left is None else t.left(left),
        share=min(100.0, round(100 * clock.elapsed / clock.goal, 1)) if clock.goal else 100.0,
    )


def _visit(site: Site, visit: Visit, t: Words) -> tuple[str, str, str, str]:
    end = visit.left_at or site.workspace.clock.now()
    left = t.moment(visit.left_at) if visit.left_at else t("still_there")
    return stage_name(site, visit.stage, t), t.moment(visit.entered_at), left, t.span(end - visit.entered_at)


def _apart(
    site: Site, field: SyncedField, linked: Sequence[Record], names: Names, t: Words
) -> tuple[str, str, list[tuple[str, str]], str]:
    def written(value: Value) -> str:
        if field.name == "stage" and isinstance(value, str):
            return stage_name(site, value, t)
        return called_in_step(names, field.name, value) or t.value(value)

    connections = [record.ref.connection for record in linked]
    sides = [(each, written(field.now[each]) if each in field.now else NOTHING) for each in connections]
    state = t(_APART[field.state])
    agreed = ", ".join(dict.fromkeys(map(written, field.base.values()))) or NOTHING
    return field_label(site, field.name, t), state, sides, agreed
