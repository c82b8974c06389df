"""The floor: the three-way diff alone, as a script of an afternoon would do it, over what is in the state.

It reads the linked deals and their bases by `sqlite3`, compares the JSON of each field with that of its base and keeps
the updates in a list. It knows no types, owners, stages or policies, asks nobody, judges nothing, notes nothing, and
would lose an edit in most of the ways that crmbridge is there to prevent.

python -m runs.plain STATE
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import time
from collections import defaultdict
from typing import Any

from runs.memory import peak_mb

TRANSLATED = {"owner", "stage", "company", "contacts"}  # each CRM has its own word for these
QUERY = """
    SELECT l.link, r.connection, r.id, r.fields, b.fields FROM links l
    JOIN records r ON r.connection = l.connection AND r.kind = l.kind AND r.id = l.id
    LEFT JOIN bases b ON b.connection = l.connection AND b.kind = l.kind AND b.id = l.id
    WHERE l.kind = 'deal' ORDER BY l.link
"""


def diff(sides: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> list[tuple[str, str, Any, Any]]:
    """Give what has to be written to the sides of one link: deal, field, before, after."""
    updates = []
    for deal, now, base in sides:
        for name, value in now.items():
            if name not in TRANSLATED and name in base and value != base[name]:
                updates += [(other, name, held.get(name), value) for other, held, _ in sides if other != deal]
    return updates


def main() -> None:
    """Diff all, and say what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state")
    asked = parser.parse_args()
    start = time.perf_counter()
    links = defaultdict(list)
    updates: list[tuple[str, str, Any, Any]] = []
    with sqlite3.connect(asked.state) as state:
        for link, connection, id_, fields, base in state.execute(QUERY):
            links[link].append((f"{connection}:{id_}", json.loads(fields), json.loads(base or "{}")))
            if len(links[link]) == len(("one", "other")):
                updates += diff(links.pop(link))
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"seconds": seconds, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak_mb()}
    print(json.dumps({**cost, "updates": len(updates)}))


if __name__ == "__main__":
    main()
