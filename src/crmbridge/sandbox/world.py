"""A believable sales team's year, made from a seed: what the sandboxes fill their accounts with.

The world knows no CRM: stages are those of the bundled seven-stage process, and each sandbox tells the same deals in
its vendor's terms. Some deals keep the process and some do not, as in life.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.records import Status
from crmbridge.model.values import FieldType, Value
from crmbridge.sandbox.words import ADJECTIVES, BRANCHES, FIRST_NAMES, LAST_NAMES, LOST_REASONS, OFFERS, TITLES

OPEN_STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing")
# How many days a deal usually stays in each stage.
USUAL_DAYS = {
    "prospecting": 6,
    "qualification": 5,
    "diagnosis": 12,
    "proposal": 7,
    "negotiation": 9,
    "closing": 3,
}
# What a deal should carry once it has left each stage; about one value in eight is forgotten.
FILLED_AFTER: Mapping[str, tuple[str, ...]] = {
    "prospecting": ("icp_match", "decision_maker"),
    "qualification": ("bant.budget", "bant.authority", "bant.need", "bant.timeline", "handoff_accepted_by"),
    "diagnosis": ("pains", "scope_agreed", "technical_requirements"),
    "proposal": ("proposal_link", "presented_on"),
    "negotiation": ("discount", "discount_approved_by", "objections"),
    "closing": ("contract_link", "delivery_date", "support_channel", "customer_owner"),
}
# What kind of value each of these is.
WORLD_FIELDS: Mapping[str, FieldType] = {
    **{name: FieldType.TEXT for names in FILLED_AFTER.values() for name in names},
    **dict.fromkeys(("icp_match", "scope_agreed"), FieldType.BOOL),
    **dict.fromkeys(("bant.budget", "bant.authority", "bant.need", "bant.timeline"), FieldType.BOOL),
    **dict.fromkeys(("presented_on", "delivery_date"), FieldType.DATE),
    "discount": FieldType.NUMBER,
}
FORGOTTEN = 0.12
SKIPS = 0.06
LONG_STAYS = 0.15
LOSSES = 0.09  # of the deals that leave a stage


class WorldUser(Struct, frozen=True, kw_only=True):
    """Somebody who sells."""

    number: int
    name: str
    email: str
    role: str


class WorldCompany(Struct, frozen=True, kw_only=True):
    """A customer or one who may become one."""

    number: int
    name: str
    domain: str


class WorldContact(Struct, frozen=True, kw_only=True):
    """Somebody at a company."""

    number: int
    name: str
    email: str
    title: str
    company: int


class WorldActivity(Struct, frozen=True, kw_only=True):
    """Something done, or to be done, on a deal."""

    kind: str  # call, meeting, email or task
    subject: str
    at: datetime
    done: bool
    owner: int


class WorldDeal(Struct, frozen=True, kw_only=True):
    """A deal with its journey: (stage, entered at), oldest first. `closed_at` is set when it is won or lost."""

    number: int
    name: str
    company: int
    contacts: tuple[int, ...]
    owner: int
    amount: Decimal
    currency: str
    source: str
    created_at: datetime
    journey: tuple[tuple[str, datetime], ...]
    status: Status
    closed_at: datetime | None
    close_date: date
    lost_reason: str
    fields: Mapping[str, Value]
    activities: tuple[WorldActivity, ...]
    updated_at: datetime


class World(Struct, frozen=True, kw_only=True):
    """Everything that a sandbox can be filled with."""

    users: tuple[WorldUser, ...]
    companies: tuple[WorldCompany, ...]
    contacts: tuple[WorldContact, ...]
    deals: tuple[WorldDeal, ...]

    def part(self, share: tuple[float, float]) -> tuple[WorldDeal, ...]:
        """Give the deals from one share of the list to another, such as (0, 0.7)."""
        count = len(self.deals)
        return self.deals[round(count * share[0]) : round(count * share[1])]


def make_world(seed: int, deals: int, now: datetime) -> World:
    """Make a world whose history ends at `now`. The same arguments make the same world."""
    rng = random.Random(f"world {seed}")
    second = now.replace(microsecond=0)
    users = _users(rng)
    companies = _companies(rng, max(3, deals * 2 // 3))
    contacts = _contacts(rng, companies)
    cast = _Cast(tuple(user for user in users if user.role in {"sdr", "ae"}), companies, _by_company(contacts))
    made = tuple(_deal(rng, number, cast, second) for number in range(1, deals + 1))
    return World(users=users, companies=companies, contacts=contacts, deals=made)


class _Cast(NamedTuple):
    """Who can take part in a deal."""

    sellers: tuple[WorldUser, ...]
    companies: tuple[WorldCompany, ...]
    contacts: dict[int, list[int]]  # by company


def _by_company(contacts: tuple[WorldContact, ...]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for contact in contacts:
        found.setdefault(contact.company, []).append(contact.number)
    return found


def _users(rng: random.Random) -> tuple[WorldUser, ...]:
    roles = ("sdr", "sdr", "ae", "ae", "ae", "specialist", "success")
    firsts, lasts = rng.sample(FIRST_NAMES, len(roles)), rng.sample(LAST_NAMES, len(roles))
    return tuple(
        WorldUser(number=n, name=f"{first} {last}", email=f"{first}.{last}@lumenworks.example".lower(), role=role)
        for n, (first, last, role) in enumerate(zip(firsts, lasts, roles, strict=True), start=1)
    )


def _companies(rng: random.Random, count: int) -> tuple[WorldCompany, ...]:
    names = [f"{adjective} {branch}" for adjective in ADJECTIVES for branch in BRANCHES]
    rng.shuffle(names)
    picked = [names[i % len(names)] + (f" {i // len(names) + 1}" if i >= len(names) else "") for i in range(count)]
    return tuple(
        WorldCompany(number=n, name=name, domain=name.lower().replace(" ", "-") + ".example")
        for n, name in enumerate(picked, start=1)
    )


def _contacts(rng: random.Random, companies: tuple[WorldCompany, ...]) -> tuple[WorldContact, ...]:
    found: list[WorldContact] = []
    for company in companies:
        for first in rng.sample(FIRST_NAMES, rng.choice((1, 1, 2, 3))):
            last = rng.choice(LAST_NAMES)
            found.append(
                WorldContact(
                    number=len(found) + 1,
                    name=f"{first} {last}",
                    email=f"{first}.{last}@{company.domain}".lower(),
                    title=rng.choice(TITLES),
                    company=company.number,
                )
            )
    return tuple(found)


def _deal(rng: random.Random, number: int, cast: _Cast, now: datetime) -> WorldDeal:
    company = cast.companies[(number - 1) % len(cast.companies)]
    owner = rng.choice(cast.sellers)
    journey, status, closed_at = _journey(rng, now)
    activities = _activities(rng, journey, closed_at, owner.number, now)
    happened = [at for _, at in journey] + [a.at for a in activities if a.done] + ([closed_at] if closed_at else [])
    close_date = (closed_at or now + timedelta(days=rng.randint(-5, 70))).date()
    return WorldDeal(
        number=number,
        name=f"{company.name}: {rng.choice(OFFERS)} {number}",
        company=company.number,
        contacts=tuple(cast.contacts[company.number][: rng.randint(1, 2)]),
        owner=owner.number,
        amount=Decimal(rng.randint(12, 900)) * 100 + Decimal(rng.choice(("0", "0", "0.50"))),
        currency="EUR",
        source=rng.choice(("inbound", "outbound", "event", "referral")),
        created_at=journey[0][1],
        journey=journey,
        status=status,
        closed_at=closed_at,
        close_date=close_date,
        lost_reason=rng.choice(LOST_REASONS) if status is Status.LOST else "",
        fields=_fields(rng, journey, status, owner, now),
        activities=activities,
        updated_at=max(happened),
    )


def _journey(rng: random.Random, now: datetime) -> tuple[tuple[tuple[str, datetime], ...], Status, datetime | None]:
    """Let a deal walk through the stages until it is won, lost, or the history ends."""
    at = now - timedelta(days=rng.triangular(1, 150, 5), seconds=rng.randint(0, 80_000))
    at = at.replace(microsecond=0)
    journey: list[tuple[str, datetime]] = [("prospecting", at)]
    while True:
        stage = journey[-1][0]
        stay = USUAL_DAYS[stage] * rng.uniform(0.3, 1.6) * (4 if rng.random() < LONG_STAYS else 1)
        at = (at + timedelta(days=stay)).replace(microsecond=0)
        if at >= now:
            return tuple(journey), Status.OPEN, None
        if rng.random() < LOSSES:
            return tuple(journey), Status.LOST, at
        position = OPEN_STAGES.index(stage) + (2 if rng.random() < SKIPS else 1)
        if position >= len(OPEN_STAGES):
            return tuple(journey), Status.WON, at
        journey.append((OPEN_STAGES[position], at))


def _fields(
    rng: random.Random,
    journey: tuple[tuple[str, datetime], ...],
    status: Status,
    owner: WorldUser,
    now: datetime,
) -> dict[str, Value]:
    left = [stage for stage, _ in journey[:-1]] + ([journey[-1][0]] if status is Status.WON else [])
    last = journey[-1][1]
    discount = Decimal(rng.choice((0, 0, 5, 8, 12, 20)))
    values: dict[str, Value] = {
        "icp_match": True,
        "decision_maker": f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
        "bant.budget": rng.random() < 0.8,
        "bant.authority": rng.random() < 0.85,
        "bant.need": rng.random() < 0.95,
        "bant.timeline": rng.random() < 0.75,
        "handoff_accepted_by": owner.name,
        "pains": "Orders are typed in twice; two people spend a day a week on it.",
        "scope_agreed": True,
        "technical_requirements": "Single sign-on, import of ten years of orders, three sites.",
        "proposal_link": f"https://files.lumenworks.example/proposals/{rng.randint(1000, 9999)}",
        "presented_on": min(last, now).date(),
        "discount": discount,
        "discount_approved_by": "Head of sales" if discount > 10 else None,
        "objections": "Price against the old system; answered with the cost of errors.",
        "contract_link": f"https://files.lumenworks.example/contracts/{rng.randint(1000, 9999)}",
        "delivery_date": (last + timedelta(days=30)).date(),
        "support_channel": "support@lumenworks.example",
        "customer_owner": owner.name,
    }
    wanted = [name for stage in left for name in FILLED_AFTER[stage]]
    return {name: values[name] for name in wanted if values[name] is not None and rng.random() >= FORGOTTEN}


def _activities(
    rng: random.Random,
    journey: tuple[tuple[str, datetime], ...],
    closed_at: datetime | None,
    owner: int,
    now: datetime,
) -> tuple[WorldActivity, ...]:
    end = closed_at or now
    leaves = [at for _, at in journey[1:]] + [end]
    found: list[WorldActivity] = []
    for (stage, entered), left in zip(journey, leaves, strict=True):
        for _ in range(rng.choice((0, 1, 1, 2))):
            share = rng.uniform(0.1, 0.9)
            kind = rng.choice(("call", "meeting", "email"))
            at = (entered + (left - entered) * share).replace(microsecond=0)
            found.append(WorldActivity(kind=kind, subject=f"{kind.title()} on {stage}", at=at, done=True, owner=owner))
    if closed_at is None and rng.random() < 0.6:
        due = (now + timedelta(days=rng.randint(0, 9))).replace(microsecond=0)
        found.append(WorldActivity(kind="task", subject="Next step", at=due, done=False, owner=owner))
    return tuple(found)
