"""The runs, and what each wrote."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from starlette.responses import Response

from crmbridge.model.changes import JournalEntry
from crmbridge.ports import Run
from crmbridge.services.answers.overview import entries_of, newest_runs
from crmbridge.services.by_hand.resolving import decided_by
from crmbridge.web.rendering import deal_path
from crmbridge.web.site import Asked, Site, message, page, part_of
from crmbridge.web.views.changes import done, names_told, written_to
from crmbridge.web.views.deals import edits_in_words, field_label
from crmbridge.web.views.start import ran
from crmbridge.web.views.waiting import value_of

ROWS = 50  # lines on a page
MOST = 2000  # runs that are looked through


def everything(site: Site, asked: Asked) -> Response:
    """List the runs, the newest first."""
    t = asked.words
    found = newest_runs(site.workspace, MOST)
    part = part_of(len(found), asked.number, ROWS)
    return page(
        site,
        asked,
        "runs.html.j2",
        title=t("runs"),
        runs=ran(site, found[part.start : part.last], t),
        part=part,
        page_path=lambda number: f"/runs?page={number}",
        counted=t("all_times_only", zone=site.zone.key),
    )


def one(site: Site, asked: Asked) -> Response:
    """Show one run with what it wrote."""
    t, id_ = asked.words, asked.params["id"]
    run = next((run for run in site.workspace.store.runs.runs(MOST, id_) if run.id == id_), None)
    if run is None:
        return message(site, asked, 404, t("not_found"), t("not_found_why"))
    part = part_of(sum(1 for _ in _ended(site, run)), asked.number, ROWS)
    entries = list(islice(_ended(site, run), part.start, part.last))
    decided = [one.item for one in decided_by(run)]
    names = names_told(site, [entry.change for entry in entries], t, decided)
    rows = []
    for entry in entries:
        edits, does = edits_in_words(site, entry.change, names, t), done(entry.change.action, t)
        rows.append((entry, *written_to(entry, names), edits, does, t(f"outcome_{entry.outcome}")))
    return page(
        site,
        asked,
        "run.html.j2",
        title=t("log_of", id=id_),
        ran=ran(site, [run], t)[0],
        error=str(run.summary.get("error") or ""),
        errors=sorted(_texts(run.summary.get("errors")).items()),
        rows=rows,
        decided=[
            (
                field_label(site, item.name, t),
                names.deals.get(item.deal) or str(item.deal),
                deal_path(item.deal),
                value_of(item, "", names, t),
            )
            for item in decided
        ],
        by=str(run.summary.get("by") or ""),
        part=part,
        page_path=lambda number: f"/runs/{id_}?page={number}",
        counted=t("all_times_only", zone=site.zone.key),
    )


def _ended(site: Site, run: Run) -> Iterator[JournalEntry]:
    return (entry for entry in entries_of(site.workspace, run) if entry.outcome is not None)


def _texts(value: object) -> dict[str, str]:
    """Give what is said of each connection; most errors name theirs already."""
    said = value.items() if isinstance(value, dict) else ()
    return {str(name): str(text).removeprefix(f"{name}: ") for name, text in said}
