"""Measure pulls: real projects, real adapters and a real store, against stand-ins that answer as late as they are told.

Prints, for each CRM, deals a second, CPU seconds, peak memory, requests, 429s and the share of the ceiling, beside a
bare client that reads the same deals in eight id ranges and neither maps nor stores them. Asserts nothing.

With `--only tryton` it is a real server that runs for it.

    python benchmarks/pull.py [--only hubspot] [--deals 20000] [--latency 50] [--limit none] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from runs.measuring import Figures, bare, median, pull_beside_another, pull_changes, pull_once
from runs.screen import print_screen, watch_screen
from runs.serving import Account
from runs.tables import print_changes, print_other, print_pulls, write_json

VENDORS = ("hubspot", "pipedrive", "salesforce")
REAL = ("tryton",)  # no stand-in but a real server; measured where it is asked for
CHANGES = 10
ALONE = 20.0  # seconds before another app comes


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure pulls against stand-ins of the three vendors.")
    parser.add_argument("--only", action="append", choices=(*VENDORS, *REAL), help="one CRM; may be repeated (all)")
    parser.add_argument("--deals", type=int, nargs="+", default=[20_000, 200_000], help="deals (20000 200000)")
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 50, 300], help="ms a reply (0 50 300)")
    parser.add_argument("--limit", choices=("vendor", "none", "both"), default="both", help="the vendor's limit (both)")
    parser.add_argument("--moved", type=float, default=0.0, metavar="SHARE", help="share of deals with a history (0)")
    parser.add_argument("--runs", type=int, default=1, help="times that each is measured, for medians (1)")
    parser.add_argument("--no-bare", action="store_true", help="leave out the bare client")
    parser.add_argument("--incremental", action="store_true", help=f"measure pulls of {CHANGES} changes instead")
    parser.add_argument("--other-app", action="store_true", help="measure beside an app that takes half, instead")
    parser.add_argument("--screen", action="store_true", help="measure when a person sees something, instead")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write where the time of the last pull went")
    parser.add_argument("--real-deals", type=int, nargs="+", default=[500, 2_000], help="for tryton (500 2000)")
    parser.add_argument("--quick", action="store_true", help="a few hundred deals, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.deals, asked.latency, asked.limit = [600], [0], "none"
    return asked


def accounts(asked: argparse.Namespace) -> Iterator[Account]:
    """Give each account that is asked for, vendor by vendor."""
    limits = {"vendor": [True], "none": [False], "both": [False, True]}[asked.limit]
    for vendor in asked.only or VENDORS:
        for deals in asked.deals:
            for limited in limits:
                for latency in asked.latency:
                    yield Account(vendor=vendor, deals=deals, latency=latency, limited=limited, moved=asked.moved)


def measure_pulls(asked: argparse.Namespace) -> list[Figures]:
    """Measure whole pulls and print each as it comes."""
    more = ("--profile", str(asked.profile.resolve())) if asked.profile else ()
    found = []
    print_pulls(None, moved=asked.moved)
    for account in accounts(asked):
        figures = median([pull_once(account, *more) for _ in range(asked.runs)])
        # Against the limits a bare client only collects refusals.
        beside = None if asked.no_bare or account.limited else bare(account)
        found.append(print_pulls(figures, bare=beside))
    return found


def measure_changes(account: Account, runs: int) -> Figures:
    """Measure pulls of a few changes."""
    return median([pull_changes(account, CHANGES) for _ in range(runs)])


def measure_real(asked: argparse.Namespace) -> None:
    """Measure a real server: whole pulls and pulls of a few changes, and how fast it is by itself."""
    from runs.tryton import measure_tryton  # noqa: PLC0415  the plugin need not be there for the others

    figures = measure_tryton([60] if asked.quick else asked.real_deals)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), "utf-8")


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    if set(asked.only or ()) & set(REAL):
        measure_real(asked)
        return
    if asked.incremental:
        found = [print_changes(measure_changes(each, asked.runs)) for each in accounts(asked)]
    elif asked.other_app:
        found = [print_other(pull_beside_another(each, ALONE)) for each in accounts(asked) if each.limited]
    elif asked.screen:
        found = [print_screen(watch_screen(each)) for each in accounts(asked)]
    else:
        found = measure_pulls(asked)
    if asked.json:
        write_json(asked.json, found)


if __name__ == "__main__":
    main()
