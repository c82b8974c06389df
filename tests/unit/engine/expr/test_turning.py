"""It is known when an expression may turn out otherwise although nobody changed anything."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from crmbridge.engine.expr.checking import checked
from crmbridge.engine.expr.compiling import compiled
from crmbridge.engine.expr.turning import turning_of
from crmbridge.engine.time.moments import Moment
from crmbridge.model.values import Fields
from crmbridge.testing.rule_cases import FIELDS, NOW, draw_deal, draw_expression

BERLIN = ZoneInfo("Europe/Berlin")
TOUCHED = datetime(2026, 3, 27, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def turns(text: str, fields: Fields, now: datetime = NOW) -> datetime | None:
    term, _ = checked(text, FIELDS)
    assert term is not None
    return turning_of(term).next(fields, Moment(now, BERLIN))


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("amount > 5", {}, None),
        ("close_date >= today", {"close_date": date(2026, 4, 1)}, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("date(now) == close_date", {}, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("now - touched <= duration('36h')", {"touched": TOUCHED}, TOUCHED + timedelta(hours=36)),
        ("now - touched <= duration('24h')", {"touched": TOUCHED}, None),
        ("touched + duration('3d') < now", {"touched": TOUCHED}, TOUCHED + timedelta(days=3)),
        ("touched + duration('3d') < now", {}, None),
        ("now - touched > due - now", {"touched": NOW, "due": NOW + timedelta(hours=4)}, NOW + timedelta(hours=2)),
        ("(signed ? now : due) > touched", {}, NOW + timedelta(hours=1)),
    ],
)
def test_the_next_moment(text: str, fields: Fields, expected: datetime | None) -> None:
    """A new day, the moment at which two sides meet, or an hour where nothing better is known."""
    assert expected == turns(text, fields)


def test_just_after_two_sides_met_is_another_moment() -> None:
    """At most 36 hours holds at 36 hours, and no longer an instant later."""
    met = TOUCHED + timedelta(hours=36)

    assert met + INSTANT == turns("now - touched <= duration('36h')", {"touched": TOUCHED}, met)
    assert turns("now - touched <= duration('36h')", {"touched": TOUCHED}, met + INSTANT) is None


def test_until_then_it_stays_as_it_is() -> None:
    """Random expressions about random deals, asked at many moments before the one that was named."""
    draw, seen = Random(10), 0
    while seen < 150:
        text, fields = draw_expression(draw), draw_deal(draw)
        term, _ = checked(text, FIELDS)
        if term is None or not turning_of(term):
            continue
        seen += 1
        run, until = compiled(term), turns(text, fields)
        first = run(fields, Moment(NOW, BERLIN))
        for _ in range(20):
            later = NOW + (until - NOW if until else timedelta(days=9)) * draw.random()

            assert (until is not None and later >= until) or first is run(fields, Moment(later, BERLIN)), (text, fields)
