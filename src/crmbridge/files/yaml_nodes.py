"""YAML text to plain data that remembers where each key and value stands.

The events come from libyaml; the tree is built here, without recursion, so a hostile file costs an error and not the
process. Why not a ready-made composer: docs/decisions/0002-yaml-by-libyaml.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import yaml
from msgspec import Struct

from crmbridge.files.yaml_errors import Fault, explain_yaml_error
from crmbridge.files.yaml_scalars import has_leading_zero, resolve

DEEPEST = 64  # levels of nesting; the deepest legal file of ours has about ten
LONGEST = 256 * 1024  # characters of one text
FREE_NODES, SHORTEST = 2_000, 4  # keys and values beyond so many take so many characters each, on average
MANY, USUAL = 150_000, 16  # and beyond so many, so many, as in the shipped files
MOST_FAULTS = 200  # after so many, reading on tells nobody anything new
MOST_ALIASED = 50_000  # nodes that aliases may add; a scalar counts once per 64 characters
MOST_DECLARED = 10  # tags: none is understood, and the parser compares each with all before it
_BREAKS = "\n\r\x85\u2028\u2029"  # where YAML ends a line
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # where PyYAML was built without libyaml: slower, the same

_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_PLAIN_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})

Path = tuple[str | int, ...]


class Span(NamedTuple):
    """A piece of the text, in characters from its beginning."""

    start: int
    end: int


class Node(Struct):
    """A value, where it stands, and its parts. `keys` is where a mapping's keys stand; `size` counts it expanded."""

    start: int
    end: int
    value: Any
    parts: dict[str, Node] | list[Node] | None = None
    keys: dict[str, Span] | None = None
    size: int = 1


class Parsed(NamedTuple):
    """What a YAML text says, and what is wrong with it. No root: nothing usable was read."""

    root: Node | None
    faults: tuple[Fault, ...]


