"""Reports: figures to HTML, Markdown and JSON, and the sinks they go to."""

from crmbridge.report.note import fingerprint, note_text
from crmbridge.report.notice import Notice, notice_document
from crmbridge.report.rendering import render
from crmbridge.report.sinks import open_sink

__all__ = ["Notice", "fingerprint", "note_text", "notice_document", "open_sink", "render"]
