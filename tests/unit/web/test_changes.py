"""Changes as pages show them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from crmbridge.model.changes import Action
from crmbridge.web.views.changes import done
from crmbridge.web.words import words_of


@pytest.mark.parametrize(
    ("action", "language", "said"),
    [
        (Action.TASK, "en", "task"),
        (Action.TASK, "zh", "任务"),
        (Action.NOTIFY, "pt", "notificação"),
        (Action.UPDATE, "en", "update"),
    ],
)
def test_what_was_done_stands_without_a_record(action: Action, language: str, said: str) -> None:
    """Nothing in it waits for a name to follow."""
    assert said == done(action, words_of(language, ZoneInfo("UTC")))
