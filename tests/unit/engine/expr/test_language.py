"""What expressions mean: each form, with values, without them, and with ones of another kind."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crmbridge.engine.expr.checking import checked
from crmbridge.engine.expr.compiling import compiled
from crmbridge.engine.time.moments import Moment
from crmbridge.model.values import Fields, FieldType, Money, Value

NOW = datetime(2026, 6, 10, 1, tzinfo=UTC)  # still the 9th in São Paulo
TYPES = {
    "name": FieldType.TEXT,
    "level": FieldType.CHOICE,
    "tags": FieldType.CHOICES,
    "amount": FieldType.MONEY,
    "budget": FieldType.MONEY,
    "count": FieldType.NUMBER,
    "signed": FieldType.BOOL,
    "bant.need": FieldType.BOOL,
    "close_date": FieldType.DATE,
    "touched": FieldType.DATETIME,
}


def answer(text: str, fields: Fields, zone: str = "UTC") -> Value:
    """Ask an expression about a deal with these fields; None is unknown."""
    term, faults = checked(text, TYPES)
    assert () == faults
    assert term is not None
    found = compiled(term)(fields, Moment(NOW, ZoneInfo(zone)))
    assert found in {True, False, None}
    return found


def eur(amount: str | int) -> Money:
    return Money(Decimal(amount), "EUR")


TRUE, FALSE, UNKNOWN = {"signed": True}, {"signed": False}, {"signed": None}


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        # Three values: what is unknown stays unknown unless the other side decides.
        ("signed && bant.need", {"signed": False}, False),
        ("bant.need && signed", {"signed": False}, False),
        ("signed && bant.need", {"signed": True}, None),
        ("signed || bant.need", {"signed": True}, True),
        ("bant.need || signed", {"signed": True}, True),
        ("signed || bant.need", {"signed": False}, None),
        ("!signed", UNKNOWN, None),
        ("!signed", FALSE, True),
        ("signed ? count > 1 : count < 1", {"signed": True, "count": 2}, True),
        ("signed ? count > 1 : count < 1", {"signed": False, "count": 2}, False),
        ("signed ? count > 1 : count < 1", {"count": 2}, None),
        ("signed ? count > 1 : name == 'x'", {"signed": False, "name": "x"}, True),
        ("signed == true", TRUE, True),
        ("signed != bant.need", {"signed": True, "bant.need": False}, True),
        # Emptiness is always known.
        ("name == null", {}, True),
        ("name == null", {"name": "  "}, True),
        ("null != name", {"name": "x"}, True),
        ("has(tags)", {"tags": ()}, False),
        ("has(count)", {"count": 0}, True),
        ("has(signed)", FALSE, True),
        ("has(bant.need)", {}, False),
        # Numbers are exact; precedence is that of arithmetic.
        ("count == 0.3", {"count": Decimal("0.1") + Decimal("0.2")}, True),
        ("count + 2 * 3 == 7", {"count": 1}, True),
        ("(count + 2) * 3 == 9", {"count": 1}, True),
        ("count / 2 == 3.5", {"count": 7}, True),
        ("count % 4 == 3", {"count": 7}, True),
        ("count % 4 == -3", {"count": -7}, True),
        ("-count < -6", {"count": 7}, True),
        ("count - -1 == 8", {"count": 7}, True),
        ("count / 0 > 1", {"count": 7}, None),
        ("count / 3 * 3 == 1", {"count": 1}, False),
        ("count > 1e3", {"count": 1001}, True),
        ("count > .5", {"count": 1}, True),
        ("count > 1", {"count": "2"}, None),
        ("count > 1", {"count": True}, None),
        ("count > 1", {"count": eur(2)}, None),
        ("count > 1", {"count": Decimal("NaN")}, None),
        ("count > 1", {"count": Decimal("-Infinity")}, None),
        ("count * count > 1", {"count": Decimal("1E+999999")}, None),
        ("count in [1, 2.50]", {"count": Decimal("2.5")}, True),
        ("count in [1, count + 1]", {"count": 3}, False),
        # Money keeps its currency; against a number its amount counts.
        ("amount > 50000", {"amount": eur(50001)}, True),
        ("50000 < amount", {"amount": Decimal(50001)}, True),
        ("amount >= budget", {"amount": eur(2), "budget": eur(2)}, True),
        ("amount >= budget", {"amount": eur(2), "budget": Money(Decimal(1), "USD")}, None),
        ("amount == budget", {"amount": eur(2), "budget": Decimal(2)}, True),
        ("amount + budget > 3", {"amount": eur(2), "budget": eur(2)}, True),
        ("amount + budget > 3", {"amount": eur(2), "budget": Money(Decimal(2), "USD")}, None),
        ("amount * 2 == budget", {"amount": eur(2), "budget": eur(4)}, True),
        ("2 * amount == budget", {"amount": eur(2), "budget": Money(Decimal(4), "USD")}, None),
        ("amount / budget == 0.5", {"amount": eur(2), "budget": eur(4)}, True),
        ("amount - amount * count / 100 > 90", {"amount": eur(100), "count": 5}, True),
        ("-amount < 0", {"amount": eur(1)}, True),
        ("amount in [1, 2]", {"amount": eur(2)}, True),
        ("amount > 1", {"amount": Money(Decimal("NaN"), "EUR")}, None),
        # Texts.
        ("name == 'Ann'", {"name": "Ann"}, True),
        ("name < 'B'", {"name": "Ann"}, True),
        ("name + '!' == 'Ann!'", {"name": "Ann"}, True),
        ("name.contains('n')", {"name": "Ann"}, True),
        ("name.startsWith('A') && name.endsWith('n')", {"name": "Ann"}, True),
        ("name.startsWith('n')", {"name": "Ann"}, False),
        ("name.contains(level)", {"name": "Ann"}, None),
        ("size(name) == 3", {"name": "Ann"}, True),
        ("name.size() == 3", {"name": "A\U0001f600b"}, True),
        ("name.matches('^[A-Z]')", {"name": "ann"}, False),
        ("name.matches('(?i)^[A-Z]')", {"name": "ann"}, True),
        (r"name.matches(r'\d+')", {"name": "no 7"}, True),
        ("name == 'a\\n\\u0041\\x42'", {"name": "a\nAB"}, True),
        ("name.contains('x')", {"name": "x" * 200_000}, None),
        ("name.matches('x')", {"name": "x" * 5_000}, None),
        ("name + name == 'x'", {"name": "x" * 60_000}, None),
        ("name == 'x'", {"name": 5}, None),
        ("level in ['low', 'high']", {"level": "low"}, True),
        ("level in ['low', 'high']", {}, None),
        ("level in ['low', name]", {"level": "low"}, True),
        ("level in ['low', name]", {"level": "high"}, None),
        # Lists.
        ("'a' in tags", {"tags": ("a", "b")}, True),
        ("'c' in tags", {"tags": ("a", "b")}, False),
        ("'a' in tags", {"tags": ()}, False),
        ("'a' in tags", {}, None),
        ("size(tags) >= 2", {"tags": ("a", "b")}, True),
        ("size(tags) == 0", {"tags": ()}, True),
        ("tags.exists(tag, tag == 'b')", {"tags": ("a", "b")}, True),
        ("tags.exists(tag, tag == name)", {"tags": ("a", "b")}, None),
        ("tags.exists(tag, tag == name || tag == 'b')", {"tags": ("a", "b")}, True),
        ("tags.all(tag, tag != name)", {"tags": ("a", "b")}, None),
        ("tags.all(tag, tag != name && tag != 'b')", {"tags": ("a", "b")}, False),
        ("tags.all(tag, size(tag) == 1)", {"tags": ()}, True),
        ("size(tags.filter(tag, tag.startsWith('a'))) == 1", {"tags": ("a", "b")}, True),
        ("size(tags.filter(tag, tag == name)) == 1", {"tags": ("a", "b")}, None),
        ("'a!' in tags.map(tag, tag + '!')", {"tags": ("a", "b")}, True),
        ("tags.map(tag, size(tag)).all(n, n == 1)", {"tags": ("a", "b")}, True),
        ("tags.exists(tag, tag == 'x')", {"tags": ("x",) * 201}, None),
        ("[name, level].exists(one, one == 'x')", {"name": "x", "level": "y"}, True),
        ("[name, level].exists(one, one == 'x')", {"name": "x"}, None),
        # Days and moments.
        ("close_date >= today", {"close_date": date(2026, 6, 10)}, True),
        ("close_date >= today", {"close_date": datetime(2026, 6, 9, 23, tzinfo=UTC)}, False),
        ("close_date >= today", {"close_date": "2026-06-20"}, None),
        ("close_date - today > duration('30d')", {"close_date": date(2026, 7, 11)}, True),
        ("close_date - today > duration('30d')", {"close_date": date(2026, 7, 10)}, False),
        ("close_date + duration('1d') == date('2026-06-11')", {"close_date": date(2026, 6, 10)}, True),
        ("duration('1d') + close_date > today", {"close_date": date(2026, 6, 10)}, True),
        ("close_date + (now - touched) > today", {"close_date": NOW.date(), "touched": NOW}, False),
        ("close_date + (now - touched) > today", {"close_date": NOW.date(), "touched": NOW.replace(hour=0)}, None),
        ("close_date + duration('36500d') > today", {"close_date": date.max}, None),
        ("now - touched <= duration('1h30m')", {"touched": datetime(2026, 6, 9, 23, 30, tzinfo=UTC)}, True),
        ("now - touched <= duration('1h30m')", {"touched": datetime(2026, 6, 9, 23, 29, tzinfo=UTC)}, False),
        ("touched < timestamp('2026-06-10T02:00:00+02:00')", {"touched": datetime(2026, 6, 9, 23, tzinfo=UTC)}, True),
        ("touched < now", {"touched": datetime(2026, 6, 9, 23)}, None),  # noqa: DTZ001  what must not compare
        ("touched < now", {"touched": date(2026, 6, 10)}, True),
        ("date(touched) == today", {"touched": datetime(2026, 6, 10, 23, tzinfo=UTC)}, True),
        ("signed || -duration('1d') < duration('0.5s')", FALSE, True),
        ("close_date in [today, date('2027-01-01')]", {"close_date": date(2027, 1, 1)}, True),
    ],
)
def test_an_expression_means(text: str, fields: dict[str, Value], expected: bool | None) -> None:  # noqa: FBT001  a table's column
    """As in CEL, with unknown for what is missing."""
    assert expected is answer(text, fields)


@pytest.mark.parametrize(("zone", "expected"), [("UTC", True), ("America/Sao_Paulo", False)])
def test_today_is_the_day_in_the_zone(zone: str, expected: bool) -> None:  # noqa: FBT001  a table's column
    """A day begins where the stage's calendar is."""
    assert expected is answer("today == date('2026-06-10')", {}, zone)
    assert expected is answer("date(touched) == date('2026-06-10')", {"touched": NOW}, zone)
    assert expected is answer("touched <= now", {"touched": date(2026, 6, 10)}, zone)


def test_an_expression_of_the_largest_size_is_answered() -> None:
    """However many operands there are, and as deep as may be."""
    flat = " && ".join(["signed"] * 200)
    deep = "(" * 14 + "signed" + " && (signed || signed))" * 14

    assert (True, False, None) == tuple(answer(flat, fields) for fields in (TRUE, FALSE, UNKNOWN))
    assert (True, False, None) == tuple(answer(deep, fields) for fields in (TRUE, FALSE, UNKNOWN))
