"""Measure updates: a plan of one update a deal, applied by the one write path, journal and all, against stand-ins.

Prints, for each CRM, updates a second, CPU seconds of the applying alone, requests, 429s and the share of the ceiling.
Asserts nothing.

    python benchmarks/write.py [--only hubspot] [--updates 10000] [--latency 50] [--limit vendor] [--json FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runs.measuring import median, write_all
from runs.serving import Account
from runs.tables import print_writes, write_json

UPDATES = {"hubspot": 10_000, "pipedrive": 300, "salesforce": 10_000}  # Pipedrive takes one at a time, ten a second


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure updates against stand-ins of the three vendors.")
    parser.add_argument("--only", action="append", choices=UPDATES, help="one CRM; may be repeated (all)")
    parser.add_argument("--updates", type=int, help="deals to update (10000; 300 in Pipedrive)")
    parser.add_argument("--latency", type=float, default=50, help="ms a reply (50)")
    parser.add_argument("--limit", choices=("vendor", "none"), default="vendor", help="the vendor's limit (vendor)")
    parser.add_argument("--runs", type=int, default=1, help="times that each is measured, for medians (1)")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write where the time of the last run went")
    parser.add_argument("--quick", action="store_true", help="a hundred updates, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.updates, asked.latency, asked.limit = 100, 0, "none"
    return asked


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    more = ("--profile", str(asked.profile.resolve())) if asked.profile else ()
    print_writes(None)
    found = []
    for vendor in asked.only or UPDATES:
        account = Account(
            vendor=vendor,
            deals=asked.updates or UPDATES[vendor],
            latency=asked.latency,
            limited=asked.limit == "vendor",
        )
        found.append(print_writes(median([write_all(account, *more) for _ in range(asked.runs)])))
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
