"""`crmbridge check` runs a process's cases, and says of each what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.shop import Shop

CASES = """
process_tests:
  - case: Whoever asks is known
    deal: {stage: qualification, fields: {decision_maker: Ana}}
    expect: {ready: true}
  - case: Nobody is known
    deal: {stage: qualification}
    expect: {ready: false, rules: {qualification.who: fail}}
"""


def add(shop: Shop, text: str) -> None:
    """Add to the process file."""
    with (shop.folder / "process.yaml").open("a", encoding="utf-8") as file:
        file.write(text)


def test_cases_that_come_out_as_they_must_are_counted(shop: Shop) -> None:
    """And shown one by one where that is asked for."""
    add(shop, CASES)
    short, long = shop.call("check"), shop.call("check", "--cases")

    assert (0, 0) == (short.code, long.code)
    assert "2 cases passed" in short.out
    assert "Whoever asks" not in short.out
    assert f"pass  {shop.folder / 'process.yaml'}:20  Whoever asks is known" in long.out


def test_a_case_that_comes_out_otherwise_ends_with_3(shop: Shop) -> None:
    """Its line is shown, with what must be and what is; the document has what was found."""
    add(shop, CASES.replace("ready: true", "ready: false"))
    said, document = shop.call("check"), shop.call("check", "--json").document

    assert 3 == said.code
    assert "process.yaml:22:5: error[case-failed]: the case 'Whoever asks is known' failed:" in said.out
    assert "it must not be ready to leave its stage" in said.out
    assert "1 of 2 cases failed." in said.out
    assert ("cases_failed", [22]) == (
        document["error"]["code"],
        [one["line"] for one in document["error"]["diagnostics"] if one["code"] == "case-failed"],
    )
    assert [(False, True), (True, False)] == [(one["passed"], one["ready"]) for one in document["result"]["cases"]]
    assert {"qualification.who": "fail"} == document["result"]["cases"][1]["rules"]


def test_a_case_that_is_written_wrongly_is_shown_at_its_place(shop: Shop) -> None:
    """With the name that was meant; no case is run then."""
    add(shop, CASES.replace("fields: {decision_maker: Ana}", "fields: {decision_makr: Ana}"))
    said = shop.call("check")

    assert 3 == said.code
    assert "error[unknown-field]: there is no field 'decision_makr'" in said.out
    assert "did you mean 'decision_maker'?" in said.out


def test_a_run_does_not_ask_the_cases(shop: Shop) -> None:
    """They are there for whoever changes the process: one that fails stops no night's work."""
    add(shop, CASES.replace("ready: true", "ready: false"))

    assert 0 == shop.call("plan").code
