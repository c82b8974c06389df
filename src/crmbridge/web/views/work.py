"""What is at work, told while it goes on, and what came of it.

The answer ends when the work does. A page that loads itself again and again would take readers' place away each time,
and who needs long to read would never get to its end (WCAG 2.2.1).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic

from anyio import sleep, to_thread
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response, StreamingResponse

from crmbridge.model.changes import Outcome
from crmbridge.web.desk import Job
from crmbridge.web.rendering import rendered
from crmbridge.web.site import Asked, Site, go, page
from crmbridge.web.views.changes import names_told, shown_changes
from crmbridge.web.words import Words

LOOKS = 0.2  # seconds between two looks at what is at work
QUIET = 5.0  # seconds after which a step is told of again, when it got further
LONGEST = 900.0  # seconds that an answer lasts; then the visitor may look again
SKIPPED = 30  # changes that were not written and are named
MARK = Markup("<!-- here it goes on -->")
HEADERS = {"X-Accel-Buffering": "no"}  # nginx would keep the page back until it is whole


def work(site: Site, asked: Asked) -> Response:
    """Show what is at work until it is over, then what came of it."""
    job = site.desk.job
    if job is None:
        return go("/plan")
    before, after = _around(site, asked, job)
    if job.finished_at is not None:
        return HTMLResponse(before + _result(site, job, asked.words) + after)
    return StreamingResponse(_told(site, job, asked.words, before, after), media_type="text/html", headers=HEADERS)


def _around(site: Site, asked: Asked, job: Job) -> tuple[str, str]:
    """Give the page up to what is told, and from there on."""
    t = asked.words
    begun = t("job_started", when=t.moment(job.started_at), by=job.by)
    counted = t("all_times_only", zone=site.zone.key)
    whole = page(
        site, asked, "work.html.j2", title=t(f"job_{job.what}"), begun=begun, mark=MARK, counted=counted, busy=False
    )
    before, _, after = bytes(whole.body).decode().partition(MARK)
    return before, after


async def _told(site: Site, begun: Job, t: Words, before: str, after: str) -> AsyncIterator[str]:
    yield f'{before}<div role="log" aria-label="{t("working")}"><ol class="list">'
    started = told_at = monotonic()
    told: tuple[str, str] | None = None
    while (job := _same(site, begun)) and job.finished_at is None and monotonic() - started < LONGEST:
        now = (job.step, job.about)
        if told is None or now[0] != told[0] or (now != told and monotonic() - told_at > QUIET):
            told, told_at = now, monotonic()
            yield rendered("work_step.html.j2", {"t": t, "job": job})
        await sleep(LOOKS)
    yield "</ol></div>"
    if job is not None:
        yield await to_thread.run_sync(_result, site, job, t)
    yield after


def _same(site: Site, begun: Job) -> Job | None:
    """Give what was begun as it stands now; None once something else is at work."""
    job = site.desk.job
    return job if job and (job.what, job.started_at) == (begun.what, begun.started_at) else None


def _result(site: Site, job: Job, t: Words) -> str:
    """Write what came of it."""
    cycle = job.ran.cycle if job.ran else None
    applied = cycle.applied if cycle else None
    skipped = [(c, r) for c, r in applied.done if r.outcome is not Outcome.APPLIED][:SKIPPED] if applied else []
    changes = [change for change, _ in skipped]
    lines = shown_changes(site, changes, names_told(site, changes, t), t)
    return rendered(
        "work_result.html.j2",
        {
            "t": t,
            "job": job,
            "outcomes": [(t(f"outcome_{name}"), n) for name, n in applied.counts.items()] if applied else [],
            "skipped": [
                (line, t(f"outcome_{receipt.outcome}"), receipt.message)
                for line, (_, receipt) in zip(lines, skipped, strict=True)
            ],
            "errors": [(name, error.message) for name, error in cycle.errors] if cycle else [],
        },
    )
