"""The 41 custom fields that every stand-in's deals have beside the standard ones, and what stands in them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

OPTIONS = ("north", "south", "east", "west", "centre")
WORDS = ("budget", "agreed", "with", "the", "head", "of", "finance", "rollout", "in", "spring", "pilot", "first", "ção")
KINDS = {"text": 15, "number": 8, "money": 3, "bool": 5, "date": 5, "choice": 4, "choices": 1}


class Column(NamedTuple):
    """A custom field: its name in the process and its type there. Each vendor has its own name for it."""

    name: str
    type: str

    @property
    def code(self) -> str:
        """The key of 40 hex digits that Pipedrive would give it."""
        return hashlib.sha1(self.name.encode(), usedforsecurity=False).hexdigest()


COLUMNS = tuple(Column(f"{kind}_{number}", kind) for kind, many in KINDS.items() for number in range(1, many + 1))
STAGES = ("qualification", "diagnosis", "proposal", "negotiation", "won", "lost")
CURRENCY = "EUR"

Row = Mapping[str, Any]


def make_row(number: int) -> dict[str, Any]:
    """Make what stands in one deal, the same each time; every field is filled."""
    random_ = random.Random(number)  # noqa: S311  made-up data, no secret
    row: dict[str, Any] = {column.name: _value(column.type, random_) for column in COLUMNS}
    row["amount"] = _number(random_)
    row["close_date"] = _day(random_)
    row["stage"] = STAGES[number % len(STAGES)]
    row["owner"] = 1001 + number % 20
    row["company"] = 50_000 + random_.randrange(20_000)
    row["contacts"] = [80_000 + random_.randrange(40_000) for _ in range(number % 3)]
    return row


def _value(kind: str, random_: random.Random) -> Any:
    match kind:
        case "text":
            return " ".join(random_.choices(WORDS, k=4))
        case "number" | "money":
            return _number(random_)
        case "bool":
            return random_.random() < 0.5
        case "date":
            return _day(random_)
        case "choice":
            return random_.choice(OPTIONS)
        case _:
            return sorted(random_.sample(OPTIONS, k=2))


def _number(random_: random.Random) -> str:
    return f"{random_.randrange(10**7) / 100:.2f}"


def _day(random_: random.Random) -> str:
    return f"{random_.randrange(2024, 2028)}-{random_.randrange(1, 13):02}-{random_.randrange(1, 29):02}"
