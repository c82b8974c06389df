"""Writes the reports that the page shows."""

from __future__ import annotations

from collections.abc import Mapping

from crmbridge.languages import LANGUAGES
from crmbridge.ports import Document
from crmbridge.services.reports.publishing import make_document
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Report


def write_reports(workspace: Workspace) -> Mapping[str, Document]:
    """Write the report that the settings list first, or one of its own, in each language."""
    listed = next(iter(workspace.project.settings.reports), None) or Report(name="report")
    reports = {language: listed.model_copy(update={"language": language}) for language in LANGUAGES}
    return {language: make_document(workspace, report, None) for language, report in reports.items()}
