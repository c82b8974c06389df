"""Fill a state with deals, or serve the page on it: what `crmbridge serve` serves, in a process of its own.

python -m runs.page_site fill FOLDER DEALS
python -m runs.page_site serve FOLDER
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from crmbridge.languages import LANGUAGES
from crmbridge.services.reports.publishing import make_document
from crmbridge.services.runs.running import run_steps
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.settings import Report
from crmbridge.store import open_store
from crmbridge.testing.workspaces import Bench, make_bench
from crmbridge.web.access import Access, Key, Role, digest_of
from crmbridge.web.gate import hosts_of
from crmbridge.web.opening import serving
from crmbridge.web.receiver import Reception, webhook_app
from crmbridge.web.routes import site_app
from crmbridge.web.server import listen, make_server

TOKEN = "a-token-that-opens-the-benchmark"  # noqa: S105  it opens nothing else


def bench(folder: Path, deals: int = 0) -> Bench:
    """Open the state in a folder, with one CRM of so many deals beside it."""
    url = f"sqlite:///{folder / 'state.db'}"
    parts = {"north": (0.0, 1.0)}
    return make_bench(deals=deals, store=open_store(url), folder=folder, store_url=url, parts=parts)


def fill(folder: Path, deals: int) -> None:
    """Pull and judge the deals, as one cycle does."""
    made = bench(folder, deals)
    run_steps(made.workspace, "cycle")
    made.workspace.close()


def serve(folder: Path) -> None:
    """Serve until the process is ended; says where, when the held deals are counted."""
    made = bench(folder)

    @contextlib.contextmanager
    def opens(_progress: Progress = silent) -> Iterator[Workspace]:
        yield made.again().workspace

    access = Access([Key("bench", Role.ACT, digest_of(TOKEN))], made.clock.now)
    began = time.perf_counter()
    report = Report(name="report")
    reports = {
        each: make_document(made.workspace, report.model_copy(update={"language": each}), None) for each in LANGUAGES
    }
    start = time.perf_counter()
    with (
        contextlib.closing(listen("127.0.0.1", 0)) as listener,
        serving(made.workspace, opens, access, hosts_of("127.0.0.1", None, []), write=lambda: reports) as site,
    ):
        held = site.board.held()
        app = site_app(site, webhook_app(Reception(made.workspace, {}, "http://127.0.0.1")))
        told = {
            "url": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "deal": str(held.deals[0].deal.id),
            "run": made.workspace.store.runs.runs(1)[0].id,
            "held": len(held.deals),
            "figures_s": start - began,
            "counted_s": time.perf_counter() - start,
        }
        print(json.dumps(told), flush=True)
        make_server(app).run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        serve(Path(sys.argv[2]))
