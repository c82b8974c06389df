"""Measure two-way sync: two accounts of the same deals, real adapters, a real store, stand-ins without limits.

Four measurements, each of a process of its own after a pull that is not measured, beside what was promised:

- link: the first plan of two full accounts, which links their deals and finds what they agree on
- idle: `crmbridge run` when nothing has changed; of the usual kinds, users, companies and contacts rest for an hour
- plan: the plan when one field of every deal changed on one side, beside a plain script that only compares
- changes: `crmbridge run` when people changed deals on both sides, some of them the same ones

Asserts nothing.

    python benchmarks/sync.py [--only idle] [--pairs 100000] [--latency 50] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runs.pairs import Pair, pair

Found = dict[str, Any]
EDITED = "text_2"
IDS_IN_A_QUERY = 438  # ids that a query for contacts has room for
CONFLICTS = 10  # of so many changes on one side, one meets another on the other side


def link(pairs: int, latency: float) -> Iterator[Found]:
    """Link two full accounts."""
    with pair(pairs, latency) as both:
        both.run("pull")
        found = both.run("plan")
        cost = {"plan_cpu_us_a_pair": 1e6 * found["plan_cpu_s"] / pairs}
        yield {**found, **cost, "name": "link", "bars": {"plan_seconds": 60, "plan_mb": 400}}


def idle(pairs: int, latency: float) -> Iterator[Found]:
    """Run when nothing has changed: with deals alone, with the usual kinds, and as one run an hour does with those."""
    bars = {"requests": 3, "process_cpu_s": 0.5}
    with pair(pairs, latency, ("deal",)) as both:
        settle(both)
        yield {**both.run("cycle"), "name": "idle", "kinds": "deals", "bars": bars}
    with pair(pairs, latency) as both:
        settle(both)
        yield {**both.run("cycle"), "name": "idle", "kinds": "usual kinds", "bars": bars}
        both.run("rouse")
        yield {**both.run("cycle"), "name": "idle", "kinds": "usual kinds, once an hour", "bars": {}}


def settle(both: Pair) -> None:
    """Link everything, and let what is asked only once or twice after a first pull be asked."""
    for task in ("pull", "plan", "cycle", "cycle"):
        both.run(task)


def plan(pairs: int, latency: float) -> Iterator[Found]:
    """Plan when a field of every deal changed on one side; twice, as the same state gives the same plan."""
    with pair(pairs, latency, ("deal",)) as both:
        for task in ("pull", "plan", "edit"):
            both.run(task)
        plain = both.plain()
        found = both.run("plan")
        first = both.planned()
        both.run("touch")  # all are pending again, as they are after a plan that nobody applied
        both.run("plan")
        same = first == both.planned()
        bars = {"plan_seconds": 5, "plan_mb": 250}
        cost = {"plan_cpu_us_a_pair": 1e6 * found["plan_cpu_s"] / pairs}
        said = {"repeated": "identical" if same else "OTHER", "plain": plain}
        yield {**found, **cost, **said, "name": "plan", "bars": bars}


def changes(pairs: int, latency: float) -> Iterator[Found]:
    """Run after a tenth of the deals was changed on each side, a tenth of these on both sides to different values."""
    count = pairs // 10
    with pair(pairs, latency, ("deal",)) as both:
        settle(both)
        edit(both, count)
        found = both.run("cycle")
    least = least_requests(count, count - count // CONFLICTS)
    yield {**found, "name": "changes", "least": least, "bars": {"requests": {n: 1.1 * least[n] for n in least}}}


def edit(both: Pair, count: int) -> None:
    """Change so many deals of each side: a tenth of them on both sides, in the same field and to different values."""
    shared = count // CONFLICTS
    for place, (vendor, served) in enumerate(both.served.items()):
        offset = place * count
        served.edit(count - shared, value=f"changed in {vendor}", field=EDITED, offset=offset)
        served.edit(shared, value=f"disputed by {vendor}", field=EDITED, offset=2 * count)


def least_requests(changed: int, written: int) -> Mapping[str, int]:
    """Give the fewest requests that read so many changed deals of one CRM, and write so many without losing an edit.

    HubSpot: searches of 200 name what changed; deals with their history are read by 50, what hangs on them by 1,000
    for each of companies and contacts; one page lists deletions. It has no conditional write, so what is written is
    read right before, by 100, and written by 100.

    Salesforce: queries of 2,000, of which a full one is followed by another; contacts of changed deals by as many ids
    as fit a query; one query each for roles and for deletions. Updates on a condition go 25 in a request, and as their
    condition has whole seconds only, what is written is read right before, by 200 as it is written.
    """
    hubspot = _pages(changed, 200) + _pages(changed, 50) + 2 * _pages(changed, 1_000) + 1
    hubspot += _pages(written, 100) + _pages(written, 100)
    salesforce = changed // 2_000 + 1 + _pages(changed, IDS_IN_A_QUERY) + 1 + 1
    salesforce += _pages(written, 200) + _pages(written, 25)
    return {"hubspot": hubspot, "salesforce": salesforce}


def _pages(items: int, size: int) -> int:
    return math.ceil(items / size)


MEASURES = {"link": link, "idle": idle, "plan": plan, "changes": changes}
PAIRS = {"link": 100_000, "idle": 100_000, "plan": 100_000, "changes": 20_000}


def print_found(found: Found) -> Found:
    """Print what a measurement found, beside its bars."""
    name = f"{found['name']} ({found['kinds']})" if "kinds" in found else found["name"]
    print(f"{name}: {found['seconds']:.1f} s and {found['cpu_s']:.2f} CPU s with imports, {found['peak_mb']:.0f} MB")
    for what, bar in found["bars"].items():
        print(f"    {what} {_shown(found[what])} (bar {_shown(bar)})")
    told = (
        "imports_cpu_s",
        "plan_cpu_s",
        "plan_cpu_us_a_pair",
        "planned",
        "blocked",
        "judged",
        "outcomes",
        "repeated",
        "least",
    )
    for what in told:
        if what in found:
            print(f"    {what} {_shown(found[what])}")
    if "plain" in found:
        cost = found["plain"]
        print(
            f"    a plain script: {cost['seconds']:.1f} s, {cost['cpu_s']:.1f} CPU s, {cost['peak_mb']:.0f} MB; it only"
        )
        print("    compares JSON: no types, owners, stages, policies, rules or journal")
    for vendor, paths in found["paths"].items():
        print("".join(f"    {vendor}: {times} x {path}\n" for path, times in paths.items()), end="")
    for what in ("errors", "wrong"):
        if found.get(what):
            print(f"    {what}: {found[what]}")
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items()) or "none"
    return (
        f"{value:,.2f}".removesuffix(".00")
        if isinstance(value, float)
        else f"{value:,}"
        if value != str(value)
        else value
    )


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure two-way sync between two stand-ins.")
    parser.add_argument("--only", action="append", choices=MEASURES, help="one measurement; may be repeated (all)")
    parser.add_argument("--pairs", type=int, help="pairs of deals (100000; 20000 for changes)")
    parser.add_argument("--latency", type=float, default=0, help="ms a reply (0)")
    parser.add_argument("--quick", action="store_true", help="a thousand pairs, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.pairs = 1_000
    return asked


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    print("two accounts of as many deals with the same names; 49 fields, a rule in each stage; no limits\n")
    found = []
    for name in asked.only or MEASURES:
        found += [print_found(each) for each in MEASURES[name](asked.pairs or PAIRS[name], asked.latency)]
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
