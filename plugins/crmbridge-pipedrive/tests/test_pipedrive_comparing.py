"""What is read back is compared with what was sent, however Pipedrive writes it."""

from typing import Any

import pytest

from crmbridge_pipedrive.comparing import differences, same


@pytest.mark.parametrize("nothing", [None, "", []])
@pytest.mark.parametrize("sent", [None, "", []])
def test_blanks_are_alike(sent: Any, nothing: Any) -> None:
    """Labels are cleared by an empty list, and may be shown as null."""
    assert same(sent, nothing)


def test_labels_that_stay_are_a_difference() -> None:
    """Cleared, and there all the same; or set, and not there."""
    assert ["label_ids"] == differences({"label_ids": []}, {"label_ids": [5]})
    assert ["label_ids"] == differences({"label_ids": [5]}, {"label_ids": None})
    assert [] == differences({"label_ids": []}, {"label_ids": None})
