"""What an expression can name where it stands, and what was found wrong with it so far."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from crmbridge.engine.expr.faults import Fault, Span
from crmbridge.engine.expr.terms import Const, Term, Type
from crmbridge.engine.nearest import nearest
from crmbridge.model.values import FieldType

SHOWN = 40  # characters of the text that a sentence quotes


class Scope(Struct, frozen=True):
    """The text, the fields and their options, the loop's variable, and the faults, which grow while it is checked."""

    text: str
    fields: Mapping[str, FieldType]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variables: Mapping[str, Type] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, span: Span, code: str, sentence: str, *, nearest: str | None = None, advice: str = "") -> None:
        """Note something wrong; what is around it is still checked."""
        self.faults.append(Fault(span, code, sentence, nearest, advice))

    def mistyped(self, term: Term, wanted: str, nearest: str | None = None) -> None:
        """Note a part that has another type than it must have."""
        self.wrong(term.span, "expr-type", f"{wanted}, and {self.said(term)}", nearest=nearest)

    def quote(self, span: Span) -> str:
        """Give a piece of the text for a sentence."""
        text = " ".join(self.text[span.start : span.end].split())
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

    def said(self, term: Term) -> str:
        """Say of what type a part is."""
        return f"{self.quote(term.span)} is {article(term.type)}"

    def stray(self, name: str, value: Term) -> None:
        """Note a text that is compared with a field which can never have it."""
        options = self.options.get(name, ())
        if options and isinstance(value, Const) and isinstance(value.value, str) and value.value not in options:
            guess = nearest(value.value, options)
            sentence = f"{name!r} has no option {value.value[:SHOWN]!r}"
            self.wrong(value.span, "unknown-option", sentence, nearest=guess and f'"{guess}"')


def article(kind: Type) -> str:
    """Name a type as a sentence does."""
    return kind.name if kind.name in {"text", "money"} else f"a {kind}"
