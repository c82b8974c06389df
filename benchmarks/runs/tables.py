"""The figures as people read them, beside what was promised, and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs.measuring import PER_GUARD, PER_REQUEST, PER_SECOND, PER_WRITE, Figures

HEAD = (
    "crm         deals    ms  limit   deals/s  CPU s  /20k  peak MB  requests  429s  ceiling  bare deals/s  its CPU s"
)
PULL_BARS = (
    "bars: 6,000 deals/s at 50 ms without a limit; 95 % of the ceiling over 100,000 deals at 300 ms, no 429s; "
    "2.5 CPU s per 20,000 deals; 120 MB"
)


def print_pulls(figures: Figures | None, *, bare: dict[str, Any] | None = None, moved: float = 0.0) -> Figures:
    """Print one row of pulls; without figures, what stands above them."""
    if figures is None:
        print(definition(moved))
        print(PULL_BARS)
        print(HEAD)
        return EMPTY
    done = replace(figures, bare=bare)
    share = f"{done.share:>7.1%}" if done.share is not None else f"{'-':>7}"
    per_20k = done.cpu_s * 20_000 / max(1, done.deals)
    row = (
        f"{done.vendor:<10} {done.deals:>7,} {done.latency_ms:>5g}  {'vendor' if done.limited else 'none':<6} "
        f"{done.rate:>8,.0f} {done.cpu_s:>6.1f} {per_20k:>5.1f} {done.peak_mb:>8.0f} {done.requests:>9,} "
        f"{done.refused:>5} {share:>8}"
    )
    if bare:
        row += f" {bare['deals'] / bare['seconds']:>13,.0f} {bare['cpu_s']:>10.1f}"
    print(row, flush=True)
    print_trouble(done)
    return done


def definition(moved: float) -> str:
    """Say what the ceiling is and what the deals are like."""
    each = ", ".join(
        f"{vendor} {PER_SECOND[vendor]:g} requests/s x {PER_REQUEST[vendor]} deals" for vendor in PER_SECOND
    )
    return (
        f"ceiling: the deals that the vendor's limit lets through in the time taken ({each}; salesforce limits days "
        "only). The first window may go out at once, so short runs pass 100 %.\n"
        f"deals: 49 properties mapped into the SQLite store; {moved:.0%} have moved and need their history"
    )


def print_changes(figures: Figures) -> Figures:
    """Print one pull of a few changes."""
    whole = (figures.found or {}).get("process_seconds", 0.0)
    alone = (figures.found or {}).get("pull_seconds", 0.0)
    print(
        f"{figures.vendor:<10} incremental at {figures.latency_ms:g} ms: {(figures.found or {})['records']} records, "
        f"{figures.requests} requests (bar 5), {alone:.2f} s for the pull itself (bar 0.5), {figures.seconds:.2f} s "
        f"with its imports, {whole:.2f} s with the interpreter's start, {figures.cpu_s:.2f} CPU s",
        flush=True,
    )
    for path, times in (figures.counts or {}).get("paths", {}).items():
        print(f"    {times} x {path}")
    print_trouble(figures)
    return figures


def print_writes(figures: Figures | None) -> Figures:
    """Print one row of updates; without figures, what stands above them."""
    if figures is None:
        each = ", ".join(f"{vendor} {PER_SECOND[vendor]:g} requests/s x {PER_WRITE[vendor]}" for vendor in PER_SECOND)
        print(f"of deals: the updates, as a share of those that the vendor's limit lets through ({each}); bar 90 %")
        guards = ", ".join(f"{vendor} {round(_guarded(vendor), 1):g}/s" for vendor in PER_SECOND)
        print(
            "with guards: the same, where it lets through the reads as well that see whether somebody changed the deals"
        )
        print(f"since the plan was made; without conditional writes one for {PER_GUARD['hubspot']} ({guards})")
        print("of requests: all that were sent, as a share of those it lets through")
        head = "crm        updates    ms  limit   updates/s  CPU s  peak MB  requests  429s"
        print(f"{head}  of deals  with guards  of requests  outcomes")
        return EMPTY
    share = f"{figures.share:>9.1%}" if figures.share is not None else f"{'-':>9}"
    guarded, allowed = (
        f"{sent:>12.1%}" if sent is not None else f"{'-':>12}"
        for sent in (figures.share_of_guarded, figures.share_of_requests)
    )
    outcomes = (figures.found or {}).get("outcomes", {})
    limit = "vendor" if figures.limited else "none"
    print(
        f"{figures.vendor:<10} {figures.deals:>7,} {figures.latency_ms:>5g}  {limit:<6} "
        f"{figures.rate:>10,.0f} {figures.cpu_s:>6.1f} {figures.peak_mb:>8.0f} {figures.requests:>9,} "
        f"{figures.refused:>5} {share} {guarded} {allowed}  "
        f"{', '.join(f'{times:,} {name}' for name, times in outcomes.items())}",
        flush=True,
    )
    for path, times in (figures.counts or {}).get("paths", {}).items():
        print(f"    {times} x {path}")
    print_trouble(figures)
    return figures


def _guarded(vendor: str) -> float:
    return replace(EMPTY, vendor=vendor, limited=True, per_request=PER_WRITE[vendor]).guarded or 0.0


def print_other(figures: Figures) -> Figures:
    """Print how a pull got on beside another app."""
    counts = figures.counts or {}
    other = counts.get("other") or {"from_second": 0.0, "refused": 0}
    came, ended = int(other["from_second"]), int(counts.get("seconds", 0))
    admitted = {int(second): times for second, times in counts.get("admitted_by_second", {}).items()}
    refused = {int(second): times for second, times in counts.get("refused_by_second", {}).items()}
    late = sum(times for second, times in refused.items() if second >= came + 10)
    half = PER_SECOND.get(figures.vendor, 0.0) / 2
    print(
        f"{figures.vendor:<10} another app takes half from second {came} of {ended}: "
        f"{_mean(admitted, 0, came):.1f} requests/s before, {_mean(admitted, came + 10, ended):.1f} from 10 s after "
        f"(half is {half:g}); 429s: {figures.refused} in all, {late} later than 10 s (bar 0); "
        f"the other app met {other['refused']}",
        flush=True,
    )
    print_trouble(figures)
    return figures


def _mean(by_second: dict[int, int], start: int, end: int) -> float:
    return sum(times for second, times in by_second.items() if start <= second < end) / max(1, end - start)


def print_trouble(figures: Figures) -> None:
    """Print what went wrong, where something did: figures of a pull that failed mean nothing."""
    wrong = (figures.counts or {}).get("wrong") or {}
    unread = (figures.found or {}).get("unread_values", 0)
    stored = (figures.found or {}).get("stored", 0)
    for trouble in (*figures.errors, *(f"{times} answers of {status}" for status, times in wrong.items())):
        print(f"    ! {trouble}")
    if stored != figures.deals:
        print(f"    ! {stored} of {figures.deals} deals are in the store")
    if unread:
        print(f"    ! {unread} values could not be read")


def write_json(path: Path, found: Sequence[Figures]) -> None:
    """Write the figures with what they were measured on."""
    write_found(path, [figures.as_json() for figures in found])


def write_found(path: Path, found: Sequence[dict[str, Any]]) -> None:
    """Write what was found with what it was measured on."""
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    body = {"machine": machine, "figures": found}
    path.write_text(json.dumps(body, indent=2) + "\n", "utf-8")


EMPTY = Figures(
    vendor="",
    deals=0,
    latency_ms=0,
    limited=False,
    seconds=0,
    cpu_s=0,
    peak_mb=0,
    requests=0,
    refused=0,
    per_request=1,
)
