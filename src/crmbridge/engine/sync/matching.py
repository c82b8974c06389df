"""Finding out which records of several CRMs are the same: by external key, then by ordered rules, never by guess."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice

from msgspec import Struct, field

from crmbridge.engine.pacing import EPOCH
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Kind, Problem, Record, Ref, Signature
from crmbridge.model.values import Fields, Value, folded, is_empty

EXTERNAL_KEY = "external_key"
PREFIX = "crmbridge:"  # begins the keys that we write
UNREAD = "unread"  # ends the name of a rule that asks for what could not be read, and alone marks such a deal
BELONGS = "belongs to"  # not a rule: by it the deals of a company or contact are found again
Rule = str | tuple[str, ...]
_AROUND: Mapping[str, Kind] = {"company": Kind.COMPANY, "contacts": Kind.CONTACT}
_COMPANY = "company."  # begins the name of a field of the record's company
_UNKNOWN = "\x1e"  # in a signature, stands for what could not be read
MARKED = Signature(UNREAD, "")
MOST_NAMED = 50  # of one CRM in a question: of thousands of deals of one name, each question would name all the others


class Around(Struct, frozen=True, kw_only=True):
    """What must be known to match some records, the fresh ones, that stand in no link yet.

    `signatures` are theirs; `alike` has everybody with one of these, `links` the links that any of those stands in or
    that a key names, `present` the members of these links that are not gone. What stands together in `apart` was told
    by a person to be different.
    """

    signatures: Mapping[Ref, Collection[Signature]]
    alike: Mapping[Signature, Sequence[Ref]]
    links: Mapping[str, Sequence[Ref]]
    present: Collection[Ref]
    apart: Collection[frozenset[Ref]] = ()


class Matched(Struct, frozen=True, kw_only=True):
    """The links that are new or longer, the fresh records without a counterpart, and what only a person can tell."""

    links: Mapping[str, tuple[Ref, ...]]
    single: tuple[Ref, ...]
    ambiguous: tuple[Blocked, ...]


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────


def link_id(ref: Ref, again: int = 0) -> str:
    """Make the id of a link from the record that it starts with; `again` if others have the link that it had before."""
    more = f"\x1f{again}" if again else ""
    return "lnk" + hashlib.sha256(f"{ref.connection}\x1f{ref.kind}\x1f{ref.id}{more}".encode()).hexdigest()[:13]


def lead(link: str, refs: Iterable[Ref]) -> Ref | None:
    """Say which deal of a link speaks for it: the one it is named after, whose history is the longest known.

    Where that is gone it is the first of the others. None for a link without deals.
    """
    known = sorted(refs)
    return next((ref for ref in known if link_id(ref) == link), known[0] if known else None)


def external_key(link: str, lost: int = 0) -> str:
    """Give the key that a deal of this link is created with; one in the place of others has another than theirs."""
    return f"{PREFIX}{link}.{lost}" if lost else PREFIX + link


def link_of_key(key: str) -> str:
    """Name the link that a key of ours was written for; nothing for another key."""
    return key.removeprefix(PREFIX).partition(".")[0] if key.startswith(PREFIX) else ""


def goes_by(record: Record) -> Signature | None:
    """Give the signature that companies, or contacts, of one natural key have; None for one that has no key."""
    name, _, text = (record.natural_key or "").partition(":")
    return Signature(rule_name(record.ref.kind, name), text) if text else None


# ── Signatures ──────────────────────────────────────────────────────────────────────────────────────────


def signatures(
    record: Record, company: Record | None, rules: Iterable[Rule], fields: Fields | None = None
) -> tuple[Signature, ...]:
    """Give what a record is compared by: its keys, what each rule asks for, and the company it belongs to.

    A company or contact has what it goes by among them, whatever the rules.
    A deal has the key that a counterpart made for it would carry as well, so that the two find each other. `fields`
    are those of the record that `signed_by` names, where somebody has cut them out.
    """
    fields = record.fields if fields is None else fields
    kind = record.ref.kind
    found: list[Signature] = []
    if kind is Kind.DEAL:
        found.append(Signature(EXTERNAL_KEY, external_key(link_id(record.ref))))
        if record.key:
            found.append(Signature(EXTERNAL_KEY, record.key))
    for rule in rules:
        text = None if rule == EXTERNAL_KEY else _signature(fields, company, _names(rule))
        if text is not None:
            found.append(Signature(rule_name(kind, rule), text))
    if kind is not Kind.DEAL and (natural := goes_by(record)) is not None and natural not in found:
        found.append(natural)
    if kind is Kind.DEAL:
        found += map(belongs_to, _named(record.ref.connection, fields))
        found += _unread(record, company, rules, fields) if record.problems or (company and company.problems) else ()
    return tuple(found)


def _unread(record: Record, company: Record | None, rules: Iterable[Rule], fields: Fields) -> Iterator[Signature]:
    """Give what is known for the rules of which a part can't be read, and the mark of a deal that has such a rule."""
    hidden = {*record.unreadable, *(_COMPANY + name for name in (company.unreadable if company else ()))}
    found: list[Signature] = []
    for rule in rules:
        names = () if rule == EXTERNAL_KEY else _names(rule)
        lost = [name in hidden or (name.startswith(_COMPANY) and "company" in hidden) for name in names]
        each = zip(names, lost, strict=True)
        texts = [_UNKNOWN if unknown else folded(_look_up(fields, company, name)) for name, unknown in each]
        if any(lost) and all(texts):  # a rule that asks for what is empty fits nothing anyway
            found.append(Signature(f"{rule_name(record.ref.kind, rule)} {UNREAD}", "\x1f".join(texts)))
    yield from (*found, MARKED) if found else ()


