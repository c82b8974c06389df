"""The JSON forms of what commands answer, where the model's codec has none; their shape is documented and stable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crmbridge.model.codec import blocked_to_json, change_to_json, entry_to_json, finding_to_json, ref_to_json
from crmbridge.model.values import fields_to_json, iso, to_json

if TYPE_CHECKING:
    from crmbridge.errors import CrmbridgeError
    from crmbridge.model.changes import Change, Receipt
    from crmbridge.model.findings import SlaClock, Verdict, Visit, Waiver
    from crmbridge.ports import Run
    from crmbridge.services.answers.explanation import ExplainedRule, Explanation
    from crmbridge.services.answers.listing import ListedFinding, Shown
    from crmbridge.services.apply.applied import Applied
    from crmbridge.services.enforce.thresholds import Crossed
    from crmbridge.services.reports.publishing import Delivery
    from crmbridge.services.runs.cycle import Cycle
    from crmbridge.services.runs.running import Ran
    from crmbridge.settings import Amount


def error_form(error: CrmbridgeError) -> dict[str, Any]:
    """Write an error that is part of a result."""
    return {"code": error.code, "message": error.message, "advice": error.advice}


def run_form(run: Run, *, under_way: bool) -> dict[str, Any]:
    """Write a run. One that has not ended and is not under way was killed."""
    return {
        "id": run.id,
        "command": run.command,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at) if run.finished_at else None,
        "exit_code": run.exit_code,
        "under_way": under_way,
        "summary": dict(run.summary),
    }


def ran_form(ran: Ran) -> dict[str, Any]:
    """Write what a run that just ended did."""
    body: dict[str, Any] = {"command": ran.command, "exit_code": ran.exit_code}
    if ran.cycle is not None:
        body |= cycle_form(ran.cycle)
    if ran.delivered:
        body["reports"] = [delivery_form(one) for one in ran.delivered]
    if ran.error is not None:
        body["error"] = error_form(ran.error)
    return body


def cycle_form(cycle: Cycle) -> dict[str, Any]:
    """Write what a cycle did, step by step; the steps that it didn't have are left out."""
    body: dict[str, Any] = {"run": cycle.run, "summary": cycle.summary()}
    if cycle.pulled:
        body["pulled"] = [
            {
                "connection": one.connection,
                "records": one.records,
                "moves": one.moves,
                "gone": one.gone,
                "problems": one.problems,
                "error": error_form(one.error) if one.error else None,
            }
            for one in cycle.pulled
        ]
    if cycle.reconciled:
        body["reconciled"] = [receipt_form(one) for one in cycle.reconciled]
    if cycle.plan is not None:
        body["plan"] = {
            "id": cycle.plan.id,
            "changes": [change_to_json(change) for change in cycle.plan.changes],
            "blocked": [blocked_to_json(blocked) for blocked in cycle.plan.blocked],
        }
    if cycle.crossed:
        body["thresholds"] = [threshold_form(one) for one in cycle.crossed]
    if cycle.chosen is not None and (cycle.chosen.left or cycle.chosen.unselected):
        left = [
            {"change": change.id, "why": f"it needs the change {needed}, which is left out"}
            for change, needed in cycle.chosen.left
        ]
        body["left_out"] = {"unselected": cycle.chosen.unselected, "dependent": left}
    if cycle.applied.done or cycle.applied.errors:
        body["applied"] = applied_form(cycle.applied)
    return body


def threshold_form(one: Crossed) -> dict[str, Any]:
    """Write a threshold that was reached."""
    limit: Amount = getattr(one.threshold, one.limit)
    return {
        "rule": one.threshold.rule,
        "severity": one.threshold.severity.value,
        "limit": one.limit,
        "count": limit.count,
        "percent": limit.percent,
        "findings": one.findings,
        "deals": one.deals,
        "open_deals": one.open_deals,
    }


def applied_form(applied: Applied) -> dict[str, Any]:
    """Write what applying did."""
    return {
        "outcomes": applied.counts,
        "before": len(applied.before),
        "receipts": [receipt_form(receipt) for _, receipt in applied.done],
        "errors": {connection: error_form(error) for connection, error in applied.errors.items()},
    }


def receipt_form(receipt: Receipt) -> dict[str, Any]:
    """Write what became of one change."""
    return {
        "change": receipt.change,
        "outcome": receipt.outcome.value,
        "ref": ref_to_json(receipt.ref) if receipt.ref else None,
        "message": receipt.message,
    }


def delivery_form(delivery: Delivery) -> dict[str, Any]:
    """Write what became of a report at one sink. Neither a place nor an error: it was there already."""
    return {
        "report": delivery.report,
        "sink": delivery.sink,
        "place": delivery.place or None,
        "note": delivery.note or None,
        "error": error_form(delivery.error) if delivery.error else None,
    }


def finding_form(listed: ListedFinding) -> dict[str, Any]:
    """Write a finding with its deal's name and owner."""
    return {
        **finding_to_json(listed.finding),
        "state": listed.state,
        "deal_name": listed.deal,
        "owner": listed.owner or None,
        "opened_at": iso(listed.opened_at),
        "cleared_at": iso(listed.cleared_at) if listed.cleared_at else None,
    }


