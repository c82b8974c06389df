"""Exit codes mean one thing each."""

from __future__ import annotations

import inspect

import pytest

from crmbridge import errors
from crmbridge.cli.call import Reply
from crmbridge.cli.exits import EXITS, exit_of, is_good
from crmbridge.cli.failures import InputNeededError
from crmbridge.errors import worst

CODES = [one.code for one in EXITS]


def test_every_code_is_in_the_table_once() -> None:
    """Those of the design, and no others."""
    assert [*range(14), 130, 143] == CODES
    assert len(CODES) == len({one.name for one in EXITS})


def test_every_error_ends_with_a_code_of_the_table_by_the_same_name() -> None:
    """An error's code and the table's name for its exit code say the same where both speak of one thing."""
    found = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.CrmbridgeError)]
    classes: list[type[errors.CrmbridgeError]] = [*found, InputNeededError]
    # Seldom more than a row of a run.
    outcomes = {errors.CrmbridgeError, errors.RefusedError, errors.StaleError, errors.UnclearError}
    named = {c.exit_code: c.code for c in classes if c not in outcomes}

    assert named == {code: exit_of(code).name for code in named}
    assert {c.exit_code for c in classes} <= set(CODES)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([0, 10], 10), ([7, 6], 6), ([5, 4, 7], 4), ([9, 8], 8), ([11, 5], 5), ([3, 12], 12)],
)
def test_the_worst_of_several_counts(codes: list[int], expected: int) -> None:
    """Whatever comes first."""
    assert expected == worst(codes) == worst(reversed(codes))


@pytest.mark.parametrize("code", CODES)
def test_a_document_is_ok_or_has_an_error(code: int) -> None:
    """Never both, never neither."""
    document = Reply(result={}, exit_code=code).document("run")

    assert document["ok"] == is_good(code)
    assert document["ok"] == ("error" not in document)
    assert code == document["exit_code"]