def unseen(company: Ref, rules: Iterable[Rule]) -> Record:
    """Stand for a company of which nothing can be read that these rules look at."""
    names = sorted(
        {name.removeprefix(_COMPANY) for rule in rules for name in _names(rule) if name.startswith(_COMPANY)}
    )
    problems = tuple(Problem(name, "the company is not shown to us", name) for name in names)
    return Record(ref=company, fields={}, version="", updated_at=EPOCH, problems=problems)


def may_be_alike(one: Signature, unread: Signature) -> bool:
    """Tell whether a signature may be the same as one of which a part could not be read."""
    if unread.rule != f"{one.rule} {UNREAD}":
        return False
    parts = zip(one.text.split("\x1f"), unread.text.split("\x1f"), strict=True)
    return all(other in {part, _UNKNOWN} for part, other in parts)


def namesake(record: Record, other: Ref) -> Blocked:
    """Ask about a company that goes by the same as another one of its CRM: both would be given one counterpart."""
    name = (record.natural_key or "").partition(":")[0]
    return Blocked(
        link=link_id(record.ref),
        deal=record.ref,
        name="link",
        reason=f"several have the same {name}; a person must say which belong together",
        values={other.connection: other.id},
        cause=Cause.LINK,
    )


def doubtful(deal: Ref, others: Mapping[str, Iterable[Ref]]) -> Blocked:
    """Ask about a deal that may have a counterpart, which can't be found as what is compared can't all be read.

    `others` are those it may be, by connection; none where it is the deal's own fields that can't be read.
    """
    whose = "of those it may be" if others else "of it"
    return Blocked(
        link=link_id(deal),
        deal=deal,
        name="link",
        reason=f"it may have a counterpart already: not all {whose} that `match` compares can be read",
        values={name: ", ".join(ref.id for ref in sorted(refs)) for name, refs in others.items()},
        cause=Cause.LINK,
    )


def signed_by(rules: Iterable[Rule]) -> frozenset[str]:
    """Name the fields of a record that its signatures are made from."""
    asked = (name for rule in rules if rule != EXTERNAL_KEY for name in _names(rule))
    return frozenset(_AROUND).union(name for name in asked if not name.startswith(_COMPANY))


def around(deal: Record) -> Iterator[Ref]:
    """Name the company and the contacts that hang on a deal."""
    return _named(deal.ref.connection, deal.fields)


def _named(connection: str, fields: Fields) -> Iterator[Ref]:
    for name, kind in _AROUND.items():
        value = fields.get(name)
        natives = value if isinstance(value, tuple) else () if is_empty(value) else (str(value),)
        yield from (Ref(connection, kind, native) for native in natives)


def rule_name(kind: Kind, rule: Rule) -> str:
    """Name a rule of a kind as it stands in signatures."""
    return f"{kind}: {' and '.join(_names(rule))}"


def looks_at_company(rule: Rule) -> bool:
    """Tell whether a rule compares something of the company that a record belongs to."""
    return any(name.startswith(_COMPANY) for name in _names(rule))


