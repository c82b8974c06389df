"""Reports: figures to HTML, Markdown, JSON and CSV, and the sinks they go to."""

from crmbridge.report.csv_form import csv_text
from crmbridge.report.note import fingerprint, note_text
from crmbridge.report.notice import Notice, notice_document
from crmbridge.report.rendering import render
from crmbridge.report.sinks import open_sink

__all__ = ["Notice", "csv_text", "fingerprint", "note_text", "notice_document", "open_sink", "render"]
