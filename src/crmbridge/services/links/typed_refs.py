"""Refs as people type them: `hs:123` for a deal, `hs:company:7` for what is none."""

from __future__ import annotations

from crmbridge.model.records import Kind, Ref
from crmbridge.services.workspace import Workspace


def ref_of(workspace: Workspace, text: str) -> Ref | None:
    """Read a ref as people type it, of a deal unless it says otherwise; None for anything else."""
    connection, colon, rest = text.partition(":")
    if not colon or not rest or connection not in workspace.connections:
        return None
    kind, colon, native = rest.partition(":")
    if colon and native and kind in set(Kind):
        return Ref(connection, Kind(kind), native)
    return Ref(connection, Kind.DEAL, rest)
