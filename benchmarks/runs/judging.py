"""crmbridge's rules, measured in a process of their own: in memory, and over deals in a store.

python -m runs.judging verdicts DEALS | explain DEALS | fill FOLDER DEALS | all FOLDER | changes FOLDER COUNT
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmbridge.engine.deals.checks import Case, Verdicts, judge_stage
from crmbridge.model.findings import Judgement
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from runs.projects import CONNECTION
from runs.rule_set import FIELDS, RULES, deals

if TYPE_CHECKING:
    from crmbridge.services.workspace import Workspace

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
PAGE = 5_000


def process() -> dict[str, Any]:
    """Give a process of two stages; the twenty rules are those of the first."""
    rules = [{"id": f"rule_{number}", "check": {"expr": rule}} for number, rule in enumerate(RULES)]
    stage = {"purpose": "Go on.", "owner": "sales"}
    return {
        "version": 1,
        "id": "bench",
        "name": "Benchmark",
        "purpose": "Measure rules.",
        "leader": "sales",
        "roles": [{"id": "sales", "name": "Sales"}],
        "fields": [{"id": name, "name": name, "type": kind} for name, kind in FIELDS.items()],
        "stages": [{"id": "first", "name": "First", "exit": rules, **stage}, {"id": "next", "name": "Next", **stage}],
    }


def fields_of(deal: dict[str, Any]) -> dict[str, Value]:
    """Give a deal's fields as records have them."""
    numbers = {name: Decimal(str(deal[name])) for name in ("discount", "probability")}
    money = Money(Decimal(str(deal["amount"])), "EUR")
    return {**deal, **numbers, "amount": money, "contacts": tuple(deal["contacts"])}


def judged(given: list[dict[str, Value]], model: Process) -> list[Verdicts]:
    """Judge deals in the first stage."""
    stage = model.stages[0]
    return [judge_stage(Case(process=model, stage=stage, fields=each, now=NOW, zone=UTC)) for each in given]


def verdicts(count: int) -> dict[str, Any]:
    """Judge all deals by all rules, three times; the fastest counts. The reasons are in what is kept."""
    given, model = [fields_of(deal) for deal in deals(count)], Process.model_validate(process())
    found, best = judged(given[:1], model), float("inf")
    for _ in range(3):
        start = time.perf_counter()
        found = judged(given, model)
        best = min(best, time.perf_counter() - start)
    holds = sum(judgement is Judgement.PASS for one in found for judgement in one.judgements)
    return {"verdicts": sum(map(len, found)), "seconds": best, "holds": holds}


def explain(count: int) -> dict[str, Any]:
    """Judge single deals and put every verdict in words; the median counts."""
    times = []
    model = Process.model_validate(process())
    for deal in deals(count):
        fields = fields_of(deal)
        start = time.perf_counter()
        _ = [tuple(one) for one in judged([fields], model)]
        times.append(time.perf_counter() - start)
    times.sort()
    return {"microseconds": times[len(times) // 2] * 1e6, "worst_tenth": times[len(times) * 9 // 10] * 1e6}


def fill(folder: Path, count: int) -> dict[str, Any]:
    """Make a project whose store has so many deals."""
    from crmbridge.ports import Page  # noqa: PLC0415  only here

    (folder / "process.yaml").write_text(json.dumps(process()), "utf-8")
    settings = {
        "version": 1,
        "process": "process.yaml",
        "store": "sqlite:///state.db",
        "connections": {CONNECTION: {"adapter": "hubspot", "token": {"env": "BENCH_TOKEN"}, "kinds": ["deal"]}},
        "stages": {CONNECTION: {"pipeline": "default", "map": {"first": "first", "next": "next"}}},
    }
    (folder / "crmbridge.yaml").write_text(json.dumps(settings), "utf-8")
    records = (_record(number, deal) for number, deal in enumerate(deals(count)))
    with _workspace(folder) as workspace:
        for number in itertools.count():
            page = tuple(itertools.islice(records, PAGE))
            if not page:
                break
            workspace.store.records.save_page(CONNECTION, Kind.DEAL, Page(records=page, cursor=str(number)), NOW)
    return {"deals": count}


def _record(number: int, deal: dict[str, Any]) -> Record:
    return Record(
        ref=Ref(CONNECTION, Kind.DEAL, str(number)),
        fields=fields_of(deal),
        version="1",
        created_at=NOW - timedelta(days=9),
        updated_at=NOW - timedelta(days=1),
        position=Position("default", "first", Status.OPEN),
    )


def everything(folder: Path) -> dict[str, Any]:
    """Judge every deal in the store, as the cycle does."""
    with _workspace(folder) as workspace:
        return _judge(workspace)


def changes(folder: Path, count: int) -> dict[str, Any]:
    """Change some deals, and judge what that makes pending."""
    with _workspace(folder) as workspace:
        wanted = [Ref(CONNECTION, Kind.DEAL, str(number)) for number in range(count)]
        records = workspace.store.records.get(wanted)
        later = NOW + timedelta(hours=1)
        changed = {"version": "2", "updated_at": later}
        again = [(one, {**one.fields, "name": f"{one.ref.id} again"}) for one in records.values()]
        edited = [replace(one, fields=fields, **changed) for one, fields in again]
        workspace.store.records.put(edited)
        return _judge(workspace)


def _judge(workspace: Workspace) -> dict[str, Any]:
    from crmbridge.services.enforce.awaiting import dealt  # noqa: PLC0415  only here
    from crmbridge.services.enforce.evaluating import judge_pending  # noqa: PLC0415  the same

    start = time.perf_counter()
    judged = judge_pending(workspace)
    dealt(workspace, judged, ())
    return {"deals": judged.deals, "seconds": time.perf_counter() - start}


def _workspace(folder: Path) -> Any:
    from crmbridge.app import open_workspace  # noqa: PLC0415  only here

    return open_workspace(folder)


def run(task: str, given: list[str]) -> dict[str, Any]:
    """Do one task."""
    match task:
        case "verdicts":
            return verdicts(int(given[0]))
        case "explain":
            return explain(int(given[0]))
        case "fill":
            return fill(Path(given[0]), int(given[1]))
        case "all":
            return everything(Path(given[0]))
        case _:
            return changes(Path(given[0]), int(given[1]))


def main() -> None:
    """Do one task and say what it cost."""
    found = run(sys.argv[1], sys.argv[2:])
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**found, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
