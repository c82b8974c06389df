"""A report as a mail: readable as text and as HTML, the same each time, and harmless whatever a CRM holds."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import ValidationError

from crmbridge.ports import Document
from crmbridge.report import render
from crmbridge.report.sinks.letters import letter
from crmbridge.sink_settings import EmailEntry
from crmbridge.testing.factories import NOON
from crmbridge.testing.figures import make_count, make_indicator_figure, make_measured, make_row, make_scorecard

HOSTILE = "<script>x</script> https://evil.example javascript:alert(1) www.evil.example @everyone \u202e\x1b]52;c;x\x07"
ENTRY = {"host": "smtp.acme.example", "from": "Reports <reports@acme.example>", "to": "head@acme.example"}


def entry(**overrides: Any) -> EmailEntry:
    return EmailEntry.model_validate({**ENTRY, **overrides})


def document(title: str = "Weekly", **overrides: Any) -> Document:
    return render(make_scorecard(**overrides), None, title, name="weekly")


def mail(report: Document | None = None, **overrides: Any) -> EmailMessage:
    """Give a mail as whoever receives it reads it."""
    sent = letter(report or document(), entry(**overrides), NOON).as_bytes()
    received = message_from_bytes(sent, policy=default)
    assert isinstance(received, EmailMessage)
    return received


def part(received: EmailMessage, kind: str) -> str:
    found = received.get_body((kind,))
    assert found is not None
    return str(found.get_content())


class Page(HTMLParser):
    """Collects what a mail program would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


def test_a_mail_is_text_and_html_with_the_whole_report_beside() -> None:
    """Both parts say the figures, and the file has the report with its charts."""
    report = document()
    received = mail(report)
    (file,) = received.iter_attachments()

    assert "22%" in part(received, "plain")
    assert "22%" in part(received, "html")
    assert ("weekly.html", report.html) == (file.get_filename(), file.get_content())


def test_the_file_can_be_left_out() -> None:
    """With `attach: false` there are only the two parts."""
    assert [] == list(mail(attach=False).iter_attachments())


def test_nothing_is_loaded_and_nothing_is_a_link() -> None:
    """The HTML part has no element or attribute that leads or reaches outside, and no script or style sheet."""
    page = Page(part(mail(document(process=HOSTILE)), "html"))

    assert set() == page.tags & {"a", "img", "link", "script", "style", "iframe", "form", "svg", "base"}
    assert set() == page.names & {"href", "src", "background", "action", "onclick", "srcset"}


def test_text_of_a_crm_is_inert_in_both_parts() -> None:
    """Markup is text, addresses are broken so that no mail program links them, and nothing steers a terminal."""
    owners = make_measured("open_findings", make_row(HOSTILE, errors=make_count(1)), rows_are="Owner")
    figure = make_indicator_figure(name=HOSTILE)
    received = mail(render(make_scorecard(owners, indicators=(figure,)), None, HOSTILE, name="weekly"))

    for said in (part(received, "plain"), part(received, "html"), str(received["Subject"])):
        assert not any(bad in said for bad in ("://", "javascript:", "www.", "@everyone", "\u202e", "\x1b"))
    assert "&lt;script&gt;" in part(received, "html")
    assert "<script" not in part(received, "html")


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\u2028"])
def test_a_title_begins_no_other_header(line_end: str) -> None:
    """A report's name with a line end in it stays one line of the subject."""
    received = mail(document(f"Weekly{line_end}Bcc: evil@evil.example"))

    assert received["Bcc"] is None
    assert "Weekly Bcc: evil@evil.example" == received["Subject"]


def test_the_same_report_is_the_same_mail() -> None:
    """Sent again later in the day it has the same Message-ID; with other figures it has another."""
    again = letter(document(as_of=NOON + timedelta(minutes=9)), entry(), NOON + timedelta(minutes=9))
    other = mail(document(indicators=(make_indicator_figure(met=True),)))

    assert mail()["Message-ID"] == again["Message-ID"]
    assert mail()["Message-ID"] != other["Message-ID"]
    assert str(mail()["Message-ID"]).endswith("@acme.example>")


def test_machines_do_not_answer() -> None:
    """It says that a machine wrote it, so that no absence note comes back."""
    assert "auto-generated" == mail()["Auto-Submitted"]


def test_other_alphabets_arrive() -> None:
    """Names in Chinese and Portuguese are read as they were written, in 7-bit lines that every server takes."""
    report = document("每周 Relatório", process="Vendas 销售")
    sent = letter(report, entry(**{"from": "José 王 <reports@acme.example>"}), NOON).as_bytes()
    received = message_from_bytes(sent, policy=default)

    assert sent.isascii()
    assert all(len(line) <= 998 for line in sent.splitlines())
    assert "每周 Relatório" == received["Subject"]
    assert "José 王 <reports@acme.example>" == str(received["From"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "evil@evil.example\nBcc: all@acme.example"},
        {"to": ["a@b.example", "x\r\n@b.example"]},
        {"to": []},
        {"to": "head"},
        {"to": "a@b.example, c@d.example"},
        {"from": "Reports\r\nBcc: evil@evil.example <reports@acme.example>"},
        {"host": "smtp.acme.example\r\nQUIT"},
        {"tls": "none"},
        {"user": "reports"},
        {"user": "reports", "password": "s3cret"},
        {"port": 0},
    ],
)
def test_wrong_entries_are_refused(wrong: dict[str, Any]) -> None:
    """What could begin a header, or would send a login in the clear, is no setting."""
    with pytest.raises(ValidationError):
        entry(**wrong)


def test_an_unencrypted_server_is_fine_on_this_machine() -> None:
    """A mail server on the same machine needs no TLS, as nobody reads along."""
    assert 25 == entry(host="localhost", tls="none").number
