"""The board: what pages show and what takes longer to count than a visitor should wait; counted anew after each run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from crmbridge.errors import CrmbridgeError
from crmbridge.indicators.elsewhere import Asker
from crmbridge.model.figures import Scorecard
from crmbridge.ports import Document
from crmbridge.services.answers.held_deals import HeldDeal, held_deals
from crmbridge.services.workspace import Workspace

LOOKS = 2.0  # seconds between two looks at whether a run has ended

log = logging.getLogger(__name__)

Write = Callable[[], Mapping[str, Document]]  # the report in each language
_Stamp = tuple[str, datetime | None] | None


class Held(NamedTuple):
    """The held deals as they were counted at a moment."""

    deals: tuple[HeldDeal, ...]
    at: datetime


class Board:
    """Keeps what was counted last. The state changes in runs only, so it is counted again when one began or ended."""

    def __init__(self, workspace: Workspace, write: Write) -> None:
        self._workspace = workspace
        self._write = write
        self._held: tuple[_Stamp, Held] | None = None
        self._reports: Mapping[str, Document] = {}
        self._stamp_of_reports: tuple[_Stamp] | None = None  # None: not counted yet
        self._counting = threading.Lock()
        self._closed = threading.Event()
        self._asker = Asker()
        self._thread = threading.Thread(target=self._watch, name="crmbridge-board", daemon=True)

    def start(self) -> None:
        """Begin to count in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop counting. What counts the figures elsewhere is ended: that may take long, and nobody sees them."""
        self._closed.set()
        self._asker.end()
        if self._thread.is_alive():
            self._thread.join()

    def held(self) -> Held:
        """Give the held deals; the first time, they are counted now."""
        return self._held[1] if self._held else self._count_held(self._stamp())

    def scorecard(self, language: str) -> Scorecard | None:
        """Give the figures in a language, as they were counted last; None while that has not happened, or can't."""
        found = self.report(language)
        return found.scorecard if found else None

    def report(self, language: str) -> Document | None:
        """Give the report on these figures."""
        return self._reports.get(language)

    @property
    def is_counting(self) -> bool:
        """Tell whether the figures are still to be counted for the first time."""
        return self._stamp_of_reports is None

    def recount(self) -> None:
        """Count the held deals again if a run has begun or ended since."""
        self._count_held(self._stamp())

    def refresh(self) -> None:
        """Count again what is out of date; the reports take longer, and come last."""
        stamp = self._stamp()
        self._count_held(stamp)
        if self._stamp_of_reports != (stamp,):
            self._reports, self._stamp_of_reports = self._count(), (stamp,)

    def _count_held(self, stamp: _Stamp) -> Held:
        with self._counting:
            if self._held is None or self._held[0] != stamp:
                now = self._workspace.clock.now()
                self._held = (stamp, Held(held_deals(self._workspace), now))
            return self._held[1]

    def _count(self) -> Mapping[str, Document]:
        try:
            return self._write()
        except CrmbridgeError as error:
            if not self._closed.is_set():
                log.warning("%s", error.message)
        except Exception:  # the other pages go on, and the next run may bring better
            log.exception("the figures can't be counted")
        return {}

    def _stamp(self) -> _Stamp:
        newest = self._workspace.store.runs.runs(1)
        return (newest[0].id, newest[0].finished_at) if newest else None

    def _watch(self) -> None:
        with self._asker.asking():
            self._keep_counting()

    def _keep_counting(self) -> None:
        while not self._closed.is_set():
            try:
                self.refresh()
            except CrmbridgeError as error:
                log.warning("the state can't be read: %s", error.message)
            except Exception:  # a thread that ends here would leave old figures standing for good
                log.exception("the state can't be read")
            self._closed.wait(LOOKS)
