"""Put what was counted into words: rows with their labels and figures, in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from crmbridge.engine.sla.written import written_slas
from crmbridge.engine.text import fill
from crmbridge.indicators.measures import MEASURES, Raw
from crmbridge.indicators.options import Options, Period
from crmbridge.indicators.periods import written
from crmbridge.indicators.words import Words
from crmbridge.languages import about
from crmbridge.model.figures import ChartKind, Column, Measured, Row
from crmbridge.model.process import Process


class Shown(Struct, frozen=True, kw_only=True):
    """How figures are shown: for which process, as what was asked, in which words. `segments` are by their numbers."""

    process: Process
    options: Options
    words: Words
    segments: Mapping[int, str | None]

    def measured(self, name: str, rows: Iterable[Raw], total: Raw, cautions: Mapping[str, str | int]) -> Measured:
        """Put a measure's rows into figures."""
        spec = MEASURES[name]
        made = tuple(self._row(name, raw) for raw in rows)
        is_cut = any(row.period for row in made)
        only_periods = is_cut and len({row.label.removesuffix(row.period or "") for row in made}) == 1
        return Measured(
            id=name,
            name=self.words.names[name],
            definition=self.definition(name, spec.by_period),
            columns=tuple(Column(each, self.words.columns[each]) for each in spec.columns),
            rows=made,
            rows_are=self._rows_are(name, only_periods=only_periods),
            chart=ChartKind.LINES if only_periods else spec.chart,
            charted=spec.charted,
            headline=spec.main(total) if total else None,
            cautions=self.said(cautions),
        )

    def definition(self, name: str, by_period: str | None) -> str:
        """Give what a measure counts; where the report is cut by periods, also in which one something counts."""
        whole = self.words.definitions[name]
        if self.options.period is None or by_period is None:
            return whole
        return f"{whole} {self.words.words[by_period]}"

    def said(self, cautions: Mapping[str, str | int]) -> tuple[str, ...]:
        """Say what a reader must know: by the keys of the words, what goes into each sentence."""
        return tuple(about(value, key, self.words.words).format(value) for key, value in cautions.items())

    def stage(self, stage_id: str) -> str:
        """Give a stage's name."""
        stage = self.process.stage(stage_id)
        return stage.name.in_language(self.options.language) if stage else stage_id

    def _row(self, name: str, raw: Raw) -> Row:
        stage = None if raw["stage"] is None else self.process.stages[raw["stage"]].id
        period = None if raw["period"] is None or self.options.period is None else raw["period"]
        segment = raw["who"] if "who" in raw else self.segments.get(raw["seg"])
        shown_period = None if period is None else written(period, self.options.period or Period.MONTH)
        outside = self.words.words["outside"] if MEASURES[name].rows_are == "stage" else None
        return Row(
            label=self.label(
                self.stage(stage) if stage else outside,
                self._sla(raw["sla"]) if raw.get("sla") else self._type(raw.get("type")),
                (segment or self._nobody()) if raw.get("seg") is not None or "who" in raw else None,
                shown_period,
            ),
            figures={column: make(raw) for column, make in MEASURES[name].columns.items()},
            stage=stage,
            segment=segment,
            period=shown_period,
        )

    def _sla(self, rule: str) -> str:
        """Name an SLA as the process does; by its rule's id, where it is not in the process any more."""
        found = next((sla for sla in written_slas(self.process) if sla.id == rule), None)
        if found is None:
            return rule
        if found.rule is not None:
            return found.rule.name.in_language(self.options.language)
        if found.measures != "handoff" or found.stage is None:
            return self.words.words["sla"]
        return fill(self.words.words["handoff_from"], {"stage": self.stage(found.stage.id)})

    def _type(self, kind: str | None) -> str | None:
        """Name a type of activity; one that has no word, as its CRM does."""
        return self.words.words.get(f"did_{kind}", kind)

    def label(self, *parts: str | None) -> str:
        """Put together what a row is about."""
        return " · ".join(part for part in parts if part) or self.words.words["all_deals"]

    def segment(self, number: int | None) -> str | None:
        """Give the name of a segment, which deals without a value have, too; None where deals are not grouped."""
        return None if number is None else self.segments.get(number) or self._nobody()

    def _nobody(self) -> str:
        return self.words.words["nobody" if self.options.segment in {None, "owner"} else "none"]

    def _rows_are(self, name: str, *, only_periods: bool) -> str:
        if only_periods and self.options.period:
            return self.words.words[self.options.period]
        rows_are = MEASURES[name].rows_are
        segment = self.options.segment
        if segment and rows_are in {"deals", "owner"}:
            return self.words.words.get(segment, segment)
        return self.words.words[rows_are]