def belongs_to(ref: Ref) -> Signature:
    """Give the signature that the deals of one company or contact have."""
    return Signature(f"{BELONGS} {ref.kind}", f"{ref.connection}/{ref.id}")


def hangs_on(deal: Ref, kind: Kind) -> Signature:
    """Give the signature that the notes, or activities, on one deal have."""
    return Signature(f"{kind} of deal", f"{deal.connection}/{deal.id}")


def _names(rule: Rule) -> tuple[str, ...]:
    return (rule,) if isinstance(rule, str) else rule


def _signature(fields: Fields, company: Record | None, names: tuple[str, ...]) -> str | None:
    """Give what a rule compares: without case, accents composed, spaces folded; None if any part is empty."""
    texts = [folded(_look_up(fields, company, name)) for name in names]
    return "\x1f".join(texts) if all(texts) else None


def _look_up(fields: Fields, company: Record | None, name: str) -> Value:
    if not name.startswith(_COMPANY):
        return fields.get(name)
    return company.fields.get(name.removeprefix(_COMPANY)) if company else None


# ── Matching ────────────────────────────────────────────────────────────────────────────────────────────


class _Book(Struct):
    """The links as they grow."""

    around: Around
    between: Sequence[str]
    members: dict[str, tuple[Ref, ...]]
    link_of: dict[Ref, str]
    grown: dict[str, tuple[Ref, ...]] = field(default_factory=dict)

    def write(self, link: str, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Set the members of a link, and give them; none where a person told two of them apart."""
        if any(pair <= set(refs) for pair in self.around.apart):
            return ()
        self.members[link] = self.grown[link] = refs
        self.link_of.update(dict.fromkeys(refs, link))
        return refs

    def own(self, ref: Ref) -> str:
        """Name the link that starts with a record, where others have the one that is named after it."""
        return next(link for again in count() if not self.members.get(link := link_id(ref, again)))

    def is_none_of(self, ref: Ref, sides: Mapping[str, Sequence[Ref]]) -> bool:
        """Tell whether a person told a record apart from all that it may be in other connections."""
        others = (each for name, side in sides.items() if name != ref.connection for each in side)
        return all(frozenset((ref, other)) in self.around.apart for other in others)

    def some_for(self, ref: Ref, side: Iterable[Ref]) -> Iterator[str]:
        """Give the ids of the first of these that a record may be, or be a double of."""
        maybe = (each.id for each in side if each != ref and frozenset((ref, each)) not in self.around.apart)
        return islice(maybe, MOST_NAMED)

    def ranked(self, refs: Iterable[Ref]) -> list[Ref]:
        """Give the refs of the connections that are matched, in the order in which the settings name those."""
        here = (ref for ref in refs if ref.connection in self.between)
        return sorted(here, key=lambda ref: (self.between.index(ref.connection), ref))

    def together(self, link: str, fresh: Iterable[Ref]) -> tuple[Ref, ...]:
        """Give a link with these as well. One that was deleted and made again takes the place of the one gone."""
        before = self.members.get(link, ())
        # One that was linked just now is there as well: the index has nothing that is gone.
        there = (ref for ref in before if ref in self.around.present or ref in self.around.signatures)
        return _one_each((*there, *fresh, *before))


def match(around: Around, rules: Iterable[Rule], between: Sequence[str], kind: Kind = Kind.DEAL) -> Matched:
    """Link the fresh records of one kind, of the connections `between`, in the order in which these count.

    A link that is there stays, and has at most one record per connection. When a rule fits several, none of them is
    linked and a person is asked.
    """
    link_of = {ref: link for link, refs in around.links.items() for ref in refs}
    book = _Book(around, between, {link: tuple(refs) for link, refs in around.links.items()}, link_of)
    copies = [item for signature in _of(EXTERNAL_KEY, around) for item in _join_by_key(book, signature)]
    unclear: list[Blocked] = []
    for rule in rules:
        for signature in _of(rule_name(kind, rule), around):
            unclear.extend(_join_by_rule(book, signature, _names(rule)))
    told = {ref for pair in around.apart for ref in pair}  # of these a person said where they do not belong
    orphans = (_orphan(ref, around) for ref in sorted(set(around.signatures) - told))
    unclear.extend(orphan for orphan in orphans if orphan is not None)
    return _matched(book, [*unclear, *copies])


def _matched(book: _Book, unclear: Iterable[Blocked]) -> Matched:
    asked = {item.deal: item for item in unclear if item.deal not in book.link_of}
    fresh = [ref for ref in book.ranked(book.around.signatures) if ref not in book.link_of]
    single = tuple(ref for ref in fresh if ref not in asked)
    return Matched(links=book.grown, single=single, ambiguous=tuple(asked[ref] for ref in sorted(asked)))


def _of(rule: str, around: Around) -> Iterator[Signature]:
    return iter(sorted(signature for signature in around.alike if signature.rule == rule))


def _join_by_key(book: _Book, signature: Signature) -> Iterator[Blocked]:
    """Link records that carry the same key, and one that carries a link's key to that link.

    Who copies a deal in a CRM copies its key. Of several that would take one place nobody knows which was first.
    """
    fresh = [ref for ref in book.ranked(book.around.alike[signature]) if ref not in book.link_of]
    link = link_of_key(signature.text)
    together = book.together(link, fresh)
    if not fresh or len(together) < 2:
        return
    sides: dict[str, list[Ref]] = defaultdict(list)
    for ref in dict.fromkeys((*together, *fresh)):
        if ref in book.around.present or ref in fresh:
            sides[ref.connection].append(ref)
    if any(len(sides[ref.connection]) > 1 for ref in together if ref in fresh):
        yield from (_ask(book, ref, sides, (EXTERNAL_KEY,)) for ref in fresh if not book.is_none_of(ref, sides))
        return
    book.write(link or book.own(together[0]), together)


def _join_by_rule(book: _Book, signature: Signature, names: tuple[str, ...]) -> Iterator[Blocked]:
    """Link the records of one signature where it is clear which; give the questions where it is not."""
    sides: dict[str, list[Ref]] = defaultdict(list)
    for ref in book.ranked(book.around.alike[signature]):
        sides[ref.connection].append(ref)
    group = [ref for side in sides.values() for ref in side]
    fresh = [ref for ref in group if ref not in book.link_of]
    if len(sides) < 2 or not fresh:
        return
    existing = {book.link_of[ref] for ref in group if ref in book.link_of}
    if len(existing) > 1 or any(len(side) > 1 for side in sides.values()):
        yield from (_ask(book, ref, sides, names) for ref in fresh if not book.is_none_of(ref, sides))
        return
    link = next(iter(existing), None) or book.own(group[0])
    together = book.write(link, book.together(link, group))
    # Another record of the same CRM has the place already, so which of the two belongs there is not clear; nor is it to
    # which of two that were told apart a third one belongs.
    left = [ref for ref in fresh if ref not in together]
    yield from (_ask(book, ref, sides, names) for ref in left if not book.is_none_of(ref, sides))


def _ask(book: _Book, ref: Ref, sides: Mapping[str, Sequence[Ref]], names: tuple[str, ...]) -> Blocked:
    """Ask which record one belongs to, and name some of those that nobody told it apart from yet."""
    others = {connection: ", ".join(book.some_for(ref, side)) for connection, side in sides.items()}
    return Blocked(
        link=link_id(ref),
        deal=ref,
        name="link",
        reason=f"several have the same {' and '.join(names)}; a person must say which belong together",
        values={connection: ids for connection, ids in others.items() if ids},
        cause=Cause.LINK,
    )


_UNKNOWN_DEAL = "it was created for a deal that is not known any more (a connection that was renamed or left out?)"


def _orphan(ref: Ref, around: Around) -> Blocked | None:
    """Ask about a deal that was created for one that is not known any more, or has another; it may be a double."""
    own, signed = external_key(link_id(ref)), sorted(around.signatures[ref])
    keys = [text for rule, text in signed if rule == EXTERNAL_KEY and text.startswith(PREFIX) and text != own]
    if not keys:
        return None
    known = link_of_key(keys[0]) in around.links
    return Blocked(
        link=link_id(ref),
        deal=ref,
        name="link",
        reason="it has the key of a deal that has another counterpart by now, as a copy of that one would"
        if known
        else _UNKNOWN_DEAL,
        values={ref.connection: keys[0]},
        cause=Cause.LINK,
    )


def _one_each(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """Keep the first ref of each connection."""
    found: dict[str, Ref] = {}
    for ref in refs:
        found.setdefault(ref.connection, ref)
    return tuple(found.values())
