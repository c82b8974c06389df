"""The flow chart: its arrows, and how it is written for other programs."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from crmbridge.manual.flow import Arrow, arrows, moves_said, twin
from crmbridge.manual.flow_svg import svg
from crmbridge.manual.flow_text import dot, mermaid
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_process, make_stage


def speech(**overrides: Any) -> Speech:
    """Give the usual process in English."""
    return Speech(make_process(**overrides), words_of("en"))


def ways(kind: str, **overrides: Any) -> list[tuple[str, str]]:
    """Give the arrows of a kind."""
    return [(arrow.source, arrow.target) for arrow in arrows(speech(**overrides)) if arrow.kind == kind]


def test_deals_go_forward_back_and_out() -> None:
    """On to the next stage, back one by one, and out of every open stage."""
    assert [("qualification", "proposal"), ("proposal", "closing"), ("closing", "care")] == ways("forward")
    assert [("proposal", "qualification"), ("closing", "proposal")] == ways("back")
    assert [("qualification", "lost"), ("proposal", "lost"), ("closing", "lost")] == ways("lost")
    assert [] == ways("skip")


def test_moves_that_are_not_allowed_have_no_arrow() -> None:
    """And those that are have one."""
    assert [] == ways("back", moves={"back": False})
    assert ("qualification", "closing") in ways("skip", moves={"skip": True})


def test_a_stage_can_lead_to_several() -> None:
    """As `next` says."""
    stages = [make_stage("a", next=["b", "c"]), make_stage("b"), make_stage("c")]

    assert [("a", "b"), ("a", "c"), ("b", "c")] == ways("forward", stages=stages)


def test_a_hand_off_stands_on_its_arrow() -> None:
    """Where the deal gets another owner, with the time to accept it."""
    roles = [{"id": "seller", "name": "Seller"}, {"id": "carer", "name": "<Carer>"}]
    stages = [make_stage("a", handoff={"to": "carer", "accept_within": "4h"}), make_stage("b", owner="carer")]

    assert (
        Arrow("a", "b", "forward", "hand-off to <Carer>, accepted within 4 hours")
        == (arrows(speech(roles=roles, stages=stages))[0])
    )


def test_moves_are_said_in_words() -> None:
    """Skipping, going back with a reason, reopening, and who may move deals where."""
    moves = {"back": "with_reason", "reason": "source", "reopen": False, "who": {"proposal": ["owner", "seller"]}}
    said = [one.striptags() for one in moves_said(speech(moves=moves))]

    assert "It passes over no stage." in said
    assert "It may go back, with the reason filled in: Source." in said
    assert "What was won or lost is not opened again." in said
    assert "Into Proposal deals are moved by the owner of the deal or Seller only." in said


def test_the_twin_says_what_the_chart_shows() -> None:
    """One sentence or two per stage."""
    assert [
        "Qualification belongs to Seller. Then comes Proposal.",
        "Care belongs to Seller. Won deals stay here.",
    ] == [one.striptags() for one in (twin(speech())[0], twin(speech())[3])]


def test_the_drawing_has_every_stage_as_a_link() -> None:
    """Boxes lead to their pages, and the drawing has a name for who can't see it."""
    drawn = svg(speech())

    assert 4 == drawn.count('class="box ')
    assert '<a href="stage-proposal.html"><rect' in drawn
    assert 'role="group" aria-label="How a deal goes through the process"' in drawn


NAMES = r'class="name[^"]*">([^<]*)<'


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Proposal", ["1  Proposal"]),
        ("Presentation to management", ["1  Presentation to management"]),  # only smaller
        ("Evaluation by procurement and security", ["1  Evaluation by procurement and", "security"]),
        ("需" * 30, ["1  " + "需" * 19, "需" * 11]),
    ],
)
def test_names_that_are_too_long_for_a_line_take_two(name: str, lines: list[str]) -> None:
    """A name is broken between words where it has some, and stands there whole."""
    assert lines == [unescape(line) for line in re.findall(NAMES, svg(speech(stages=[make_stage(name=name)])))]


def test_the_drawing_cuts_names_that_do_not_fit() -> None:
    """Text of any script stays inside its box, which has two lines for a name."""
    drawn = svg(speech(stages=[make_stage(name="需" * 60), make_stage("b", name="i" * 200)]))
    names = re.findall(NAMES, drawn)

    assert [False, True, False, True] == [name.endswith("…") for name in names]
    assert max(map(len, names[:2])) < 25


def test_charts_for_other_programs_hold_no_more_than_text() -> None:
    """Quotes, brackets and line ends of a name don't end what they stand in."""
    evil = 'A"];\n  B --> C <script> \\" }'
    spoken = speech(stages=[make_stage(name=evil)])

    assert '  s_qualification["1. A#34;#93;#59; B --#62; C #60;script#62; #92;#34; #125;<br>Seller"]' in (
        mermaid(spoken).splitlines()
    )
    assert '  s_qualification [label="1. A\\"]; B --> C <script> \\\\\\" }\\nSeller"];' in dot(spoken).splitlines()
