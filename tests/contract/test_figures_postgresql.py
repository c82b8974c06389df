"""Figures from a state on a server are those from the same state in a file, whatever text the CRMs hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import URL

from crmbridge.errors import StateError
from crmbridge.indicators import compute
from crmbridge.indicators.options import Options, Period
from crmbridge.indicators.state import opened
from crmbridge.model.findings import Evaluation, FindingKind, Place, Severity, SlaState, Visit, Waived
from crmbridge.model.records import Kind, Record, Status
from crmbridge.model.values import Money, Value
from crmbridge.ports import Page, StateStore
from crmbridge.store import open_store
from crmbridge.testing.factories import (
    NOON,
    make_clock,
    make_deal,
    make_evaluation,
    make_finding,
    make_process,
    make_record,
    make_ref,
    make_user,
    make_visit,
)

HOSTILE = (
    "plain", "", "\\N", "NULL", '"', '""', ",", "a\nb", "a\r\nb", "'; DROP TABLE records; --", "\\", "\\u0000",
    "\\ud800", "\\\\u0000", "😀", "ação", "资格", '{"set":[1]}', "$.x", "%s", "\u2028", "true", "1", "0",
)  # fmt: skip
UNSTORABLE = ("x\x00y", "x\ud800y", "\udc00", "\x00")  # in JSON they can be kept
STAGES = ("qualification", "proposal", "closing")
FIELDS = [
    {"id": name, "type": kind, "name": name}
    for name, kind in (("source", "text"), ("fit", "bool"), ("seats", "number"))
]
PROCESS = make_process(
    fields=[*({"id": f"bant.{name}", "name": name} for name in ("budget", "authority", "need", "timeline")), *FIELDS],
    indicators=[
        {"id": "won", "name": "Won", "measure": "win_rate", "target": "20%"},
        {"id": "time", "name": "Time", "measure": "time_in_stage", "stage": "qualification"},
    ],
)


def history(store: StateStore, seed: int = 7, deals: int = 150) -> None:
    """Save what some hundred deals went through, with text of every kind in what they hold."""
    drawn = Random(seed)
    users = [make_user(number, name=name) for number, name in enumerate(HOSTILE, 1)]
    store.records.save_page("north", Kind.USER, Page(records=tuple(users), cursor="1"), NOON)
    found = [_deal(number, drawn) for number in range(deals)]
    store.records.save_page("north", Kind.DEAL, Page(records=tuple(found), cursor="1"), NOON)
    done = [_activity(number, drawn, deals) for number in range(2 * deals)]
    store.records.save_page("north", Kind.ACTIVITY, Page(records=tuple(done), cursor="1"), NOON)
    store.findings.save([_evaluation(number, drawn) for number in range(deals)], NOON)


def _deal(number: int, drawn: Random) -> Record:
    fields: dict[str, Value] = {
        "name": drawn.choice(HOSTILE),
        "owner": str(drawn.randint(0, len(HOSTILE) + 1)),
        "source": drawn.choice((None, *HOSTILE)),
        "fit": drawn.choice((None, True, False)),
        "seats": drawn.choice((None, Decimal("1.50"), Decimal(10))),
        "tags": tuple(sorted(drawn.sample(HOSTILE[:8], 2))),
        "amount": drawn.choice((None, Money(Decimal(drawn.randint(1, 10**6)) / 100, "EUR"))),
        "close_date": (NOON + timedelta(days=drawn.randint(-50, 50))).date(),
        "probability": drawn.choice((None, Decimal("0.3"), "40%", drawn.choice(HOSTILE))),
    }
    return make_deal(number, fields={name: value for name, value in fields.items() if value is not None})


def _activity(number: int, drawn: Random, deals: int) -> Record:
    on = tuple(str(drawn.randrange(deals)) for _ in range(drawn.randint(0, 2)))
    fields: dict[str, Value] = {
        "type": drawn.choice((None, "call", *HOSTILE)),
        "done": drawn.choice((None, True, False)),
        "at": drawn.choice((None, NOON - timedelta(days=drawn.random() * 90))),
        "deals": tuple(sorted(set(on))),
        "subject": drawn.choice(HOSTILE),
    }
    return make_record(Kind.ACTIVITY, number, fields=fields)


def _evaluation(number: int, drawn: Random) -> Evaluation:
    deal, entered, visits = make_ref(number), NOON - timedelta(days=drawn.randint(60, 200)), list[Visit]()
    for stage in STAGES[: drawn.randint(1, 3)]:
        left = entered + timedelta(days=drawn.random() * 15)
        visits.append(make_visit(stage, deal=deal, entered_at=entered, left_at=left, to=Place(stage, Status.OPEN)))
        entered = left
    end = drawn.choice((Place("closing", Status.OPEN), Place(None, Status.WON), Place(None, Status.LOST)))
    visits[-1] = make_visit(
        visits[-1].stage, deal=deal, entered_at=visits[-1].entered_at,
        left_at=None if end.status is Status.OPEN else entered, to=None if end.status is Status.OPEN else end,
    )  # fmt: skip
    place = Place(visits[-1].stage, Status.OPEN) if end.status is Status.OPEN else end
    clocks = [
        make_clock(visit=visit, state=drawn.choice(list(SlaState)), elapsed=timedelta(hours=drawn.random() * 99))
        for visit in visits
        if visit.stage == "qualification"
    ]
    finding = make_finding(
        id=f"f{number}", deal=deal, kind=drawn.choice(list(FindingKind)), severity=drawn.choice(list(Severity)),
        waived=drawn.choice((None, None, Waived("Ann", "pilot", NOON + timedelta(days=3)), Waived("Bo", "for good"))),
    )  # fmt: skip
    return make_evaluation(
        *([finding] if drawn.random() < 0.5 else []), deal=deal, place=place, visits=tuple(visits), clocks=tuple(clocks)
    )


def rounded(value: Any) -> Any:
    """Cut numbers to nine digits: sums of money are of doubles, which two threads may add up in another order."""
    if isinstance(value, Struct):
        return rounded(asdict(value))
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


@pytest.fixture(scope="module")
def states(server: URL, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the same history in a file and on the server, by their URLs."""
    urls = {
        "file": f"sqlite:///{tmp_path_factory.mktemp('file') / 'state.db'}",
        "server": server.render_as_string(hide_password=False),
    }
    for url in urls.values():
        store = open_store(url)
        history(store)
        store.close()
    return urls


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"period": Period.MONTH, "timezone": "America/Sao_Paulo"},
        *(
            {"segment": name}
            for name in ("owner", "connection", "source", "fit", "seats", "amount", "tags", 'it\'s "own"')
        ),
        {"segment": "owner", "period": Period.QUARTER, "language": "zh"},
    ],
)
def test_a_scorecard_from_a_server_is_that_from_a_file(states: dict[str, str], options: dict[str, Any]) -> None:
    """Every figure, label and definition, however deals are grouped."""
    made = {where: compute(url, PROCESS, NOON, Options(**options)) for where, url in states.items()}

    assert 150 == made["file"].coverage.deals
    assert rounded(made["file"]) == rounded(made["server"])


