"""A report as a mail: text, the same as HTML with its tables inline, and the whole report as a file."""

from __future__ import annotations

import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from crmbridge.engine.text import plain
from crmbridge.model.figures import Scorecard
from crmbridge.ports import Document
from crmbridge.report.attention import cards
from crmbridge.report.note import fingerprint, summary_lines
from crmbridge.report.parts import Section
from crmbridge.report.sections import indicator_table, sections
from crmbridge.report.sinks.inert import inert
from crmbridge.report.words import words_of
from crmbridge.sink_settings import EmailEntry

MAX_ROWS = 30  # of one table in the mail; the file has all
MAX_SUBJECT = 150


def letter(document: Document, entry: EmailEntry, at: datetime) -> EmailMessage:
    """Make the mail that a report is sent as. The same report has the same Message-ID, whenever it is sent.

    Nothing in it is loaded from elsewhere, and no text from a CRM is a link or begins a header.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = entry.from_
    mail["To"] = ", ".join(entry.to)
    if entry.reply_to:
        mail["Reply-To"] = entry.reply_to
    mail["Subject"] = inert(document.title, MAX_SUBJECT) or "crmbridge"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(document, entry)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note comes back
    mail["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    # Not every server takes 8-bit text, and lines of a report are long.
    mail.set_content(_text(document), cte="quoted-printable")
    mail.add_alternative(_html(document), subtype="html", cte="quoted-printable")
    if entry.attach and document.html:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", document.name)[:80] or "report"
        mail.add_attachment(
            document.html.encode(),
            maintype="text",
            subtype="html",
            filename=f"{name}.html",
            params={"charset": "utf-8"},
        )
    return mail


def message_id(document: Document, entry: EmailEntry) -> str:
    """Name a mail by the report that is in it, so that mail programs show one that came twice once."""
    domain = parseaddr(entry.from_)[1].rpartition("@")[2]
    return f"<crmbridge.{fingerprint(document)}@{domain}>"


def _text(document: Document) -> str:
    return "\n\n".join([inert(document.title), *map(inert, summary_lines(document))]) + "\n"


def _html(document: Document) -> str:
    card = document.scorecard
    language = document.facts.get("language", "en")
    empty: dict[str, object] = {"language": language, "cards": (), "indicators": None, "sections": (), "lines": ()}
    if card is None or not card.coverage.deals:
        values = {**empty, "lines": summary_lines(document)}
    else:
        values = {**empty, **_shown(card)}
    return _pages().get_template("mail.html.j2").render({"title": document.title, **values})


def _shown(card: Scorecard) -> dict[str, object]:
    words = words_of(card.language)
    return {
        "language": words.tag,
        "about": f"{card.process} · {words('as_of', when=words.minute(card.as_of))}",
        "cards": cards(card, words),
        "indicators": indicator_table(card, words) if card.indicators else None,
        "sections": [each for each in sections(card, None, words) if _is_readable(each)],
        "most": MAX_ROWS,
    }


def _is_readable(section: Section) -> bool:
    """Tell whether a section's table fits a mail; what is as wide as a sheet is in the file."""
    return bool(section.table.rows) and len(section.table.columns) <= 12


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("crmbridge.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.filters["inert"] = lambda text: inert(plain(str(text), 1000), 1000)
    return pages
