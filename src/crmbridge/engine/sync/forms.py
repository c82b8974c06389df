"""What a CRM makes of the values it is given: a rounded amount or a cut text is nobody's edit.

Beside the base of a record stand, under reserved names, the values that were sent to it and not seen since, with the
version that the record had then, and the forms in which the CRM keeps a value. While it holds such a form, it stands
for the whole value. There also stands what was outdone and not written over, in which fields others agreed on
something while the record could not be asked, and which values the CRM refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from crmbridge.engine.sync.sameness import altered, same
from crmbridge.model.values import Value

MARK = "@"  # begins the reserved names; a field's name begins with a letter
VERSION = "@version"  # of the record when values were last sent to it
_SENT, _FORM = "@sent:", "@form:"
_OUTDONE, _MISSED, _REFUSED = "@outdone:", "@missed:", "@refused:"


class Read(NamedTuple):
    """What a record stands for, and what there is to remember of it."""

    now: Mapping[str, Value]
    news: Mapping[str, Value]


def sent(values: Iterable[tuple[str, Value]], version: str | None) -> dict[str, Value]:
    """Give what to remember of values that were just written to a record which had this version before."""
    written = dict(values)
    marks: dict[str, Value] = {_SENT + name: value for name, value in written.items() if value is not None}
    return {**written, **marks, VERSION: version or ""}


def overwritten(names: Iterable[str]) -> dict[str, Value]:
    """Give what to remember of fields that were written to otherwise: nothing there is a form of what was sent."""
    return {mark + name: None for name in names for mark in (_SENT, _FORM)}


def outdone(values: Mapping[str, Value]) -> dict[str, Value]:
    """Give what to remember of values that were outdone by a newer one, and still stand where that can't be written."""
    return {_OUTDONE + name: _marked(value) for name, value in values.items()}


def was_outdone(name: str, value: Value, base: Mapping[str, Value]) -> bool:
    """Tell whether a field still holds what was outdone there."""
    mark = base.get(_OUTDONE + name)
    return mark is not None and same(value, mark)


def missed(name: str, base: Mapping[str, Value]) -> dict[str, Value]:
    """Give what to remember of a field in which the others of a link agreed while this record could not be asked.

    It is gone, or its connection, the field or its stage is left out of the settings. What people do there meanwhile
    may be older than what was agreed on. What is remembered is the base, as it says no more once there is another.
    """
    return {_MISSED + name: _marked(base.get(name))}


def has_missed(name: str, base: Mapping[str, Value]) -> bool:
    """Tell whether others agreed on a field while a record could not be asked, and nothing was agreed with it since."""
    mark = base.get(_MISSED + name)
    return mark is not None and same(mark, base.get(name))


def refused(values: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Give what to remember of values that a CRM refused, so that others need not wait for them the next time."""
    return {_REFUSED + name: _marked(value) for name, value in values}


def was_refused(name: str, value: Value, base: Mapping[str, Value]) -> bool:
    """Tell whether a value was refused before for a field, on its own or together with others."""
    mark = base.get(_REFUSED + name)
    return mark is not None and same(value, mark)


def read(now: Mapping[str, Value], base: Mapping[str, Value], version: str) -> Read:
    """Say what a record stands for, where it may hold another form of what it was given.

    What was sent is looked at in the first copy that the CRM gives since: an edit that a person makes before that, and
    that could be a rounding or a cut of what was sent, is taken for one. A copy of the version from before, which a CRM
    also shows where our write changed nothing that it keeps, settles nothing. A form stands for a value only while it
    could be made of it: what was kept of an earlier value, and a person types again, is an edit.
    """
    marks = sorted(name for name in base if name.startswith(MARK) and base[name] is not None)
    if not marks:
        return Read(now, {})
    whole: dict[str, Value] = dict(now)
    news: dict[str, Value] = {}
    fresh = base.get(VERSION) is not None and base[VERSION] != version
    for name in marks:  # forms come before what was sent, and may be of something that was sent earlier
        value, field = base[name], name.partition(":")[2]
        if name.startswith(_SENT):
            is_form = field in now and _is_form(value, now[field], base.get(field))
            if is_form:
                whole[field] = value
            if fresh:
                news |= {name: None, **({_FORM + field: _marked(now[field])} if is_form else {})}
        elif field not in now:
            continue  # it is left out, and may come back as it was
        elif name.startswith(_FORM) and same(now[field], value) and altered(base.get(field), now[field]):
            whole[field] = base[field]
        elif name.startswith(_FORM) or _is_over(name, field, now[field], base):
            news[name] = None
    return Read(whole, news)


def arrived(sent: Value, seen: Value, before: Value) -> bool:
    """Tell whether a field holds what was sent and not clearly answered, or what its CRM may have made of that.

    What looks like a form of what was sent, and stood there before, says nothing of whether it arrived.
    """
    return same(seen, sent) or (altered(sent, seen) and not same(seen, before))


def _is_over(mark: str, field: str, now: Value, base: Mapping[str, Value]) -> bool:
    """Tell whether a mark is over.

    What was outdone, or missed, is when nothing that a person edited stands there; what was refused, when it is there.
    """
    if mark.startswith(_REFUSED):
        return was_refused(field, now, base)
    still = was_outdone(field, now, base) if mark.startswith(_OUTDONE) else has_missed(field, base)
    return same(now, base.get(field)) or not still


def _marked(value: Value) -> Value:
    return "" if value is None else value  # as None would say that there is no such mark


def _is_form(written: Value, seen: Value, base: Value) -> bool:
    return same(base, written) and not same(seen, written) and altered(written, seen)
