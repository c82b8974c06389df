"""`crmbridge links`: which records belong together, and saying so by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.choices import wait_option
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table

if TYPE_CHECKING:
    from crmbridge.model.records import Record, Ref
    from crmbridge.services.by_hand.linking import Linked, Unclear
    from crmbridge.services.workspace import Workspace

NAME, REASON = 48, 300  # columns
MOST = 10_000


@as_command(
    "links",
    examples=[
        ("links", "what is unclear, then the links of deals"),
        ("links list acme", "those with acme in a name"),
        ("links show hs:123", "one link, by a record of it"),
        ("links join hs:123 sf:006A", "these are the same deal"),
        ("links join hs:company:7 sf:company:001B", "these are the same company"),
        ("links split sf:006A", "this one is another deal; it is not joined again"),
    ],
)
@click.argument("action", type=click.Choice(["list", "show", "join", "split"]), default="list")
@click.argument("records", nargs=-1, metavar="[RECORD]...")
@click.option(
    "--kind", type=click.Choice(["deal", "company", "contact"]), default="deal", show_default=True, help="For list."
)
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many links to list.")
@wait_option
def command(call: Call, *, action: str, records: tuple[str, ...], kind: str, limit: int) -> Reply:
    """List which records of the CRMs belong together and of which that is unclear; join them, or split one off.

    Nothing is guessed where several records fit: a person joins what belongs together. Joining and splitting writes to
    no CRM; the next plan works with it.
    """
    from crmbridge.services.by_hand.linking import join, show_link, split  # noqa: PLC0415  imports are paid late

    if action in {"show", "split"} and len(records) != 1:
        raise click.UsageError(f"Name the one record to {action}, such as hs:123.")
    if action == "join" and len(records) < 2:
        raise click.UsageError("Name the records that are the same, such as hs:123 sf:006A.")
    with call.workspace() as workspace:
        if action == "list":
            return _list(workspace, " ".join(records), kind, limit)
        if action == "show":
            return _answer(show_link(workspace, records[0]), "")
        if action == "join":
            return _answer(join(workspace, records), "These are one from now on; the next plan keeps them in step.")
        return _answer(split(workspace, records[0]), f"{records[0]} stands alone from now on, and is not joined again.")


def _list(workspace: Workspace, text: str, kind: str, limit: int) -> Reply:
    from crmbridge.model.records import Kind  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.by_hand.linking import list_links, list_unclear  # noqa: PLC0415  the same

    every = [one for one in list_unclear(workspace) if _fits(one, text)]
    unclear = [one for one in every if one.item.deal.kind == kind]
    listed = list_links(workspace, text, Kind(kind), limit)
    lines = [line for one in unclear for line in _unclear_lines(one)]
    rows: list[list[Part]] = [
        [strong(one.id), cut(one.name, NAME) or "(no name)", ", ".join(map(str, one.refs))] for one in listed.links
    ]
    lines += table(rows, heads=("link", "name", "records"))
    said = plural(listed.count, "link")
    more = f", of which {limit:,} are shown; name a part of a name to see others" if listed.count > limit else ""
    lines += [*([""] if rows else []), f"{said}{more}; {plural(len(unclear), 'record')} unclear."]
    lines += _others_unclear(every, kind)
    result = {
        "links": [_form(one) for one in listed.links],
        "count": listed.count,
        "unclear": [_unclear_form(one) for one in unclear],
    }
    return Reply(result=result, lines=lines)


def _others_unclear(every: Sequence[Unclear], kind: str) -> Iterator[Line]:
    """Say where else something is unclear, as only one kind is listed."""
    for other, count in sorted(Counter(one.item.deal.kind for one in every).items()):
        if other != kind:
            yield f"Of another kind: {plural(count, 'record')} unclear; `crmbridge links --kind {other}` lists them."


def _fits(one: Unclear, text: str) -> bool:
    from crmbridge.services.by_hand.linking import called_by  # noqa: PLC0415  imports are paid by their users

    return text.casefold() in f"{one.item.deal} {called_by(one.record)}".casefold()


def _unclear_lines(one: Unclear) -> Iterator[Line]:
    """Show what may belong together side by side."""
    yield from table([[Tinted("!", Tone.BAD), strong(str(one.item.deal)), dim(cut(one.item.reason, REASON))]])
    records = [*([one.record] if one.record else []), *one.candidates]
    yield from table([_row(record) for record in records], indent=4)
    yield ["    ", dim(_way_out(one))]
    if any(other.ref.connection != one.item.deal.connection for other in one.candidates):
        yield ["    ", dim(f"crmbridge links split {one.item.deal}   if it is none of these")]
    yield ""


def _way_out(one: Unclear) -> str:
    """Say how it is settled: what may be the same in two CRMs is joined, what is so in one CRM is merged there."""
    deal = one.item.deal
    if one.candidates and all(each.ref.connection == deal.connection for each in one.candidates):
        return f"merge them in {deal.connection}, or: crmbridge links split {deal}"
    return f"crmbridge links join {deal} RECORD"


def _row(record: Record) -> list[Part]:
    from crmbridge.model.values import show  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.by_hand.linking import called_by  # noqa: PLC0415  the same

    names = ("amount", "close_date", "domain", "email", "title")
    said = [show(record.fields[name]) for name in names if record.fields.get(name)]
    said += [f"created {record.created_at:%Y-%m-%d}"] if record.created_at else []
    return [str(record.ref), cut(called_by(record), NAME), ", ".join([*said, *([record.url] if record.url else [])])]


def _answer(linked: Linked | None, said: str) -> Reply:
    lines: list[Line] = [said] if said else []
    if linked is not None:
        lines += [[strong(linked.id), f"  {cut(linked.name, NAME)}"], *_link_lines(linked)]
    return Reply(result={"link": _form(linked) if linked else None}, lines=lines)


def _link_lines(linked: Linked) -> Iterator[Line]:
    rows: list[list[Part]] = []
    for ref in linked.refs:
        record = linked.records.get(ref)
        rows.append(_row(record) if record else [str(ref), dim("gone"), ""])
    yield from table(rows, indent=2)


def _form(linked: Linked) -> dict[str, Any]:
    from crmbridge.model.codec import ref_to_json  # noqa: PLC0415  imports are paid by the commands that use them

    return {
        "id": linked.id,
        "name": linked.name,
        "records": [
            {"ref": ref_to_json(ref), "gone": ref not in linked.records, "url": _url(linked, ref)}
            for ref in linked.refs
        ],
    }


def _url(linked: Linked, ref: Ref) -> str | None:
    record = linked.records.get(ref)
    return record.url if record else None


def _unclear_form(one: Unclear) -> dict[str, Any]:
    from crmbridge.model.codec import ref_to_json  # noqa: PLC0415  imports are paid by the commands that use them

    candidates: Sequence[Record] = one.candidates
    return {
        "id": one.item.id,
        "record": ref_to_json(one.item.deal),
        "reason": one.item.reason,
        "candidates": [ref_to_json(record.ref) for record in candidates],
    }
