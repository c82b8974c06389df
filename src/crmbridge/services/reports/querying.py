"""Answer a question in SQL over the indicators' views, here or into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.asking import Answer, ask, write_parquet
from crmbridge.indicators.database import Moment, views
from crmbridge.indicators.elsewhere import bound_memory, elsewhere
from crmbridge.indicators.export import export_scorecard, suffix_of, write_csv, write_xlsx
from crmbridge.indicators.options import Options
from crmbridge.model.figures import Scorecard
from crmbridge.model.process import Process
from crmbridge.services.reports.measuring import project_rates
from crmbridge.services.workspace import Workspace

MOST = 1_000_000  # rows of a CSV or XLSX file; Parquet takes any number


class Place(NamedTuple):
    """What questions are asked of, and what messages call the SQL."""

    store_url: str
    process: Process
    moment: Moment
    name: str


def answer(workspace: Workspace, sql: str, place: str, most: int) -> Answer:
    """Answer a question with at most so many rows; `place` is what messages call the SQL.

    Raises ConfigurationError for SQL that is wrong, and for a state or a rate that is not there.
    """
    return elsewhere(_answered, _asked_of(workspace, place), sql, most)


def answer_into(workspace: Workspace, sql: str, place: str, path: Path) -> None:
    """Answer a question into a file that ends in .csv, .parquet or .xlsx, whole or not at all; raises as `answer`."""
    suffix = suffix_of(path)
    with _beside(path, suffix) as written:
        elsewhere(_write_answer, _asked_of(workspace, place), sql, written, path)


def _asked_of(workspace: Workspace, place: str) -> Place:
    project = workspace.project
    moment = Moment(workspace.clock.now(), Options(rates=project_rates(project)))
    return Place(project.store_url, project.process, moment, place)


def _answered(place: Place, sql: str, most: int) -> Answer:
    with views(place.store_url, place.process, place.moment) as database:
        bound_memory()
        return ask(database, sql, place.name, most=most)


def _write_answer(place: Place, sql: str, written: Path, path: Path) -> None:
    with views(place.store_url, place.process, place.moment, written) as database:
        bound_memory()
        if written.suffix == ".parquet":
            with _writing(path):
                write_parquet(database, sql, place.name, str(written))
            return
        found = ask(database, sql, place.name, most=MOST)
    if found.more:
        raise ConfigurationError(f"{place.name}: this gives more than {MOST:,} rows", advice="Write .parquet.")
    with _writing(path):
        if written.suffix == ".csv":
            write_csv(found, written)
        else:
            write_xlsx({"answer": found}, written)


def export_whole(scorecard: Scorecard, path: Path) -> None:
    """Save a scorecard as .csv, .xlsx or .parquet, whole or not at all; raises ConfigurationError where it can't be."""
    with _beside(path, suffix_of(path)) as written:
        export_scorecard(scorecard, written)
        written.chmod(0o644)  # as a report's other forms: it is there to be read by others


@contextmanager
def _beside(path: Path, suffix: str) -> Iterator[Path]:
    """Give a file beside `path` to write to, which takes its place when the block ends well."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".crmbridge-", suffix=suffix, delete=False) as file:
            written = Path(file.name).resolve()
        try:
            yield written
            os.replace(written, path)  # noqa: PTH105  the name says what is meant: one takes the other's place at once
        finally:
            written.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say of the file that was asked for what goes wrong with the disk."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}", advice="Name another place.") from None
