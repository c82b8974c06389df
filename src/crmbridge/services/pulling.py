"""Pull: bring the state up to date with what the CRMs hold now."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from crmbridge.errors import CrmbridgeError
from crmbridge.model.records import Kind
from crmbridge.services.workspace import Workspace

# Deals come last: when they are read, their owners, companies and contacts are there already.
ORDER = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPull:
    """What one connection gave. With an error, what came before it is stored and the next pull goes on from there."""

    connection: str
    records: int = 0
    moves: int = 0
    gone: int = 0
    problems: int = 0
    error: CrmbridgeError | None = None


def pull(workspace: Workspace, connections: Sequence[str] = ()) -> tuple[ConnectionPull, ...]:
    """Pull all connections, or the ones named, side by side. One that fails does not keep the others from going on."""
    chosen = list(connections or workspace.connections)
    adapters_first = [workspace.adapter(name) for name in chosen]  # a wrong setting stops before anything is read
    if not adapters_first:
        return ()
    with ThreadPoolExecutor(max_workers=len(chosen)) as threads:
        return tuple(threads.map(lambda name: _pull_one(workspace, name), chosen))


def _pull_one(workspace: Workspace, connection: str) -> ConnectionPull:
    total = ConnectionPull(connection=connection)
    try:
        for kind in ORDER:
            if kind in workspace.adapter(connection).capabilities.kinds:
                total = _pull_kind(workspace, kind, total)
    except CrmbridgeError as error:
        return ConnectionPull(
            connection=connection,
            records=total.records,
            moves=total.moves,
            gone=total.gone,
            problems=total.problems,
            error=error,
        )
    return total


def _pull_kind(workspace: Workspace, kind: Kind, total: ConnectionPull) -> ConnectionPull:
    connection = total.connection
    since = workspace.store.records.cursor(connection, kind)
    for page in workspace.adapter(connection).pull(kind, since):
        workspace.store.records.save_page(connection, kind, page, workspace.clock.now())
        total = ConnectionPull(
            connection=connection,
            records=total.records + len(page.records),
            moves=total.moves + len(page.moves),
            gone=total.gone + len(page.tombstones),
            problems=total.problems + sum(len(record.problems) for record in page.records),
        )
        workspace.progress("pull", f"{connection}: {total.records} records")
    return total
