"""Wrong process files: each is refused with the line and column, what was found there, and what was probably meant."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from crmbridge.engine.coherence import check_process
from crmbridge.files.diagnostics import Diagnostic
from crmbridge.files.reading import parse_process
from crmbridge.services.projects.checking import placed

RIGHT = """\
version: 1
id: shop
name: Shop
purpose: Sell.
leader: boss
roles:
  - {id: boss, name: Boss}
  - {id: seller, name: Seller}
fields:
  - {id: wants, type: text, name: What they want}
  - {id: level, type: choice, options: [low, high], name: Level}
  - {id: signed, type: bool, name: Signed}
  - {id: bant.budget, type: bool, name: Budget}
calendars:
  office: {timezone: Europe/Berlin, hours: {mon: [09:00-18:00]}, day_hours: 9}
moves: {skip: false}
stages:
  - id: talking
    name: Talking
    purpose: Find out.
    owner: seller
    outputs: [{id: offer, name: Offer, field: wants}]
    exit:
      - id: first
        when: amount > 50000
        check: {required: [wants, level]}
      - id: second
        check: {expr: "signed && bant.budget"}
    sla: {goal: 5bd, calendar: office, warn_at: [50%]}
    handoff: {to: boss, accept_within: 4bh, accepted: signed}
  - {id: paying, name: Paying, purpose: Take the money., owner: boss}
indicators:
  - {id: win_rate, name: Win rate, measure: win_rate, target: 25%}
"""

WRONG = tomllib.loads(Path(__file__).with_name("wrong_lines.toml").read_text("utf-8"))["wrong"]


def errors_of(text: str) -> list[Diagnostic]:
    """Read and check a process; warnings are left out."""
    loaded = parse_process("p.yaml", text.encode())
    found = [*loaded.diagnostics]
    if loaded.model is not None:
        found += placed(check_process(loaded.model), loaded.source)
    return [one for one in found if one.severity == "error"]


def test_the_file_that_the_others_are_made_of_is_right() -> None:
    """Otherwise the table would say nothing."""
    assert [] == errors_of(RIGHT)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong['line']} {wrong['text'].strip()[:60]}")
def test_a_wrong_line_is_told(wrong: dict[str, Any]) -> None:
    """One line of the file is another one; where that breaks something else, too, it is told after it."""
    lines = RIGHT.split("\n")
    lines[wrong["line"] - 1] = wrong["text"]
    first, *_ = errors_of("\n".join(lines))

    assert (*wrong["at"], wrong["code"]) == (first.line, first.col, first.code)
    assert (wrong["said"], wrong.get("nearest")) == (first.sentence, first.nearest)
    assert wrong.get("advice", "") in first.advice


def test_there_are_many_of_them() -> None:
    """Nobody thins the table out unnoticed."""
    assert len(WRONG) >= 86
