"""Twenty rules and any number of deals, which every engine that is measured can be asked about."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

# In CEL's spelling, which is ours; the others' is made of it.
RULES = (
    "amount > 50000.0",
    "amount > 1000.0 && amount <= 90000.0",
    "amount > 50000.0 && decision_maker != null",
    "amount < 10000.0 || decision_maker != null",
    "discount <= 10.0 || amount < 5000.0",
    'source in ["web", "event", "referral"]',
    'source != "cold"',
    '!(source == "cold" && amount > 20000.0)',
    "discount * 2.0 + 5.0 < 40.0",
    "amount - amount * discount / 100.0 > 1000.0",
    'name.startsWith("Deal")',
    'name.contains("7")',
    "budget && need",
    "budget || need || timeline",
    "decision_maker == null || amount > 100.0",
    "probability >= 20.0 && probability <= 80.0",
    '"7" in contacts',
    'level == "high" ? amount > 30000.0 : amount > 100.0',
    'decision_maker != null && name != "x" && level != "low"',
    '(budget && amount > 10000.0) || (need && discount < 5.0) || source == "event"',
)
FIELDS = {
    "decision_maker": "text",
    "discount": "number",
    "probability": "number",
    "budget": "bool",
    "need": "bool",
    "timeline": "bool",
    "level": "choice",
}
LEVELS, SOURCES = ("low", "middle", "high"), ("web", "event", "referral", "cold")


def deals(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Give deals as plain JSON; the same ones each time. Only texts are ever missing: others fail on null numbers."""
    draw = random.Random(seed)  # noqa: S311  deals, not secrets
    for number in range(count):
        yield {
            "name": f"Deal {number}",
            "amount": draw.randrange(100, 10_000_000) / 100,
            "discount": float(draw.randrange(31)),
            "probability": float(draw.randrange(101)),
            "source": draw.choice(SOURCES),
            "level": draw.choice(LEVELS),
            "decision_maker": draw.choice((None, "Ann", "Ben")),
            "contacts": sorted(draw.sample("123456789", draw.randrange(4))),
            **{name: draw.random() < 0.6 for name in ("budget", "need", "timeline")},
        }


def in_zen(rule: str) -> str:
    """Spell a rule for zen-engine."""
    return _functions(_words(rule), r"\2(\1, \3)")


def in_rule_engine(rule: str) -> str:
    """Spell a rule for rule-engine, which has regular expressions instead of functions."""
    begins = re.sub(r"(\w+)\.startsWith\(\"(\w+)\"\)", r'\1 =~ "\2.*"', _words(rule))
    return re.sub(r"(\w+)\.contains\(\"(\w+)\"\)", r'\1 =~~ "\2"', begins)


def _words(rule: str) -> str:
    return re.sub(r"!(?!=)", "not ", rule.replace("&&", "and").replace("||", "or"))


def _functions(rule: str, form: str) -> str:
    return re.sub(r"(\w+)\.(startsWith|contains)\((\"\w+\")\)", form, rule)
