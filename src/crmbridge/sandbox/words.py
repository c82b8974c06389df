"""Words that the sandboxes' invented companies and people are named with."""

from __future__ import annotations

ADJECTIVES = (
    "Amber", "Blue", "Cedar", "Copper", "Delta", "Eastern", "Golden", "Harbour", "Ivory", "Juniper",
    "Lakeside", "Maple", "Nordic", "Olive", "Prairie", "Quartz", "River", "Silver", "Tidal", "Willow",
)  # fmt: skip
BRANCHES = (
    "Bakeries", "Ceramics", "Clinics", "Foods", "Freight", "Glass", "Hotels", "Instruments", "Logistics", "Mills",
    "Motors", "Optics", "Paper", "Pharma", "Print", "Robotics", "Solar", "Steel", "Textiles", "Tools",
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Bruno", "Chen", "Dora", "Emeka", "Fatima", "Goran", "Hana", "Inês", "Jonas", "Keiko", "Luis", "Mira",
    "Nils", "Olga", "Pedro", "Qiang", "Rosa", "Sami", "Tereza", "Uma", "Vito", "Wanda", "Xin", "Yusuf", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Almeida", "Berg", "Costa", "Dvorak", "Eze", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Kowal", "Lima",
    "Moreau", "Novak", "Okafor", "Pinto", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Varga", "Wang", "Yilmaz",
)  # fmt: skip
TITLES = ("Managing director", "Head of operations", "Finance lead", "Plant manager", "IT lead", "Buyer")
OFFERS = ("Order desk", "Field service", "Warehouse rollout", "Support plan", "Data migration", "Planning suite")
LOST_REASONS = ("No budget", "Chose a competitor", "No decision", "Bad timing")
