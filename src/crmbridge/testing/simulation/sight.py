"""A deal as the oracle sees it: free of what is native to one CRM, and of how the engine compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from crmbridge.engine.mapping import StageMapper
from crmbridge.engine.views import COMPANY, CONTACTS, OWNER, Viewer
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value

HANGING = {COMPANY: Kind.COMPANY, CONTACTS: Kind.CONTACT}


@dataclass(slots=True)
class Sight:
    """Shows one CRM's deals: owners and contacts by e-mail, companies by domain.

    `around` names what is shown of what hangs on a deal, `names` has what companies and contacts go by: id -> name.
    """

    viewer: Viewer
    around: tuple[str, ...] = ()
    names: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)
    _last: dict[Ref, tuple[Record, object, Mapping[str, Value]]] = field(default_factory=dict, init=False)

    def view(self, deal: Record) -> Mapping[str, Value]:
        """Give what a deal holds. The oracle looks at each of them again and again."""
        record, names, seen = self._last.get(deal.ref, (None, None, {}))
        if record is not deal or names is not self.names:
            hanging = {name: self.shown(name, deal.fields.get(name)) for name in self.around}
            seen = self.viewer.view(deal) | hanging
            self._last[deal.ref] = deal, self.names, seen
        return seen

    def show(self, field: str) -> None:
        """Show one more field."""
        self.viewer = replace(self.viewer, fields=(*self.viewer.fields, field))
        self._last.clear()

    def read_stages_by(self, mapper: StageMapper) -> None:
        """Read the CRM's stages otherwise from now on."""
        self.viewer = replace(self.viewer, mapper=mapper)
        self._last.clear()

    def shown(self, name: str, native: Value) -> Value:
        """Give what the CRM's own value of a field stands for."""
        if name == OWNER:
            return self.viewer.users.get(str(native))
        if name not in HANGING or native is None:
            return native
        names = self.names.get(HANGING[name], {})
        if isinstance(native, tuple):
            return tuple(sorted(names.get(each, each) for each in native)) or None
        return names.get(str(native), str(native))

    def written(self, change: Change) -> Iterator[tuple[str, Value]]:
        """Give what a change writes."""
        for edit in change.edits:
            yield edit.name, self.shown(edit.name, edit.after)