def shown_finding_form(shown: Shown) -> dict[str, Any]:
    """Write a finding with its history, what was done about it, and what would clear it."""
    return {
        "finding": finding_form(shown.listed),
        "events": [
            {"turn": event.turn.value, "at": iso(event.at), "said": event.said, "finding": event.finding}
            for event in shown.events
        ],
        "journal": [entry_to_json(entry) for entry in shown.journal],
        "clears": list(shown.clears),
    }


def waiver_form(waiver: Waiver) -> dict[str, Any]:
    """Write a waiver."""
    return {
        "deal": ref_to_json(waiver.deal),
        "rule": waiver.rule,
        "by": waiver.by,
        "why": waiver.why,
        "until": iso(waiver.until),
        "at": iso(waiver.at),
    }


def explanation_form(said: Explanation, stage: Mapping[str, str]) -> dict[str, Any]:
    """Write everything known of one deal; `stage` gives the stages' names."""
    now = said.evaluation
    return {
        "deal": ref_to_json(said.subject.ref),
        "name": said.subject.fields.get("name"),
        "url": said.subject.url,
        "owner": said.owner,
        "at": iso(now.at),
        "stage": now.place.stage,
        "stage_name": stage.get(now.place.stage or ""),
        "status": now.place.status.value,
        "linked": [ref_to_json(record.ref) for record in said.linked],
        "findings": [
            {
                **finding_to_json(finding),
                "action": said.actions.get(finding.id, "audit"),
                "opened_at": iso(opened) if (opened := said.opened.get(finding.id)) else None,
            }
            for finding in now.findings
        ],
        "as_of_then": said.at is not None,
        "values_of_today": list(said.unknown_then),
        "ready": said.readiness.ready,
        "verdict": {
            "rules": said.readiness.rules,
            "failing": said.readiness.failing,
            "undecided": said.readiness.undecided,
        },
        "rules": [_rule(rule) for rule in said.rules],
        "clocks": [{**_clock(one.clock), "place": one.place or None} for one in said.clocks],
        "visits": [_visit(visit) for visit in now.visits],
        "wanted": _changes(said.wanted),
        "fields": [
            {
                "name": field.name,
                "in_step": field.in_step,
                "state": field.state.value,
                "now": fields_to_json(field.now),
                "base": fields_to_json(field.base),
            }
            for field in said.fields
        ],
        "absent": {connection: why.value for connection, why in said.absent.items()},
        "unbound": {connection: list(names) for connection, names in said.unbound.items()},
        "waiting": [{"id": one.item.id, **blocked_to_json(one.item), "since": iso(one.since)} for one in said.waiting],
        "journal": [entry_to_json(entry) for entry in said.journal],
    }


def _changes(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [change_to_json(change) for change in changes]


def _rule(rule: ExplainedRule) -> dict[str, Any]:
    return {
        **_verdict(rule.verdict),
        "asked": rule.asked.value,
        "place": rule.place or None,
        "holds": rule.holds,
        "remedy": rule.remedy or None,
        "role": rule.role or None,
        "person": rule.person,
        "sources": [
            {
                "field": one.name,
                "value": to_json(one.value),
                "connection": one.source,
                "of_then": one.of_then,
                "told": one.told.value,
                "told_at": iso(one.told_at) if one.told_at else None,
                "why": one.why or None,
                "changed_at": iso(one.changed_at) if one.changed_at else None,
                "pulled_at": iso(one.pulled_at) if one.pulled_at else None,
            }
            for one in rule.seen
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule,
        "stage": verdict.stage,
        "judgement": verdict.judgement.value,
        "message": verdict.message,
        "seen": fields_to_json(verdict.seen),
        "missing": list(verdict.missing),
        "as_of": iso(verdict.as_of) if verdict.as_of else None,
        "values": verdict.values,
    }


def _clock(clock: SlaClock) -> dict[str, Any]:
    return {
        "sla": clock.sla,
        "stage": clock.visit.stage,
        "visit": clock.visit.number,
        "calendar": clock.calendar or None,
        "goal": str(clock.limit),
        "state": clock.state.value,
        "running": clock.running,
        "started_at": iso(clock.started_at),
        "ended_at": iso(clock.ended_at) if clock.ended_at else None,
        "pauses": [{"from": iso(since), "until": iso(until) if until else None} for since, until in clock.pauses],
        "goal_seconds": _seconds(clock.goal),
        "elapsed_seconds": _seconds(clock.elapsed),
        "left_seconds": _seconds(clock.goal - clock.elapsed),
        "due_at": iso(clock.due_at) if clock.due_at else None,
    }


def _visit(visit: Visit) -> dict[str, Any]:
    return {
        "stage": visit.stage,
        "number": visit.number,
        "entered_at": iso(visit.entered_at),
        "left_at": iso(visit.left_at) if visit.left_at else None,
    }


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
