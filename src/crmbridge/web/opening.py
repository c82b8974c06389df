"""Opens the page of a project, with what works behind it, and ends it in good order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cache, partial

from crmbridge.languages import LANGUAGES
from crmbridge.ports import Document
from crmbridge.services.projects.writing_manual import earlier_versions, make_manual, read_versions
from crmbridge.services.reports.publishing import make_document
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Report
from crmbridge.web.access import Access
from crmbridge.web.board import Board, Write
from crmbridge.web.callers import Proxies
from crmbridge.web.desk import Desk, Opens
from crmbridge.web.gate import Hosts
from crmbridge.web.site import Site


def write_manual(workspace: Workspace) -> Mapping[str, str]:
    """Write the manual with what changed since the versions beside the process file, as `crmbridge manual` does."""
    project = workspace.project
    earlier = read_versions(earlier_versions(project.folder / project.settings.process))
    return make_manual(project.process, workspace.clock.now().date(), earlier=earlier)


def write_reports(workspace: Workspace) -> Mapping[str, Document]:
    """Write the report that the settings list first, or one of its own, in each language."""
    listed = next(iter(workspace.project.settings.reports), None) or Report(name="report")
    reports = {language: listed.model_copy(update={"language": language}) for language in LANGUAGES}
    return {language: make_document(workspace, report, None) for language, report in reports.items()}


@contextlib.contextmanager
def serving(
    workspace: Workspace,
    opens: Opens,
    access: Access,
    hosts: Hosts,
    *,
    secure: bool = False,
    port: int = 0,
    write: Write | None = None,
) -> Iterator[Site]:
    """Give the page of a project while the block lasts; at its end, what is at work is waited for.

    `workspace` is for looking; `opens` opens others, for what writes; `write` writes other reports than its own.
    `secure` says that the page is called by https, `port` where it listens.
    """
    board = Board(workspace, write or partial(write_reports, workspace))
    desk = Desk(opens, workspace.clock.now, board.recount)
    site = Site(
        workspace=workspace,
        opens=opens,
        access=access,
        hosts=hosts,
        board=board,
        desk=desk,
        manual=cache(lambda: write_manual(workspace)),
        proxies=Proxies(map(str, workspace.project.settings.serve.proxies)),
        secure=secure,
        port=port,
        open_metrics=workspace.project.settings.serve.metrics == "open",
    )
    board.start()
    try:
        yield site
    finally:
        desk.close()
        board.close()