def parse(text: str) -> Parsed:
    """Read one YAML document whose top level is a mapping; never raises. `text` has no byte order mark."""
    if declared := _declared(text):
        return Parsed(None, (declared,))
    builder = _Builder()
    try:
        builder.take(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        return Parsed(None, (*builder.faults, explain_yaml_error(error, text)))
    except _StopError as stop:
        return Parsed(None, (*builder.faults, stop.fault))
    root = builder.root
    if root is None or not isinstance(root.parts, dict):
        return Parsed(None, (*builder.faults, _not_a_mapping(root)))
    return Parsed(root, tuple(builder.faults))


def endless(text: str) -> Fault | None:
    """Find a text that is too long without reading the file, where neither a line nor a quotation ends for so long.

    The parser would look at all of it first. One that is cut into lines is found by `parse`.
    """
    at = 0
    while at + LONGEST < len(text):
        end = max(text.rfind(mark, at, at + LONGEST) for mark in "\n\r\"'")
        if end < 0:
            return _too_long(at, at + LONGEST)
        at = end + 1
    return None


def _declared(text: str) -> Fault | None:
    """Find a text that declares very many tags, without reading it."""
    lines = [f"{end}%TAG" for end in _BREAKS]
    if sum(map(text.count, lines)) <= MOST_DECLARED:
        return None
    start = min(at + 1 for at in map(text.find, lines) if at >= 0)
    sentence = f"more than {MOST_DECLARED} tags are declared from here on; values need no tags here"
    return Fault(start, start + len("%TAG"), "yaml-tag", sentence, "Take the `%TAG` lines out.")


def _too_long(start: int, end: int) -> Fault:
    sentence = f"a text of more than {LONGEST // 1024} KB begins here"
    return Fault(start, end, "yaml-too-long", sentence, "Put what is long into a file of its own, and name that here.")


def _too_many(event: Any) -> Fault:
    sentence = "up to here stand more keys and values than such a short text can mean"
    return Fault(*_span(event), "yaml-too-many", sentence, "Take out what is empty or repeated.")


def locate(root: Node, path: Iterable[str | int], *, key: bool = False) -> Span:
    """Find where a path stands: its value, or with `key` its key; for what isn't there, the thing around it."""
    node, at, named = root, start_of(root), start_of(root)
    for part in path:
        parts = node.parts
        if isinstance(parts, dict) and isinstance(part, str) and part in parts:
            node, named = parts[part], (node.keys or {})[part]
        elif isinstance(parts, list) and isinstance(part, int) and part < len(parts):
            node, named = parts[part], start_of(parts[part])
        else:
            return start_of(node)
        at = start_of(node)
    return named if key or at.start == at.end else at


def start_of(node: Node) -> Span:
    """Give where a node begins: a block mapping begins with its first key."""
    first = next(iter(node.keys.values()), None) if node.keys else None
    return first if first is not None and first.start == node.start else Span(node.start, node.end)


def scalar_at(root: Node, path: Iterable[str | int]) -> str | None:
    """Give the text at a path, or the one that stands where the path leads further; None where no text stands."""
    value = root.value
    for part in path:
        if isinstance(value, str):
            break
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value if isinstance(value, str) else None


def value_at(root: Node, path: Iterable[str | int]) -> Any:
    """Give the plain value at a path, or None."""
    value = root.value
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _not_a_mapping(root: Node | None) -> Fault:
    if root is None or root.value is None:
        advice = "`crmbridge init FOLDER` writes one to begin with."
        return Fault(0, 0, "yaml-not-a-mapping", "the file is empty", advice)
    sentence = "the file must be a mapping: lines of `key: value`"
    return Fault(root.start, root.end, "yaml-not-a-mapping", sentence)


class _StopError(Exception):
    """Reading on makes no sense."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault


class _Open(Struct):
    """A collection that is being read. `key` is the key whose value comes next."""

    node: Node
    anchor: str | None
    key: tuple[str, Span] | None = None

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node.parts, dict) and self.key is None


class _Builder:
    """Turns events into nodes, one level at a time."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0
        self._documents = 0
        self._steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, events: Iterable[Any]) -> None:
        count = 0
        for event in events:
            step = self._steps.get(type(event))
            if step is not None:
                count += 1
                at = event.start_mark.index
                if count > FREE_NODES + at // SHORTEST or count > MANY + at // USUAL:
                    raise _StopError(_too_many(event))
                step(event)
                if len(self.faults) > MOST_FAULTS:
                    raise _StopError(self.faults.pop())

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            sentence = "a second document begins here; one file holds one"
            raise _StopError(
                Fault(*_span(event), "yaml-documents", sentence, "Take the `---` and what follows it out.")
            )

    def _scalar(self, event: Any) -> None:
        if len(event.value) > LONGEST:
            raise _StopError(_too_long(*_span(event)))
        if self._open and self._open[-1].wants_key:
            self._key(event)
            return
        node = Node(*_span(event), self._value(event), size=1 + len(event.value) // 64)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node)

    def _value(self, event: Any) -> Any:
        text: str = event.value
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            self._refuse_tag(event)
        if event.tag is not None or not event.implicit[0]:
            return text
        try:
            value = resolve(text)
        except ValueError as error:
            self.faults.append(Fault(*_span(event), "yaml-number", str(error), "Put it in quotes if it is an id."))
            return text
        if has_leading_zero(text) and len(self.faults) < MOST_FAULTS:  # a warning, which alone refuses nothing
            sentence = f"{text} is read as the number {value}"
            advice = "Put it in quotes if the zeros matter, as in an id."
            self.faults.append(Fault(*_span(event), "yaml-leading-zero", sentence, advice))
        return value

    def _key(self, event: Any) -> None:
        opened, span = self._open[-1], _span(event)
        name: str = event.value
        if name == "<<" and event.implicit[0]:
            sentence = "the merge key `<<` is not part of YAML 1.2"
            self.faults.append(Fault(*span, "yaml-merge-key", sentence, "Write the keys out."))
        elif (first := (opened.node.keys or {}).get(name)) is not None:
            sentence = f"the key {_short(name)!r} stands here for the second time"
            self.faults.append(Fault(*span, "yaml-duplicate-key", sentence, other=first.start))
        opened.key = (name, span)

    def _start(self, event: Any) -> None:
        if self._open and self._open[-1].wants_key:
            raise _StopError(Fault(*_span(event), "yaml-key", "a key must be plain text, not a list or a mapping"))
        if len(self._open) >= DEEPEST:
            raise _StopError(Fault(*_span(event), "yaml-too-deep", f"more than {DEEPEST} levels are nested here"))
        if event.tag not in _PLAIN_TAGS:
            self._refuse_tag(event)
        if not self._open and type(event) is yaml.SequenceStartEvent:
            raise _StopError(_not_a_mapping(Node(*_span(event), [])))  # however long, it will be nothing else
        mapping = type(event) is yaml.MappingStartEvent
        node = Node(*_span(event), {}, {}, {}) if mapping else Node(*_span(event), [], [])
        self._open.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        opened = self._open.pop()
        opened.node.end = event.end_mark.index
        if opened.anchor:  # only now: an alias inside its own anchor has no end
            self._anchors[opened.anchor] = opened.node
        self._put(opened.node)

    def _alias(self, event: Any) -> None:
        span = _span(event)
        if self._open and self._open[-1].wants_key:
            raise _StopError(Fault(*span, "yaml-key", "a key must be plain text, not an alias"))
        node = self._anchors.get(event.anchor)
        if node is None:
            sentence = f"there is no finished anchor '&{_short(event.anchor)}' above this alias"
            self.faults.append(Fault(*span, "yaml-alias", sentence))
            node = Node(*span, None)
        self._aliased += node.size
        if self._aliased > MOST_ALIASED:
            sentence = f"the aliases up to here stand for more than {MOST_ALIASED} values"
            raise _StopError(Fault(*span, "yaml-alias", sentence, "Write the values out, or use fewer aliases."))
        self._put(node)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        opened = self._open[-1]
        parent = opened.node
        parent.size += node.size
        if isinstance(parent.parts, list):
            parent.parts.append(node)
            parent.value.append(node.value)
        elif parent.parts is not None and parent.keys is not None and opened.key is not None:
            name, span = opened.key
            opened.key = None
            if name not in parent.keys:  # the first of two counts
                parent.keys[name], parent.parts[name], parent.value[name] = span, node, node.value

    def _refuse_tag(self, event: Any) -> None:
        sentence = f"the tag {_short(event.tag)!r} is not understood; values need no tags here"
        self.faults.append(Fault(*_span(event), "yaml-tag", sentence, "Take the tag out."))


def _span(event: Any) -> Span:
    return Span(event.start_mark.index, event.end_mark.index)


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:60] + "…"