@pytest.mark.parametrize("field", [None, "source", "fit", "seats", "tags", "amount"])
def test_what_figures_are_made_from_is_the_same(states: dict[str, str], field: str | None) -> None:
    """Row by row, with types."""
    rows: dict[str, list[Any]] = {}
    for where, url in states.items():
        with opened(url, [stage.id for stage in PROCESS.stages], field) as database:
            tables = [database.table(f"state.{name}") for name in ("places", "records", "activities")]
            rows[where] = [sorted(table.fetchall(), key=repr) for table in tables]

    assert [150, 150 + len(HOSTILE), 300] == [len(table) for table in rows["file"]]
    assert rows["file"] == rows["server"]


def test_text_that_no_database_keeps_breaks_nothing(server: URL, tmp_path: Path) -> None:
    """JSON can hold it, so it is in the state; what can't be read of it is left out."""
    deals = [make_deal(f"odd-{number}", fields={"source": text}) for number, text in enumerate((*UNSTORABLE, "fine"))]
    calls = [
        make_record(
            Kind.ACTIVITY, f"odd-{number}", fields={"type": text, "done": True, "at": NOON, "deals": ("odd-0",)}
        )
        for number, text in enumerate(UNSTORABLE)
    ]
    for url in (f"sqlite:///{tmp_path / 'odd.db'}", server.render_as_string(hide_password=False)):
        store = open_store(url)
        store.records.save_page("odd", Kind.DEAL, Page(records=tuple(deals), cursor="1"), NOON)
        store.records.save_page("odd", Kind.ACTIVITY, Page(records=tuple(calls), cursor="1"), NOON)
        store.close()
        compute(url, PROCESS, NOON, Options(segment="source"))
        with opened(url, [], "source") as database:
            read = database.execute("SELECT id, field FROM state.records WHERE id LIKE 'odd-%' ORDER BY id").fetchall()

        assert ("odd-4", "fine") == read[-1]
        assert 5 == len(read)


def test_a_server_that_is_not_there_says_so_without_the_password() -> None:
    """As the store itself does."""
    with pytest.raises(StateError) as caught:
        compute("postgresql://ann:s3cret@127.0.0.1:1/none", PROCESS, NOON)

    assert "can't be read for the indicators" in caught.value.message
    assert "s3cret" not in str(caught.value) + caught.value.message + caught.value.advice
