"""Open the sink that an entry of the settings names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from crmbridge.errors import ConfigurationError
from crmbridge.ports import Sink
from crmbridge.report.sinks.files import FileSink
from crmbridge.report.sinks.slack import SlackSink
from crmbridge.settings import Secret

if TYPE_CHECKING:
    from crmbridge.plugins import SinkSpec


def open_sink(entry: Mapping[str, Any], folder: Path, extra: Mapping[str, SinkSpec]) -> Sink:
    """Open the sink of an entry with one key, such as `{html: reports/}`; paths count from `folder`.

    `extra` are the sinks of plugins by name. Raises ConfigurationError for an entry that names no sink or is not
    what its sink reads. Nothing is sent or written yet, and secrets are fetched only at delivery.
    """
    if len(entry) != 1:
        raise ConfigurationError(
            f"A sink is one key with its settings; this entry has {', '.join(map(str, entry)) or 'none'}.",
            advice="Write each sink as an entry of its own, such as - html: reports/",
        )
    name, value = next(iter(entry.items()))
    if name in _OWN:
        return _OWN[name](value, folder)
    if name in extra:
        return _of_plugin(extra[name], value)
    raise ConfigurationError(
        f"There is no sink {name!r}.", advice=f"Use one of: {', '.join(sorted({*_OWN, 'crm', *extra}))}."
    )


def _html(value: Any, folder: Path) -> Sink:
    return FileSink("html", _path("html", value, folder))


def _markdown(value: Any, folder: Path) -> Sink:
    return FileSink("markdown", _path("markdown", value, folder))


def _slack(value: Any, folder: Path) -> Sink:  # noqa: ARG001  every opener takes the folder
    # A URL written out is refused without being shown: it would be a secret in a file.
    try:
        return SlackSink(Secret.model_validate(value))
    except ValidationError:
        raise ConfigurationError(
            "The sink `slack` must say where its webhook's URL is kept, not what it is.",
            advice="Write `slack: {env: SLACK_URL}` and put the URL into that environment variable.",
        ) from None


def _of_plugin(spec: SinkSpec, value: Any) -> Sink:
    try:
        settings = spec.settings.model_validate(value)
    except ValidationError as error:
        # Without the values: one of them may be a secret in the wrong place.
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ConfigurationError(
            f"The settings of the sink {spec.name!r} are wrong: {wrong}.", advice=_ADVICE
        ) from None
    sink: Sink = spec.open(settings)
    return sink


def _path(name: str, value: Any, folder: Path) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"The sink `{name}` needs a folder or a file.", advice=f"Write it as `{name}: reports/`."
        )
    return folder / Path(value).expanduser()


_ADVICE = "Mend the entry under `reports` in the settings file."
_OWN: Mapping[str, Callable[[Any, Path], Sink]] = MappingProxyType(
    {"html": _html, "markdown": _markdown, "slack": _slack}
)
