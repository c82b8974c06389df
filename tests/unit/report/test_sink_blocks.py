"""A report as a Slack message keeps Slack's limits, and nothing in it is a link or a mention."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crmbridge.model.replacing import replace
from crmbridge.ports import Document
from crmbridge.report import render
from crmbridge.report.sinks.blocks import MAX_BLOCKS, MAX_FIELD, MAX_FIELDS, MAX_HEADER, MAX_TEXT, message
from crmbridge.testing.figures import make_indicator_figure, make_scorecard

HOSTILE = "<!channel> <@U1> <https://evil.example|click> & co \u202e\x1b]52;c;ZXZpbA==\x07"


def document(**overrides: Any) -> Document:
    return render(make_scorecard(**overrides), None, "Weekly", name="weekly")


def texts(body: dict[str, Any]) -> list[str]:
    """Give every text of a message."""
    found = [body["text"]]
    for block in body["blocks"]:
        parts = [block["text"]] if "text" in block else block.get("fields", []) + block.get("elements", [])
        found += [part["text"] for part in parts]
    return found


def test_a_report_reads_at_a_glance() -> None:
    """Below the title stand when and of how many, then each indicator with its target, then what needs attention."""
    blocks = message(document())["blocks"]

    assert ["header", "context", "section", "divider", "section"] == [block["type"] for block in blocks]
    assert "Weekly" == blocks[0]["text"]["text"]
    assert "*Deals won*\n🔴 22%\nTarget ≥ 25%, ✗ missed" == blocks[2]["fields"][0]["text"]
    assert "SLA" in blocks[4]["text"]["text"]


@pytest.mark.parametrize("many", [1, 11, 400, 700])
def test_however_many_indicators_the_limits_hold(many: int) -> None:
    """At most 50 blocks, 10 fields in one, and 3000, 2000 and 150 characters in their texts."""
    figures = tuple(make_indicator_figure(id=f"i{n}", name=f"{n} " + "&<long>" * 400) for n in range(many))
    body = message(document(indicators=figures))
    fields = [block["fields"] for block in body["blocks"] if "fields" in block]

    assert len(body["blocks"]) <= MAX_BLOCKS
    assert all(0 < len(group) <= MAX_FIELDS for group in fields)
    assert all(0 < len(field["text"]) <= MAX_FIELD for group in fields for field in group)
    assert all(len(block["text"]["text"]) <= MAX_TEXT for block in body["blocks"] if "text" in block)
    assert len(body["blocks"][0]["text"]["text"]) <= MAX_HEADER


def test_names_from_a_crm_alert_nobody() -> None:
    """Wherever a hostile name stands, its brackets are written as text and it can't steer a terminal."""
    card = make_scorecard(process=HOSTILE, indicators=(make_indicator_figure(name=HOSTILE, target=HOSTILE),))
    body = message(render(card, None, HOSTILE, name="weekly"))
    said = json.dumps(texts(body), ensure_ascii=False).replace("\\n", "")

    assert "&lt;!channel&gt;" in said
    # The title's own block is plain text, in which Slack reads nothing.
    marked = [text for text in texts(body) if text != body["blocks"][0]["text"]["text"]]
    assert not any(sign in text for text in marked for sign in ("<", ">"))
    assert not any(sign in said for sign in ("\u202e", "\x1b", "\\u001b"))


def test_emphasis_of_a_name_does_not_leak() -> None:
    """A name with asterisks does not make the rest of its field bold."""
    field = message(document(indicators=(make_indicator_figure(name="a*b_c`d"),)))["blocks"][2]["fields"][0]["text"]

    assert "*a b c d*" == field.splitlines()[0]


def test_a_report_of_one_deal_says_so() -> None:
    """One deal is no deals."""
    coverage = replace(make_scorecard().coverage, deals=1, open=1, won=0, lost=0, with_history=1)

    assert "1 deal: 1 open, 0 won, 0 lost" in texts(message(document(coverage=coverage)))[2]


def test_a_report_without_data_says_so() -> None:
    """Before anything was counted there are no fields, only the sentence that says why."""
    empty = make_scorecard().coverage.__class__(deals=0, open=0, won=0, lost=0, with_history=0, since=None)
    body = message(document(coverage=empty))

    assert ["header", "section"] == [block["type"] for block in body["blocks"]]
    assert "No data" in body["blocks"][1]["text"]["text"]
